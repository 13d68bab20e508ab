"""Programs that are measured: what they print, what they take, and why they did not run."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LIMIT_SECONDS = 900


class Unavailable(Exception):
    """A tool that cannot run here, with the reason that the table prints."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, env=None, limit_s=LIMIT_SECONDS):
    """(stdout, peak resident bytes) of a command; Unavailable with its last words when it fails or takes longer than limit_s."""
    command = [str(c) for c in command]
    name = Path(command[0]).name
    if len(command) > 1 and command[1].endswith(".py"):
        name = Path(command[1]).name
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            # A session of its own: a script's servers and children end with it.
            child = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(env or {})}, start_new_session=True)
        except OSError as error:
            raise Unavailable(f"{command[0]}: {error.strerror}") from error
        late = threading.Event()

        def end():
            late.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, end)
        timer.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            raise
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if late.is_set():
        raise Unavailable(f"{name}: no result within {limit_s} s")
    if child.returncode != 0:
        words = (texts[1].strip() or texts[0].strip()).splitlines()[-1:] or ["no message"]
        raise Unavailable(f"{name}: exit code {child.returncode}: {words[0][:200]}")
    return texts[0], 1024 * used.ru_maxrss


def child(command, env=None, limit_s=LIMIT_SECONDS):
    """stdout of a command."""
    return run(command, env, limit_s)[0]


def child_json(command, env=None, limit_s=LIMIT_SECONDS):
    """The object on the last line that a command prints."""
    lines = child(command, env, limit_s).strip().splitlines()
    if not lines:
        raise Unavailable(f"{Path(str(command[0])).name}: printed nothing")
    return json.loads(lines[-1])


def seconds_of(command, env=None):
    """Seconds from the start of a program to its end."""
    begin = time.perf_counter()
    child(command, env)
    return time.perf_counter() - begin
