"""Talks to dicom_driver: one request, one reply."""

import json
import struct
import subprocess


class Driver:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, command, path, number=0):
        self.process.stdin.write(f"{command}\t{path}\t{number}\n".encode())
        self.process.stdin.flush()
        head = self.read(4, command, path)
        reply = json.loads(self.read(struct.unpack("<I", head)[0], command, path))
        return reply, self.read(struct.unpack("<Q", self.read(8, command, path))[0], command, path)

    def read(self, size, command, path):
        data = self.process.stdout.read(size)
        if len(data) != size:
            raise SystemExit(f"the driver died at {command} {path}: exit code {self.process.wait()}")
        return data
