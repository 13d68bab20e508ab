#!/usr/bin/env python3
"""Writes the PDF files of this folder and examples/documents/: plain bytes, no library. Everything in them is invented.

    make_pdfs.py [--out DIR] [--examples DIR]

lab_report.pdf      one page of US letter with a text layer: examples/documents/lab_report.pdf
pages.pdf           four pages: plain, turned by 90 degrees, with a crop box, of a tiny size (words "page1" ... "page4")
locked.pdf          needs the password "secret" (standard security handler, RC4 40 bit)
view_only.pdf       opens without a password, but forbids copying its text
broken.pdf          cut in the middle of an object
page_loop.pdf       a page tree that contains itself
form_loop.pdf       a form that draws itself and a second one, which draws the first
huge_page.pdf       a page of 10^6 points square
slow.pdf            ten forms in each of ten forms in ..., twelve levels deep
escapes.pdf         words with & < > " and accents, and a word of one character
"""

import argparse
import hashlib
from pathlib import Path

LATIN = "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
BOLD = "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"
FONTS = f"/Resources << /Font << {LATIN} {BOLD} >> >>"


def literal(text):
    """A PDF string of WinAnsi text."""
    body = text.encode("cp1252").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
    return b"(" + body + b")"


def stream(data, extra=""):
    return f"<< /Length {len(data)} {extra}>>\nstream\n".encode() + data + b"\nendstream"


def write_pdf(objects, trailer=""):
    """objects: bytes or text of object 1, 2, ...; 1 is the catalogue."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + (body.encode() if isinstance(body, str) else body) + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        out += f"{offset:010d} 00000 n \n".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def text_at(x, y, text, size=11, font="F1"):
    return f"BT /{font} {size} Tf {x} {y} Td ".encode() + literal(text) + b" Tj ET\n"


def document(pages, trailer="", extra=()):
    """pages: (content bytes, text of the page's entries)."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    for i, (content, entries) in enumerate(pages):
        objects.append(f"<< /Type /Page /Parent 2 0 R {entries} /Contents {4 + 2 * i} 0 R >>")
        objects.append(stream(content))
    return write_pdf(objects + list(extra), trailer)


LETTER = f"/MediaBox [0 0 612 792] {FONTS}"
RESULTS = [  # test, result, unit, range, flag
    ("Haemoglobin", "10.9", "g/dL", "12.0 - 15.5", "L"),
    ("White cell count", "7.2", "10^9/L", "4.0 - 11.0", ""),
    ("Platelets", "342", "10^9/L", "150 - 400", ""),
    ("MCV", "74", "fL", "80 - 100", "L"),
    ("Ferritin", "6", "µg/L", "15 - 150", "L"),
    ("CRP", "2.1", "mg/L", "< 5.0", ""),
    ("Sodium", "139", "mmol/L", "135 - 145", ""),
    ("Potassium", "4.3", "mmol/L", "3.5 - 5.1", ""),
    ("Creatinine", "68", "µmol/L", "45 - 84", ""),
    ("TSH", "2.40", "mIU/L", "0.40 - 4.00", ""),
]


def lab_report():
    out = text_at(72, 730, "Example Laboratory", 18, "F2") + text_at(72, 712, "Invented report - no real patient", 9)
    out += text_at(72, 680, "Report: SAMPLE-0001") + text_at(330, 680, "Collected: 2024-03-05 08:10")
    out += text_at(72, 664, "Specimen: venous blood") + text_at(330, 664, "Reported: 2024-03-05 14:32")
    columns = (72, 220, 290, 370, 490)
    for x, title in zip(columns, ("Test", "Result", "Unit", "Reference range", "Flag")):
        out += text_at(x, 628, title, 11, "F2")
    out += b"0.8 w 72 622 m 540 622 l S\n"
    for row, values in enumerate(RESULTS):
        for x, value in zip(columns, values):
            if value:
                out += text_at(x, 604 - 20 * row, value, 11, "F2" if values[4] and x in columns[1:2] else "F1")
    out += b"0.3 w 72 412 m 540 412 l S\n"
    out += text_at(72, 388, "Comment", 11, "F2")
    out += text_at(72, 370, "Microcytic anaemia with low ferritin, consistent with iron deficiency.")
    return document([(out, LETTER)])


def pages():
    def page(name, entries, x=72, y=700, size=24):
        return text_at(x, y, name, size), f"{entries} {FONTS}"
    return document([page("page1 left top", "/MediaBox [0 0 612 792]"),
                     page("page2 turned", "/MediaBox [0 0 612 792] /Rotate 90"),
                     page("page3 cropped", "/MediaBox [0 0 612 792] /CropBox [50 600 350 750]"),
                     page("page4", "/MediaBox [0 0 100 50]", 10, 20, 12)])


PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def rc4(key, data):
    s, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) & 255
        s[i], s[j] = s[j], s[i]
    i = j = 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + s[i]) & 255
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) & 255])
    return bytes(out)


def encrypted(user, owner, permissions):
    """Standard security handler, revision 2 (PDF 1.7, 7.6.3)."""
    identity = b"0123456789abcdef"
    pad = lambda text: (text.encode() + PADDING)[:32]
    o = rc4(hashlib.md5(pad(owner)).digest()[:5], pad(user))
    key = hashlib.md5(pad(user) + o + (permissions & 0xFFFFFFFF).to_bytes(4, "little") + identity).digest()[:5]
    u = rc4(key, PADDING)
    content_key = hashlib.md5(key + (4).to_bytes(3, "little") + b"\0\0").digest()[:10]  # object 4, generation 0
    content = rc4(content_key, text_at(72, 700, "locked words", 24))
    encrypt = f"<< /Filter /Standard /V 1 /R 2 /O <{o.hex()}> /U <{u.hex()}> /P {permissions} >>"
    trailer = f"/Encrypt 5 0 R /ID [<{identity.hex()}> <{identity.hex()}>] "
    return document([(content, LETTER)], trailer, [encrypt])


def page_loop():
    return write_pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2000000000 >>",
                      "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1000000000 >>"])


def form_loop():
    form = "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /A 5 0 R /B 6 0 R >> >> "
    body = b"/A Do /B Do /A Do /B Do\n"
    return document([(b"/A Do\n", "/MediaBox [0 0 612 792] /Resources << /XObject << /A 5 0 R /B 6 0 R >> >>")],
                    extra=[stream(body, form), stream(body, form)])


def slow():
    """A tree of forms, each drawing the next one ten times: 10^12 of them in the end, in two kilobytes."""
    levels = 12
    extra = []
    for i in range(levels):
        body = b"/N Do " * 10 if i + 1 < levels else b"0 0 600 600 re f\n"
        resources = f"/Resources << /XObject << /N {6 + i} 0 R >> >> " if i + 1 < levels else ""
        extra.append(stream(body, f"/Type /XObject /Subtype /Form /BBox [0 0 612 792] {resources}"))
    return document([(b"/N Do\n", "/MediaBox [0 0 612 792] /Resources << /XObject << /N 5 0 R >> >>")], extra=extra)


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=here)
    parser.add_argument("--examples", type=Path, default=here.parents[2] / "examples" / "documents")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.examples.mkdir(parents=True, exist_ok=True)
    (args.examples / "lab_report.pdf").write_bytes(lab_report())
    several = pages()
    files = {
        "pages.pdf": several,
        "locked.pdf": encrypted("secret", "owner", -44),
        "view_only.pdf": encrypted("", "owner", -64 & ~0x10),
        "broken.pdf": several[: len(several) // 3],
        "page_loop.pdf": page_loop(),
        "form_loop.pdf": form_loop(),
        "slow.pdf": slow(),
        "huge_page.pdf": document([(text_at(72, 700, "huge", 24), f"/MediaBox [0 0 1000000 1000000] {FONTS}")]),
        "escapes.pdf": document([(text_at(72, 700, 'a&b <c> "d" Ärzte é x', 24), LETTER)]),
    }
    for name, data in files.items():
        (args.out / name).write_bytes(data)


if __name__ == "__main__":
    main()
