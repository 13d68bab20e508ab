# Everything here works on a bare Debian 12 with git, make and g++: what is missing is named and installed.
#   make build      build/release/galen
#   make demo       the model inside the program reads a laboratory slip into checked values, offline
#   make demo-text  two real models answer a question about a clinical note
#   make gallery    what a model will see of the examples, as pages to check by eye
#   make test       what a change must pass; ctest's summary is the last thing printed
#   make test-all   also ThreadSanitizer, long fuzzing, aarch64 under qemu
#   make bench      every figure that is promised, beside its peers: met or not met
#   make lint       format, layers, clang-tidy
#   make install    program, man pages, completions, unit, samples under PREFIX (/usr/local); DESTDIR is respected
#   make deb        a Debian package in build/deb
JOBS ?= $(shell nproc)
GALEN_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/galen
GALEN_MODELS ?= $(GALEN_CACHE)/models
export GALEN_CACHE GALEN_MODELS

release := build/release
galen := $(release)/galen
oracle := build/.venv-oracle/bin/python
PREFIX ?= /usr/local
note := examples/notes/clinical_note.txt
slip := examples/documents/lab_slip.png

.PHONY: all build program demo demo-text gallery test test-all bench lint format clean deps models clients clients-all oracle asan tsan aarch64 install deb cli
all: build

deps:
	@tools/install_deps.sh build

build: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)

demo: program
	@tools/demo.sh $(galen) $(slip) build/demo

# The program alone: a stranger who tries it waits for no tests to be compiled.
program: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target galen layers

demo-text: program
	@tools/fetch_models.py models
	@tools/demo_text.sh $(galen) $(GALEN_MODELS) $(note)

gallery: program
	@tools/gallery.sh $(galen) build/gallery

models: deps
	@tools/install_deps.sh test
	@tools/fetch_models.py all
	@tests/cases/web/run.py --install

# What talks to `galen serve` in the tests: the official JavaScript clients, LangChain; for test-all also Open WebUI and a newer Node.
clients clients-all: deps
	@tests/clients/javascript/run.py $(if $(filter clients-all,$@),--all) --install
	@tests/clients/langchain/run.py --install
	@$(if $(filter clients-all,$@),tests/clients/open_webui/run.py --install,:)

oracle: deps
	@tools/make_oracle.sh

asan tsan: deps
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -j $(JOBS)

# Fetching, building and testing in this order, also under -j.
test:
	@$(MAKE) --no-print-directory models
	@$(MAKE) --no-print-directory clients
	@$(MAKE) --no-print-directory oracle
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory asan
	@ctest --preset release

test-all:
	@$(MAKE) --no-print-directory models
	@$(MAKE) --no-print-directory clients-all
	@$(MAKE) --no-print-directory oracle
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory tsan
	@$(MAKE) --no-print-directory aarch64
	@tools/install_deps.sh package-test test-all
	@$(MAKE) --no-print-directory deb
	@ctest --preset release -C All

aarch64:
	@tools/install_deps.sh cross
	@tools/aarch64_sysroot.sh build/aarch64-sysroot
	@cmake --preset aarch64 >/dev/null
	@cmake --build --preset aarch64 -j $(JOBS)

install:
	@[ -x $(galen) ] || $(MAKE) --no-print-directory program
	@cmake --build --preset release -j $(JOBS) --target manual
	@cmake --install $(release) --prefix $(PREFIX) --strip

deb: program
	@tools/install_deps.sh package
	@cmake --build --preset release -j $(JOBS) --target manual
	@tools/make_deb.sh $(release) build/deb

# docs/CLI.md, after options have changed.
cli: program
	@$(galen) manual --out docs/CLI.md

bench: build models
	@bench/run.py --galen $(galen) --models $(GALEN_MODELS) --out build/bench

lint: deps
	@tools/install_deps.sh lint
	@tools/check_layers.py
	@tools/format.sh --check
	@tools/tidy.sh

format:
	@tools/install_deps.sh lint
	@tools/format.sh

clean:
	rm -rf build
