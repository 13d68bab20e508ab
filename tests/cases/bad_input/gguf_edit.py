"""Takes a GGUF file apart, so that a case can change one thing, and writes it again. Standard library only."""

import struct

SCALARS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9


class Gguf:
    """`fields`: name -> (type, value), arrays as (ARRAY, (item type, list)); `tensors`: name -> [dims, type, offset]."""

    def __init__(self, data):
        self.data, self.at = data, 4
        self.version = self.take("<I")
        tensors, fields = self.take("<Q"), self.take("<Q")
        self.fields = {}
        for _ in range(fields):
            name = self.text()
            kind = self.take("<I")
            self.fields[name] = (kind, self.value(kind))
        self.tensors = {}
        for _ in range(tensors):
            name = self.text()
            dims = [self.take("<Q") for _ in range(self.take("<I"))]
            self.tensors[name] = [dims, self.take("<I"), self.take("<Q")]
        self.alignment = self.fields.get("general.alignment", (4, 32))[1]
        self.payload = data[-(-self.at // self.alignment) * self.alignment:]

    def take(self, form):
        value, = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.take("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            item = self.take("<I")
            return item, [self.value(item) for _ in range(self.take("<Q"))]
        return self.take(SCALARS[kind])

    def bytes(self):
        out = bytearray(b"GGUF" + struct.pack("<IQQ", self.version, len(self.tensors), len(self.fields)))
        for name, (kind, value) in self.fields.items():
            out += packed_text(name) + struct.pack("<I", kind) + packed(kind, value)
        for name, (dims, kind, offset) in self.tensors.items():
            out += packed_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
        out += bytes(-len(out) % self.alignment)
        return bytes(out) + self.payload


def packed_text(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def packed(kind, value):
    if kind == STRING:
        return packed_text(value)
    if kind == ARRAY:
        item, values = value
        return struct.pack("<IQ", item, len(values)) + b"".join(packed(item, v) for v in values)
    return struct.pack(SCALARS[kind], value)
