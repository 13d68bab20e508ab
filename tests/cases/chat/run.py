#!/usr/bin/env python3
"""The conversation of `galen run` at a terminal: commands, history, several lines, images, and Ctrl-C that stops the answer only.

The checkpoint is a tiny one. One copy has a template that refuses and says what it was given; the other goes on for ever,
since its end of text is banned. GALEN_BIN names the program.
"""

import os
import pty
import re
import select
import shutil
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bad_input"))
from gguf_edit import Gguf  # noqa: E402

GALEN = os.environ.get("GALEN_BIN", "galen")
TINY = HERE.parents[1] / "parity/models/tiny/llama/f32.gguf"
VISION = HERE.parents[1] / "parity/models/tiny/gemma3-vision"
RADIOGRAPH = HERE.parents[1] / "data/dicom/encapsulated_cxr.dcm"
PATIENT = b"5a0d6cf685034943af4e72b644ef74beb61a6cbb"  # its patient's identifier
IMAGE = HERE.parents[1] / "data/images/jpeg_L_75_17.jpg"
TELLS = "{{ raise_exception('roles ' ~ messages|map(attribute='role')|join(',') ~ ' text [' ~ messages[-1].content ~ ']') }}"
PATIENCE = 120  # seconds; sanitized programs on a busy machine are slow


class Terminal:
    """The program behind a pseudo-terminal."""

    def __init__(self, *args):
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "dumb"
            try:
                os.execvp(GALEN, [GALEN, *args])
            finally:
                os._exit(127)
        self.text = ""

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is gone
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        return bool(data)

    def expect(self, pattern):
        """Reads until the pattern is there; drops everything up to its end."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text)):
            if time.monotonic() > end or not self.read(end - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.text[-2000:]!r}")
        self.text = self.text[found.end():]
        return found

    def interrupt(self):
        """Ctrl-C, then the prompt. The terminal drops what it has not passed on yet at a Ctrl-C, the prompt as well:
        an empty line brings it again."""
        self.send("\x03")
        end = time.monotonic() + PATIENCE
        while not self.shows(">>> ", 2):
            if time.monotonic() > end:
                raise AssertionError(f"no prompt after Ctrl-C in {self.text[-2000:]!r}")
            self.send("\n")

    def shows(self, pattern, seconds):
        """Whether the pattern comes in that time; drops everything up to its end."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            if time.monotonic() > end or not self.read(max(0, end - time.monotonic())):
                return False
        self.text = self.text[found.end():]
        return True

    def send(self, text):
        os.write(self.master, text.encode())

    def wait(self, key=""):
        """Exit code, or minus the signal. `key` is pressed again every two seconds: one that comes between the prompt and the
        line editor's settings of the terminal is lost."""
        end = time.monotonic() + PATIENCE
        again = time.monotonic() + 2
        while time.monotonic() < end:
            self.read(0.05)
            if key and time.monotonic() > again:
                self.send(key)
                again += 2
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                os.close(self.master)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        raise AssertionError(f"the program does not end: {self.text[-2000:]!r}")


class Chat(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def model(self, template):
        file = Gguf(TINY.read_bytes())
        file.fields["tokenizer.chat_template"] = 8, template
        file.fields["llama.context_length"] = 4, 1 << 20
        path = Path(self.folder.name, "chat.gguf")
        path.write_bytes(file.bytes())
        return str(path)

    def test_what_the_model_is_given(self):
        chat = Terminal("run", self.model(TELLS), "--system", "be brief")
        chat.expect(">>> ")
        chat.send("hello\n")
        chat.expect(r"roles system,user text \[hello\]")
        chat.expect(">>> ")
        chat.send('"""first\n')
        chat.expect(r"\.\.\. ")
        chat.send('second"""\n')
        chat.expect(r"roles system,user text \[first\s+second\]")
        chat.expect(">>> ")
        chat.send("one\\\n")
        chat.expect(r"\.\.\. ")
        chat.send("two\n")
        chat.expect(r"text \[one\s+two\]")
        chat.expect(">>> ")
        chat.send("/system\n")
        chat.expect(">>> ")
        chat.send("alone\n")
        chat.expect(r"roles user text \[alone\]")
        chat.expect(">>> ")
        chat.send("\x10\n")  # Ctrl-P: the line before
        chat.expect(r"roles user text \[alone\]")
        chat.expect(">>> ")
        chat.send("/help\n")
        chat.expect("/clear")
        chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_images(self):
        folder = Path(self.folder.name, "vision")
        shutil.copytree(VISION, folder)
        (folder / "chat_template.jinja").write_text(
            "{% set content = messages[-1].content %}"
            "{{ raise_exception('given ' ~ (content if content is string else content|map(attribute='type')|join(','))) }}")
        chat = Terminal("run", str(folder))
        chat.expect(">>> ")
        chat.send("hello\n")
        chat.expect("given hello")
        chat.expect(">>> ")
        chat.send("/image /nowhere.png\n")
        chat.expect("galen: there is no file /nowhere.png")
        chat.expect(">>> ")
        chat.send(f"/image {IMAGE}\n")
        chat.expect(">>> ")
        for _ in range(2):  # what was not answered is asked again
            chat.send("what?\n")
            chat.expect("given image,text")
            chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_answers_about_images(self):
        chat = Terminal("run", str(VISION), "--image", str(IMAGE), "--max-tokens", "3")
        for _ in range(2):
            chat.expect(">>> ")
            chat.send("bin\n")
            self.assertFalse(chat.shows("galen: ", 1))
        chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_one_patient_in_a_conversation(self):
        first = RADIOGRAPH.read_bytes()
        self.assertEqual(first.count(PATIENT), 1)
        other = Path(self.folder.name, "other.dcm")
        other.write_bytes(first.replace(PATIENT, PATIENT[::-1]))
        chat = Terminal("run", str(VISION), "--dicom", str(RADIOGRAPH), "--max-tokens", "2")
        chat.expect(">>> ")
        chat.send("bin\n")
        chat.expect(">>> ")
        chat.send(f"/image {other}\n")
        chat.expect("in this conversation.*another patient")
        chat.expect(">>> ")
        for path in (RADIOGRAPH, other):  # what was attached and not asked about goes, too
            chat.send("/clear\n")
            chat.expect(">>> ")
            chat.send(f"/image {path}\n")
            self.assertFalse(chat.shows("patient", 1))
            chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_unknown_commands_are_no_questions(self):
        chat = Terminal("run", self.model(TELLS))
        chat.expect(">>> ")
        chat.send("/image\n")
        chat.expect("/clear")
        chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_a_text_model_takes_no_images(self):
        chat = Terminal("run", self.model(TELLS))
        chat.expect(">>> ")
        chat.send(f"/image {IMAGE}\n")
        chat.expect("takes no images")
        chat.expect(">>> ")
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        chat = Terminal("run", self.model("{{ messages[-1].content }}"), "--context", "500000", "--temperature", "0", "--logit-bias", "2=-inf")
        chat.expect(">>> ")
        for question in ("hello", "abc"):
            chat.send(question + "\n")
            chat.expect(question + r"[\r\n]+")
            chat.expect(r"\w[^>]{30}")  # of the answer: more than a second echo of a question that came before the prompt
            chat.interrupt()
        chat.send("/exit\n")
        self.assertEqual(chat.wait(), 0)

    def test_ctrl_d_ends(self):
        chat = Terminal("run", self.model(TELLS))
        chat.expect(">>> ")
        chat.send("\x04")
        self.assertEqual(chat.wait("\x04"), 0)

    def test_ctrl_d_before_the_prompt_ends(self):
        chat = Terminal("run", self.model(TELLS))
        chat.send("\x04")
        self.assertEqual(chat.wait(), 0)


if __name__ == "__main__":
    unittest.main()
