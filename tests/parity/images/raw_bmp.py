"""A BMP writer for the kinds that Pillow does not write: 16 bits, bit fields, run lengths, top-down, OS/2 headers."""

import struct



def write(path, width, height, bits, pixels, palette=b"", compression=0, masks=(), top_down=False, os2=False, colors=0):
    if os2:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression,
                             len(pixels), 0, 0, colors, 0)
    header += b"".join(struct.pack("<I", mask) for mask in masks)
    offset = 14 + len(header) + len(palette)
    with open(path, "wb") as out:
        out.write(b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + palette + pixels)


def lines(rows):
    """Rows of bytes, each filled to four bytes, the last first."""
    return b"".join(bytes(row) + b"\0" * (-len(row) % 4) for row in reversed(rows))


def rle8(indices):
    """Runs where a value repeats, literals elsewhere, a jump over a row of zeros."""
    out = bytearray()
    for row in indices[::-1]:
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and run < 255 and row[x + run] == row[x]:
                run += 1
            if run > 1 or len(row) - x < 3:
                out += bytes([run, row[x]])
                x += run
                continue
            end = x + 1
            while end < len(row) and end - x < 255 and (end + 1 >= len(row) or row[end] != row[end + 1]):
                end += 1
            if end - x < 3:
                out += bytes(v for value in row[x:end] for v in (1, value))
            else:
                out += bytes([0, end - x]) + bytes(int(v) for v in row[x:end]) + b"\0" * ((end - x) % 2)
            x = end
        out += b"\0\0"
    return bytes(out + b"\0\1")


def rle4(indices):
    out = bytearray()
    for row in indices[::-1]:
        for x in range(0, len(row), 2):
            pair = [int(v) for v in row[x:x + 2]] + [0]
            out += bytes([min(2, len(row) - x), pair[0] << 4 | pair[1]])
        out += b"\0\0"
    return bytes(out + b"\0\1")
