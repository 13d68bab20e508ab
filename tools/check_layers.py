#!/usr/bin/env python3
"""Fails when a folder uses another that it may not use.

    check_layers.py [ROOT]        check the tree at ROOT (default: the one this file is in); exit code 1 and file:line per fault
    check_layers.py --table       print the table, for docs/ARCHITECTURE.md

The table below is the design. Checked against it: every #include under src/, include/, apps/, tests/, bench/ and examples/;
every galen_folder(... USES ...) of CMake, which must say the same; cycles in the table and among files.
"""

import re
import sys
from pathlib import Path

# Folder of src/ -> folders that it may use, beside everything that those use.
TABLE = {
    "base": (),
    "tensor": ("base",),
    "kernels": ("tensor",),
    "formats": ("tensor",),
    "http": ("base",),
    "store": ("http",),
    "audit": ("base",),
    "text": ("base",),
    "media": ("base",),
    "recipes": ("media",),
    "grammar": ("text",),
    "ops": ("kernels",),
    "nn": ("ops",),
    "models": ("nn", "formats", "text", "media"),
    "engine": ("models", "grammar"),
    "data": ("media", "text"),
    "train": ("models", "data"),
    "quantize": ("models",),
    "extract": ("engine", "recipes"),
    "eval": ("extract", "data"),
    "triage": ("extract", "audit"),
    "dicomnet": ("media", "http"),
    "server": ("extract", "store", "audit", "dicomnet"),
}

# The public headers stand alone: a user needs include/galen and the library, never src/. The folders that implement them
# (the engine and what lies above it) and everything outside src/ may include them.
PUBLIC = "include"
PUBLIC_USERS = {"engine", "train", "quantize", "extract", "eval", "triage", "server"}
# Programs: these may use every folder of src/.
PROGRAMS = ("apps", "tests", "bench")
# Programs that show the public API: include/galen only.
PUBLIC_PROGRAMS = ("examples",)

SUFFIXES = {".h", ".cc", ".cu", ".cuh", ".inc", ".c", ".cpp", ".hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FOLDER_CALL = re.compile(r"galen_folder\s*\(([^)]*)\)", re.S)
LINK_CALL = re.compile(r"target_link_libraries\s*\(([^)]*)\)", re.S)
CMAKE_WORDS = {"USES", "LIBS", "EXCLUDE"}


def closure(name, seen=None):
    """The folder and all that it may use."""
    seen = set() if seen is None else seen
    if name not in seen:
        seen.add(name)
        for used in TABLE.get(name, ()):
            closure(used, seen)
    return seen


def find_cycle(graph):
    """A list of nodes that leads back to its first one, or None. Iterative: trees of headers may be deep."""
    state = {}
    for start in graph:
        if start in state:
            continue
        path, stack = [start], [iter(graph.get(start, ()))]
        state[start] = "open"
        while stack:
            step = next(stack[-1], None)
            if step is None:
                state[path.pop()] = "done"
                stack.pop()
            elif state.get(step) == "open":
                return path[path.index(step):] + [step]
            elif step not in state:
                state[step] = "open"
                path.append(step)
                stack.append(iter(graph.get(step, ())))
    return None


class Checker:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.files = {}
        self.present = sorted(p.name for p in (root / "src").iterdir() if p.is_dir())

    def fault(self, path, line, text):
        self.faults.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def sources(self, top):
        folder = self.root / top
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())

    def check_table(self):
        for name in self.present:
            if name not in TABLE:
                self.faults.append(f"src/{name}: this folder is not in the table of tools/check_layers.py; add it there "
                                   "with what it may use")
        for name, uses in TABLE.items():
            for used in uses:
                if used not in TABLE:
                    self.faults.append(f"tools/check_layers.py: {name} uses {used}, which the table does not have")
        cycle = find_cycle(TABLE)
        if cycle:
            self.faults.append("tools/check_layers.py: the table goes in a circle: " + " -> ".join(cycle))

    def check_include(self, path, line, owner, target, quoted):
        """owner: a folder of src/, or the name of a top folder (apps, include, ...)."""
        if ".." in Path(target).parts:
            self.fault(path, line, f'#include "{target}" climbs out of its folder; name it from src/')
            return
        beside = path.parent / target
        if quoted and beside.is_file():
            self.files.setdefault(path, []).append(beside)
            return
        first = target.split("/")[0]
        if first == "galen":
            header = self.root / PUBLIC / target
            if not header.is_file():
                self.fault(path, line, f'"{target}" is not in {PUBLIC}/')
            elif owner in TABLE and owner not in PUBLIC_USERS:
                self.fault(path, line, f'src/{owner} lies below the public API and may not include "{target}"')
            self.files.setdefault(path, []).append(header)
            return
        if (self.root / "src" / target).is_file():
            self.files.setdefault(path, []).append(self.root / "src" / target)
        elif not quoted:
            return  # a system header
        elif first not in self.present:
            if owner in TABLE and "/" in target:
                self.fault(path, line, f'"{target}" is neither beside the file nor in src/')
            return
        if owner == PUBLIC or owner in PUBLIC_PROGRAMS:
            self.fault(path, line, f'{owner}/ may include only galen/ and standard headers, not "{target}"')
        elif owner in TABLE and first not in closure(owner):
            allowed = ", ".join(sorted(closure(owner) - {owner})) or "nothing"
            self.fault(path, line, f'src/{owner} may not use src/{first} ("{target}"); it may use: {allowed}')
        elif not quoted:
            self.fault(path, line, f'<{target}> is our own header; write "{target}"')

    def check_includes(self):
        for top in ("src", PUBLIC) + PROGRAMS + PUBLIC_PROGRAMS:
            for path in self.sources(top):
                parts = path.relative_to(self.root).parts
                owner = parts[1] if top == "src" and len(parts) > 2 else top
                for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                    match = INCLUDE.match(text)
                    if match:
                        self.check_include(path, number, owner, match[2], match[1] == '"')
        cycle = find_cycle({k: v for k, v in self.files.items()})
        if cycle:
            names = [str(p.relative_to(self.root)) for p in cycle]
            self.faults.append(f"{names[0]}:1: headers include each other: " + " -> ".join(names))

    def check_cmake(self):
        declared = {}
        for path in sorted((self.root / "src").rglob("CMakeLists.txt")):
            text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
            for call in FOLDER_CALL.finditer(text):
                line = text[: call.start()].count("\n") + 1
                words = call[1].split()
                name, uses, mode = words[0], [], None
                for word in words[1:]:
                    if word in CMAKE_WORDS:
                        mode = word
                    elif mode == "USES":
                        uses.append(word)
                declared[name] = path
                if name not in TABLE:
                    self.fault(path, line, f"galen_folder({name}): not in the table of tools/check_layers.py")
                    continue
                if path.parent != self.root / "src" / name:
                    self.fault(path, line, f"galen_folder({name}) belongs into src/{name}/CMakeLists.txt")
                expected = {used for used in TABLE[name] if used in self.present}
                if set(uses) != expected:
                    self.fault(path, line, f"galen_folder({name}) USES {' '.join(sorted(uses)) or 'nothing'}; the table "
                                           f"says {' '.join(sorted(expected)) or 'nothing'}")
            for call in LINK_CALL.finditer(text):
                line = text[: call.start()].count("\n") + 1
                words = call[1].split()
                owner = path.relative_to(self.root / "src").parts[0]
                for word in words[1:]:
                    used = word.removeprefix("galen_")
                    if used != word and used in TABLE and used not in closure(owner):
                        self.fault(path, line, f"src/{owner} links {word}, which the table does not allow")
        for name in self.present:
            if name in TABLE and name not in declared:
                self.faults.append(f"src/{name}/CMakeLists.txt:1: no galen_folder({name} ...)")

    def run(self):
        self.check_table()
        if not self.faults:
            self.check_includes()
            self.check_cmake()
        return self.faults


def main():
    if sys.argv[1:] == ["--table"]:
        for name, uses in TABLE.items():
            print(f"| `{name}/` | {', '.join(uses) or 'nothing'} |")
        return 0
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    if not (root / "src").is_dir():
        print(f"check_layers.py: {root} has no src/ folder", file=sys.stderr)
        return 2
    faults = Checker(root).run()
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"check_layers.py: {len(faults)} fault(s)", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
