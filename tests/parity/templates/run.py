#!/usr/bin/env python3
"""Renders random templates here and with transformers, and prints where they differ.

    run.py [--renderer PATH] [--seed N] [--count N] [--templates DIR]

PATH is the program render_lines (default: that of the build in $GALEN_BUILD). With --templates, every *.jinja file of DIR is
rendered with every conversation instead. Texts must be equal byte for byte; where the reference raises, an error is expected,
and the message of raise_exception within it. Exit code 1 if anything differs, 77 when the program is not built.
"""
import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys

import conversations
import random_templates
import reference

# Addresses, in what Python prints for objects without a form of their own; filters may have changed the text.
ADDRESS = re.compile("at0x|x0ta")
# Decisions, not mistakes: integers beyond 64 bits and what docs/formats/chat-templates.md lists as left out.
ACCEPTED = re.compile(r"does not fit into 64 bits|64-bit integer|not supported|more than \d+ MiB")


def cases(arguments):
    if arguments.templates:
        for path in sorted(pathlib.Path(arguments.templates).glob("*.jinja")):
            template = path.read_bytes().decode()
            for name, messages, rest in conversations.CONVERSATIONS:
                yield f"{path.name} {name}", template, {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", **rest}
        return
    for number in range(arguments.count):
        generator = random_templates.Generator(random.Random(arguments.seed * 1_000_003 + number), constants=number % 4 == 3)
        yield str(number), generator.template(), {"messages": [{"role": "user", "content": "hi"}], **random_templates.INPUT}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--renderer", default=os.path.join(os.environ.get("GALEN_BUILD", ""), "tests/parity/templates/render_lines"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--templates")
    parser.add_argument("--show", type=int, default=20)
    arguments = parser.parse_args()
    if not os.path.exists(arguments.renderer):
        print(f"skipped: {arguments.renderer} is not built")
        return 77
    renderer = subprocess.Popen([arguments.renderer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    same = errors = accepted = different = 0
    for name, template, given in cases(arguments):
        expected = reference.render(template, given)
        renderer.stdin.write(json.dumps({"template": template, "input": {**given, "now": reference.NOW}}) + "\n")
        renderer.stdin.flush()
        actual = json.loads(renderer.stdout.readline())
        if "text" in expected and ADDRESS.search(re.sub("[^a-z0-9]", "", expected["text"].lower())):
            accepted += 1
        elif "error" in expected and "error" in actual:
            raised = re.match(r"TemplateError: (.*)", expected["error"], re.S)
            if raised and raised.group(1) not in actual["error"]:
                different += 1
                print(f"--- {name}\n{template!r}\nexpected {expected}\nactual   {actual}")
            errors += 1
        elif "error" in actual and ACCEPTED.search(actual["error"]):
            accepted += 1
        elif expected == actual:
            same += 1
        else:
            different += 1
            if different <= arguments.show:
                print(f"--- {name}\n{template if len(template) < 1500 else ''!r}\nexpected {expected}\nactual   {actual}")
    print(f"{same} equal texts, {errors} errors on both sides, {accepted} accepted, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
