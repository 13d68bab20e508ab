"""Texts for the tokenizers of image-text models. Written for galen; the same on every machine."""

import random

PLAIN = [
    "a chest X-ray with pleural effusion", "a chest X-ray with no acute findings", "normal lungs", "cardiomegaly",
    "a photo of a cat", "skin lesion with irregular border", "erythema and edema around the wound", "a CT slice of the abdomen",
    "an MRI of the brain, axial T2", "histopathology of invasive ductal carcinoma", "fundus image with diabetic retinopathy",
    "left lower lobe opacity", "fracture of the distal radius", "pneumothorax on the right side", "healing well, no infection",
    "the patient is a 45-year-old woman", "basal cell carcinoma", "psoriasis plaques on the elbow", "tinea corporis",
    "a photograph of a hand with eczema", "low infection risk", "high urgency: refer to the clinic today",
]

ODD = [
    "", " ", "   ", "\t", "\n\n", "...", "!?", "\"quoted\"", "(brackets) [square] {curly}", "a/b", "<b>bold</b>", "x < y > z",
    "under_score", "a\u00a0b", "a\u3000b", "tab\tand\nnewline", "trailing space ", " leading space", "  many   spaces  here ",
    "UPPER CASE", "MiXeD CaSe", "\u00c9T\u00c9 \u00e9t\u00e9", "e\u0301te\u0301", "STRASSE stra\u00dfe", "\u0130stanbul \u0131", "\u03a3\u03a3\u03a3 \u03a3\u0391\u03a3",
    "\u039f\u0394\u039f\u03a3", "\u00b5g/dL", "\u2264 5 mm", "37.5\u00b0C", "\u00bd tablet", "\ufb01ne \ufb02ow", "\uff21\uff22\uff23\uff11\uff12", "\u2163 degree",
    "caf\u00e9\u2014r\u00f6ntgen", "\u201ccurly\u201d \u2018quotes\u2019", "it's, we've, I'll, they'd", "don't", "isn't it", "CAN'T",
    "\u4e2d\u6587\u75c5\u7406", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "\u0420\u0435\u043d\u0442\u0433\u0435\u043d \u0433\u0440\u0443\u0434\u043d\u043e\u0439", "\u0635\u0648\u0631\u0629 \u0627\u0644\u0635\u062f\u0631",
    "\u0e44\u0e17\u0e22", "\ud55c\uad6d\uc5b4", "emoji \U0001f600\U0001f468\u200d\u2695\ufe0f", "zero\u200bwidth", "soft\u00adhyphen", "\u2581low line", "a\u2581b",
    "\u2581", "\u2581\u2581 x", "null\x00byte", "bell\x07", "\x1c separators \x1f", "\x85next", "line\u2028sep", "\ufeffbom", "1,234.56",
    "T2-weighted", "C3-C4", "90%", "$5", "#1", "a&b", "x=y+z*w", "~tilde^", "back\\slash", "`code`", "|pipe|", "@home", ";:,.",
    "a" * 300, "word " * 100, "\u00e9" * 100, "0123456789 " * 12, "chest-x-ray-" * 20,
    "</s>", "<pad> x", "<|endoftext|>", "\ud7ff\ue000", "\U0010ffff",
]


def lines(count=200):
    """The lists above and `count` mixtures of their parts."""
    rng = random.Random(41)
    words = " ".join(PLAIN).split() + [w for o in ODD if len(o) < 30 for w in o.split(" ")]
    mixed = []
    for _ in range(count):
        joiner = rng.choice([" ", " ", " ", "  ", ", ", "-", "/", "\n", ""])
        mixed.append(joiner.join(rng.choice(words) for _ in range(rng.randint(1, 14))))
    return PLAIN + [p.upper() for p in PLAIN[:6]] + ODD + mixed
