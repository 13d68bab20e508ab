"""A DICOM sender made of bytes (PS3.8 9.3, PS3.7 6.3), so that a check can stop in the middle, lie, or be slow; and data sets."""

import socket
import struct

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, VIDEO = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.102"


def item(kind, data):
    return struct.pack(">BBH", kind, 0, len(data)) + data


def request(calling="SENDER", called="GALEN", contexts=((CT, (EXPLICIT,)),), application="1.2.840.10008.3.1.1.1"):
    """An A-ASSOCIATE-RQ; contexts get the identifiers 1, 3, 5, ..."""
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32) + item(0x10, application.encode())
    for i, (abstract, syntaxes) in enumerate(contexts):
        body += item(0x20, bytes((2 * i + 1, 0, 0, 0)) + item(0x30, abstract.encode()) + b"".join(item(0x40, s.encode()) for s in syntaxes))
    body += item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


def implicit(tag, data):
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(data)) + data


def uid(text):
    return text.encode() + b"\0" * (len(text) % 2)


def store_command(sop_class, instance, message=1):
    rest = (implicit(0x00000002, uid(sop_class)) + implicit(0x00000100, struct.pack("<H", 1)) + implicit(0x00000110, struct.pack("<H", message)) +
            implicit(0x00000700, struct.pack("<H", 0)) + implicit(0x00000800, struct.pack("<H", 1)) + implicit(0x00001000, uid(instance)))
    return implicit(0x00000000, struct.pack("<I", len(rest))) + rest


def pdv(data, command, last, context=1):
    return struct.pack(">IBB", len(data) + 2, context, int(command) | int(last) << 1) + data


def p_data(*pdvs):
    body = b"".join(pdvs)
    return struct.pack(">BBI", 4, 0, len(body)) + body


class Sender:
    """An association with 127.0.0.1:port. accepted: the results of the contexts; rejected: (result, source, reason) or None."""

    def __init__(self, port, timeout=30, **more):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.sendall(request(**more))
        kind, body = self.read()
        self.rejected = tuple(body[1:4]) if kind == 3 else None
        self.accepted = []
        at = 68
        while kind == 2 and at < len(body):
            name, _, size = struct.unpack(">BBH", body[at:at + 4])
            if name == 0x21:
                self.accepted.append(body[at + 4 + 2])
            at += 4 + size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data

    def read(self):
        kind, _, size = struct.unpack(">BBI", self.exactly(6))
        return kind, self.exactly(size)

    def begin(self, instance, sop_class=CT):
        self.socket.sendall(p_data(pdv(store_command(sop_class, instance), True, True)))

    def data(self, data, last=True):
        size = 16000
        pieces = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
        for i, piece in enumerate(pieces):
            self.socket.sendall(p_data(pdv(piece, False, last and i == len(pieces) - 1)))

    def status(self):
        kind, body = self.read()
        assert kind == 4, f"PDU of type {kind}, not an answer"
        at = body.index(struct.pack("<HHI", 0, 0x0900, 2))
        return struct.unpack("<H", body[at + 8:at + 10])[0]

    def store(self, instance, data, sop_class=CT):
        self.begin(instance, sop_class)
        self.data(data)
        return self.status()

    def release(self):
        self.socket.sendall(struct.pack(">BBI", 5, 0, 4) + bytes(4))
        assert self.read()[0] == 6


def element(tag, vr, data):
    data += b" " * (len(data) % 2) if vr != "UI" else b"\0" * (len(data) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, len(data)) if vr in ("OB", "OW") else struct.pack("<H", len(data))) + data


def ct_slice(study, instance, pixels=b"\1" * 512, patient="Mustermann-Xq7^Anna", number=1):
    """A data set in explicit little endian: 16 x 16 of 16 bits where pixels has 512 bytes."""
    us = lambda tag, value: element(tag, "US", struct.pack("<H", value))  # noqa: E731
    return (element(0x00080016, "UI", CT.encode()) + element(0x00080018, "UI", instance.encode()) + element(0x00080020, "DA", b"20240501") +
            element(0x00080050, "SH", b"ACC-77") + element(0x00080060, "CS", b"CT") + element(0x00100010, "PN", patient.encode()) +
            element(0x00100020, "LO", b"PID-1964-Xq7") + element(0x00100030, "DA", b"19640812") + element(0x00100040, "CS", b"F") +
            element(0x0020000D, "UI", study.encode()) + element(0x0020000E, "UI", (study + ".7").encode()) +
            element(0x00200011, "IS", b"1") + element(0x00200013, "IS", str(number).encode()) +
            element(0x00200032, "DS", f"0\\0\\{number}".encode()) + element(0x00200037, "DS", b"1\\0\\0\\0\\1\\0") +
            us(0x00280002, 1) + element(0x00280004, "CS", b"MONOCHROME2") + us(0x00280010, 16) + us(0x00280011, 16) +
            element(0x00280030, "DS", b"1\\1") + us(0x00280100, 16) + us(0x00280101, 16) + us(0x00280102, 15) + us(0x00280103, 0) +
            element(0x7FE00010, "OW", pixels))


def as_file(data, instance, sop_class=CT, syntax=EXPLICIT):
    meta = (element(0x00020002, "UI", sop_class.encode()) + element(0x00020003, "UI", instance.encode()) +
            element(0x00020010, "UI", syntax.encode()))
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + data
