#!/usr/bin/env python3
"""What `galen manual` writes: docs/CLI.md is current, man pages are clean, completions complete in their shells.

Shells and man are asked themselves; what is not installed is named, and the test is then skipped (77) if all else is right.
GALEN_BIN names the program.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", str(ROOT / "build/release/galen"))

# Words of a line, the last to be completed; what must be offered; what must not. The folder holds note.txt, scan.pdf, "two words.txt"
# and the folder model/.
CASES = [
    (["ru"], {"run"}, {"serve", "--help"}),
    ([""], {"run", "serve", "extract", "adapter", "manual"}, {"merge", "note.txt"}),
    (["adapter", ""], {"inspect", "merge"}, {"run", "note.txt"}),
    (["audit", "ver"], {"verify"}, {"tail"}),
    (["run", "--thi"], {"--think"}, {"--file"}),
    (["run", "--"], {"--think", "--file", "--json", "--max-tokens"}, {"--labels", "--port"}),
    (["run", "--think", ""], {"show", "hide", "off"}, {"note.txt", "run"}),
    (["run", "--compute", "b"], {"bf16"}, {"fp32"}),
    (["run", "--file", ""], {"note.txt", "scan.pdf"}, {"run", "show"}),
    (["run", "--file", "two"], {"two words.txt"}, {"note.txt"}),
    (["run", "--speculate", ""], {"off", "ngram", "note.txt"}, {"show"}),
    (["run", "m"], {"model"}, {"note.txt"}),
    (["extract", "s"], {"scan.pdf"}, {"note.txt"}),
    (["extract", "scan.pdf", "--format", ""], {"json", "csv", "fhir", "html", "sr", "text"}, {"note.txt"}),
    (["extract", "--schema", ""], {"auto", "lab_report", "vitals_flowsheet", "note.txt"}, {"KIND", "ct"}),
    (["extract", "--schema", "pres"], {"prescription"}, {"lab_report", "note.txt"}),
    (["run", "--recipe", ""], {"ct", "pan-and-scan", "xray-pair", "note.txt"}, {"RECIPE", "lab_report"}),
    (["look", "--recipe", "xray-"], {"xray-pair"}, {"ct", "note.txt"}),
    (["data", "synth", "--kind", ""], {"all", "lab_report", "diagnosis"}, {"note.txt"}),
    (["data", "synth", "--level", ""], {"clean", "scan", "fax", "photo", "mixed"}, {"note.txt"}),
    (["data", "synth", "--out", ""], {"model"}, {"note.txt"}),
    (["adapter", "merge", "--type", ""], {"same", "f32"}, {"note.txt"}),
    (["quantize", "--type", "q8"], {"q8_0"}, {"nf4"}),
    (["run", "--max-tokens", ""], set(), {"show", "run"}),
]


def galen(*args):
    return subprocess.run([GALEN, "manual", *args], check=True, capture_output=True, text=True, timeout=120).stdout


def ask_bash(script, words, folder):
    quoted = " ".join("'" + w + "'" for w in ["galen", *words])
    done = subprocess.run(["bash", "--norc", "-c", f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _galen; "
                           "printf '%s\\n' \"${COMPREPLY[@]}\""], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.stdout.split("\n"), done.stderr


def ask_fish(script, words, folder):
    line = " ".join(["galen", *words])
    done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], cwd=folder, capture_output=True, text=True,
                          timeout=60, env=os.environ | {"HOME": str(folder / "home"), "TERM": "dumb"})
    return [row.split("\t")[0] for row in done.stdout.split("\n")], done.stderr


ZSH = r"""
PROMPT= RPROMPT=
fpath=(%(at)s $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' insert-tab false
bindkey '^I' complete-word
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits >>%(hits)s
  builtin compadd "$@"
}
finish() { print -r -- "<end>" >>%(hits)s; comppostfuncs=(finish) }
comppostfuncs=(finish)
print -r -- ready >%(ready)s
"""


class Zsh:
    """An interactive zsh at a pseudo-terminal whose offers are written into a file."""

    def __init__(self, script, folder):
        self.hits, ready = folder / "home/hits", folder / "home/ready"
        setup = folder / "home/setup.zsh"
        setup.write_text(ZSH % {"at": Path(script).parent, "hits": self.hits, "ready": ready})
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ |= {"HOME": str(folder / "home"), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.send(f"source {setup}\n")
        self.wait(ready.exists)

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self, there):
        end = time.time() + 60
        while not there():
            if select.select([self.fd], [], [], 0.05)[0]:
                os.read(self.fd, 65536)
            if time.time() > end:
                raise TimeoutError("zsh does not answer")

    def ask(self, words):
        self.hits.write_text("")
        self.send("galen " + " ".join(words) + "\t")
        self.wait(lambda: "<end>" in self.hits.read_text())
        self.send("\x15")  # the line away
        return self.hits.read_text().split("\n"), ""


def check_shell(shell, script, folder):
    zsh = Zsh(script, folder) if shell == "zsh" else None
    failures = []
    for words, wanted, unwanted in CASES:
        offered, error = zsh.ask(words) if zsh else {"bash": ask_bash, "fish": ask_fish}[shell](script, words, folder)
        offered = {o.rstrip("/ ").replace("\\ ", " ").strip("'\"").removesuffix("=") for o in offered}
        if error.strip() or wanted - offered or unwanted & offered:
            failures.append(f"{shell}: galen {' '.join(words)}<TAB>: lacks {sorted(wanted - offered)}, has {sorted(unwanted & offered)} {error}")
    # "--format=j" is one word for a person and three for bash.
    if shell == "bash" and "json" not in ask_bash(script, ["extract", "--format", "=", "j"], folder)[0]:
        failures.append("bash: galen extract --format=j<TAB> does not offer json")
    return failures


def check_man(pages):
    failures = []
    verbs = set(re.findall(r"^## galen (.*)$", (ROOT / "docs/CLI.md").read_text(), re.M))
    missing = [v for v in verbs if not (pages / f"galen-{v.replace(' ', '-')}.1").exists()]
    if missing or not (pages / "galen.1").exists():
        failures.append(f"no man page for {missing}")
    for page in sorted(pages.iterdir()):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
        if done.returncode or done.stderr:
            failures.append(f"{page.name}: {done.stderr}")
    text = subprocess.run(["man", "-l", "-P", "cat", str(pages / "galen-run.1")], capture_output=True, text=True,
                          env=os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8"}).stdout
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text).split())
    for wanted in ("galen-run - Answer a prompt", "--think show|hide|off", "default hide"):
        if wanted not in text:
            failures.append(f"man galen-run does not say {wanted!r}")
    return failures


def main():
    failures, absent = [], []
    if galen() != (ROOT / "docs/CLI.md").read_text():
        failures.append("docs/CLI.md is not what `galen manual` writes: run `make cli`")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("home", "model", "scripts"):
            (folder / name).mkdir()
        for name in ("note.txt", "scan.pdf", "two words.txt"):
            (folder / name).touch()
        galen("--format", "man", "--out", str(folder / "home/man"))
        if shutil.which("man"):
            failures += check_man(folder / "home/man")
        else:
            absent.append("man")
        for shell, name in (("bash", "galen.bash"), ("zsh", "_galen"), ("fish", "galen.fish")):
            if not shutil.which(shell):
                absent.append(shell)
                continue
            script = folder / "scripts" / name
            galen("--format", shell, "--out", str(script))
            failures += check_shell(shell, script, folder)
    for failure in failures:
        print("FAIL", failure)
    if failures:
        return 1
    print(f"manual: {len(CASES)} completions in each shell" + (f"; not installed: {', '.join(absent)}" if absent else ""))
    return 77 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
