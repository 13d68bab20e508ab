#!/bin/sh
# Builds llama.cpp's own tools from the source archive of llama-cpp-python (which carries the whole tree), tuned for this
# machine, and prints the folder they are in. Pinned by version and SHA-256; done once, then found in the cache.
# usage: build_llama.sh [JOBS]
set -eu
version=0.3.36
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
cache=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}
# GGML_NATIVE compiles for the machine at hand, so one build per processor model and flag set.
cpu=$(grep -m1 '^flags' /proc/cpuinfo | sha256sum | cut -c1-8)
root=$cache/peers/llama-cpp-$version-$cpu
bin=$root/build/bin
jobs=${1:-$(nproc)}
if [ -f "$root/.complete" ]; then
  echo "$bin"
  exit 0
fi
mkdir -p "$root" "$cache/downloads"
archive=$cache/downloads/llama_cpp_python-$version.tar.gz
if ! echo "$sha256  $archive" | sha256sum -c --status 2>/dev/null; then
  # pip asks an archive for its metadata, which needs its build system: a small environment holds that.
  venv=$cache/peers/venv-sdist
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv" >&2
  "$venv/bin/pip" install -q 'scikit-build-core==0.11.6' >&2
  "$venv/bin/pip" download -q --no-binary llama-cpp-python --no-deps --no-build-isolation -d "$cache/downloads" \
    "llama-cpp-python==$version" >&2
  echo "$sha256  $archive" | sha256sum -c --quiet >&2
fi
tar -xzf "$archive" -C "$root" --strip-components=1
# GCC 12 declares that _tile_loadconfig reads 8 of the 64 bytes, drops the stores to the rest as dead, and the instruction
# faults. Say what is read, else llama.cpp crashes on machines with AMX.
sed -i 's/_tile_loadconfig(&tc);/__asm__ volatile("ldtilecfg %0" :: "m"(tc));/' \
  "$root/vendor/llama.cpp/ggml/src/ggml-cpu/amx/mmq.cpp"
cmake -S "$root/vendor/llama.cpp" -B "$root/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
  -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DBUILD_SHARED_LIBS=OFF \
  -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_UI=OFF >&2
nice -n 10 cmake --build "$root/build" -j "$jobs" --target llama-bench llama-quantize llama-server llama-mtmd-cli >&2
touch "$root/.complete"
echo "$bin"
