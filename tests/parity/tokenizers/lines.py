"""Text lines that tokenizers disagree on: every code point, broken UTF-8, joined emoji, marks, runs, code, medicine."""

import random

SENTENCES = """
Patient is a 67-year-old male with a 3.5 cm mass in the right upper lobe (SUVmax 12.4), no mediastinal lymphadenopathy.
Rx: metoprolol 25 mg PO b.i.d.; HbA1c 7.2% (55 mmol/mol), eGFR 48 mL/min/1.73m², K+ 5.1 mEq/L, BP 142/88 mmHg.
IMPRESSION: 1. No acute cardiopulmonary process. 2. Stable 4-mm nodule, LLL. Follow-up CT in 12 months per Fleischner.
She doesn't smoke; he'll stop aspirin 81mg qd — they've seen "ground-glass" opacities since '09. I'm fine, we'd say.
Der Patient klagt über Übelkeit, Müdigkeit und Herzrasen; die Leberwerte (GOT 87 U/l) sind mäßig erhöht. Größe: 1,82 m.
Anamnèse : œdème des membres inférieurs, dyspnée d’effort stade III, fièvre à 39,2 °C depuis l’avant-veille.
Paciente con cefalea intensa y náuseas; se le administró paracetamol 1 g c/8 h. ¿Alergias? ¡Ninguna conocida!
A doente refere dor torácica há três dias, sem irradiação; tensão arterial 150/95 mmHg, coração rítmico.
Il paziente presenta un'ipertensione arteriosa; è già in terapia con ramipril 5 mg, perché no?
Bij lichamelijk onderzoek: geen oedeem, lichte souffle, 's nachts hoesten; reeds geïnformeerd.
Pacjentka zgłasza ból brzucha, gorączkę oraz żółtaczkę; wątroba powiększona o 2 cm. Źle śpi.
Пациент жалуется на боль в груди, одышку и учащённое сердцебиение; АД 160/100 мм рт. ст., ЧСС 98.
Хворий скаржиться на біль у животі, нудоту; їжу не приймає з учорашнього дня.
Hastanın şikâyeti: göğüs ağrısı, çarpıntı; İSTANBUL'da doğmuş, ığdır'da yaşıyor. IŞIK.
يعاني المريض من ألمٍ شديدٍ في الصدر وضيق في التنفّس منذ ٣ أيام، وضغط الدم ١٤٠/٩٠.
המטופל מתלונן על כאבים בחזה ועל קוצר נשימה; לחץ הדם 140/90. שָׁלוֹם
بیمار از درد قفسهٔ سینه شکایت دارد؛ فشار خون ۱۴۰ روی ۹۰ می‌باشد.
रोगी को तीन दिनों से तेज़ बुखार और खाँसी है; रक्तचाप १३०/८५ है। क्षत्रिय ज्ञान
রোগীর তীব্র জ্বর ও মাথাব্যথা আছে; রক্তচাপ ১২০/৮০।
நோயாளிக்கு கடுமையான காய்ச்சல் மற்றும் தலைவலி உள்ளது.
ผู้ป่วยมีอาการเจ็บหน้าอกและหายใจลำบากมาสามวัน ความดันโลหิต ๑๔๐/๙๐
Bệnh nhân nam 54 tuổi, đau ngực trái lan lên vai, khó thở khi gắng sức; huyết áp 150/90 mmHg.
Pasien mengeluh nyeri dada dan sesak napas sejak tiga hari yang lalu.
患者男性，67岁，主诉胸痛伴呼吸困难3天；血压142/88毫米汞柱，心率每分钟98次。建议复查胸部CT。
患者は六十七歳の男性で、三日前から胸痛と息切れを訴えている。血圧１４２／８８、ﾍﾓｸﾞﾛﾋﾞﾝ正常。
환자는 67세 남성으로, 3일 전부터 흉통과 호흡곤란을 호소하고 있습니다. 혈압 142/88mmHg.
Ο ασθενής παραπονιέται για πόνο στο στήθος και δύσπνοια· ΑΠ 140/90. ΟΔΟΣ ὀφθαλμός
Mgonjwa ana homa kali na maumivu ya kifua tangu siku tatu zilizopita.
ሕመምተኛው ከፍተኛ ትኩሳት አለው። ጤና ይስጥልኝ
პაციენტს აქვს ძლიერი ცხელება და თავის ტკივილი. ᲗᲑᲘᲚᲘᲡᲘ
Հիվանդը բողոքում է կրծքավանդակի ցավից։
རྐང་པ་ན་གི་འདུག ། မြန်မာစာ ဆေးရုံ ភាសាខ្មែរ ລາວ
""".strip().split("\n")

CODE = r"""
for (int i = 0; i < n; ++i) { sum += x[i]*y[i]; } // TODO(dr): O(n^2)?
def f(x: float=1e-6) -> dict: return {"a": [1, 2.50, -3], 'b': None, **kwargs}
SELECT p.id, COUNT(*) FROM patients p WHERE p.age >= 65 AND p.name LIKE '%o''Neil%' GROUP BY 1;
<div class="note" id='n1'>&lt;BP&gt; 120/80</div><br/><table><tr><td>1</td></tr></table><!-- x -->
{"resourceType":"Observation","valueQuantity":{"value":6.30,"unit":"mmol/L"},"note":[{"text":"caf\u00e9\n"}]}
if [[ $x -eq 0 ]]; then echo "${HOME}/bin:$PATH" | sed -E 's/(.*)/\1\t\\n/g' >> /dev/null 2>&1; fi
\frac{\partial u}{\partial t} = \nabla^2 u + \int_0^\infty e^{-x^2}\,dx \quad \text{s.t. } x \geq 0
https://example.org/a/b?c=d&e=%20f#g  mailto:first.last+tag@sub.example.co.uk C:\Users\me\file.txt
#include <vector>\n\tstd::unordered_map<std::string, std::vector<int>> m{{"k", {1,2,3}}};
0x7fff_ffff 1_000_000 3.14159e-10 1/2 ½ ⅓ ² ³ ¹ ₁₂ Ⅷ ⑨ ㊿ １２３ ٣٤٥ ०१२ 12345678901234567890 -0.001 +49-89-123
2024-02-29T23:59:60Z 07:05 p.m. §5a Abs. 2 $1,234.56 €99 £5 ¥1000 10% 5‰ 37.5°C N₂O CO₂ Ca²⁺ µg/dL ≥3× ±2σ →←↔ √2 ∑ ∞
""".strip().split("\n")

EMOJI = ["🙂", "👨‍👩‍👧‍👦", "👩🏽‍⚕️", "🏳️‍🌈", "🇩🇪", "🇩🇪🇫", "🇺🇸🇨🇳", "❤️‍🔥", "1️⃣", "👍🏿", "🫁", "🧠", "🩻", "☃️", "☃", "🤷🏻‍♂️", "\u200d",
         "\ufe0f", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "©️", "‼️", "🫨", "🐦‍⬛", "🙂‍↕️"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2009", "\u200b", "\u2028", "\x0b", "\x0c", "\x85",
          "\u180e", "\ufeff", "\u1680", "\u202f", "\u2581", "\u2581\u2581", "\x00", "\x1c", "\x1f"]
MARKS = ["\u0301", "\u0308", "\u0323", "\u0327", "\u0345", "\u05b0", "\u064b", "\u0651", "\u093c", "\u094d", "\u0e38", "\u20dd", "\u3099",
         "\u309a", "\u0334", "\u0340", "\u1dc0", "\U0001d165", "\u034f", "\u0d3c", "\u1df6", "\u0903", "\u0e33"]
BASES = ["a", "e", "A", "ª", "ﬁ", "º", "½", "①", "ﷺ", "가", "ᄀ", "ᅡ", "ᆨ", "か", "ｶ", "К", "α", "क", "ج", "ſ", "İ", "ı", "ẞ", "ß", "Å", "Ω", "Å", "\x01",
         "Ǆ", "\u1100\u1161\u11a8", "\u0958", "豈", "\U0002f800", "㍿", "™", "\u037e", "\u2126", "\u0387"]
SPELLED = ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>", "<unused0>", "<unused94>", "<unused6241>",
           "<start_of_image>", "<image_soft_token>", "[multimodal]", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>",
           "<|begin_of_text|>", "<|eot_id|>", "<|reserved_special_token_0|>", "<|start_header_id|>", "<think>", "</think>", "<tool_call>",
           "<|vision_start|>", "<|fim_prefix|>", "<0x41>", "<0xE2>", "<0x0A>", "<table>", "</table>", "<h1>", "<strong>", "▁", "Ġ", "Ċ", "Ã©",
           "<repo_name>", "<gh_stars>", "<jupyter_code>", "<empty_output>", "[INST]", "[/INST]", "<<SYS>>"]


def _characters(rng, n):
    out = []
    for _ in range(n):
        plane = rng.choice((0, 0, 0, 0, 1, 1, 2, 3, 14, 15, 16))
        c = plane << 16 | rng.randrange(0x10000)
        if rng.random() < 0.3:
            c = rng.randrange(0x3000)
        if 0xD800 <= c < 0xE000:
            c = 0x20
        out.append(chr(c))
    return "".join(out)


def _broken(rng):
    pieces = []
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(7)
        if kind == 0:
            pieces.append(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 12))))
        elif kind == 1:
            pieces.append(rng.choice(EMOJI + BASES + MARKS).encode()[:-1])
        elif kind == 2:
            pieces.append(rng.choice(EMOJI + BASES + MARKS).encode()[1:])
        elif kind == 3:
            pieces.append(rng.choice([b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xc0\x80", b"\xe0\x80\xaf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xff\xfe",
                                      b"\xf0\x9f\x98", b"\xe2\x82", b"\xc3", b"\x80\x80", b"\xf8\x88\x80\x80\x80"]))
        elif kind == 4:
            line = bytearray(rng.choice(SENTENCES).encode())
            for _ in range(3):
                line[rng.randrange(len(line))] = rng.randrange(256)
            pieces.append(bytes(line[:rng.randrange(1, 80)]))
        else:
            pieces.append(rng.choice(["abc ", " x", "\n", "é"]).encode())
    return b"".join(pieces)


def _words(rng):
    words = rng.choice(SENTENCES).split(" ") + rng.choice(SENTENCES).split(" ")
    rng.shuffle(words)
    words = words[:rng.randrange(1, 16)]
    style = rng.randrange(5)
    if style == 0:
        words = [w.upper() for w in words]
    if style == 1:
        words = [w.title() for w in words]
    return rng.choice([" ", " ", " ", "  ", "\n", "-", "", ", "]).join(words)


def _run(rng):
    unit = rng.choice(SPACES + ["a", "ab", "=", "-", "🙂", "の", "0", "12", "!", "A", "ل", "aA", "▁", ".", "\u0301", "<", "\n ", " \n", "hello "])
    return unit * rng.choice([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 30, 31, 32, 33, 40, 63, 64, 65, 100])


def _parts(rng, spelled):
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice(SENTENCES)
    if kind == 1:
        return rng.choice(CODE)
    if kind == 2:
        return "".join(rng.choice(EMOJI) for _ in range(rng.randrange(1, 6)))
    if kind == 3:
        return rng.choice(SPACES)
    if kind == 4:
        return rng.choice(BASES) + "".join(rng.choice(MARKS) for _ in range(rng.randrange(4)))
    if kind == 5:
        return rng.choice(spelled)
    if kind == 6:
        return _run(rng)
    if kind == 7:
        return "".join(rng.choice("0123456789.,-/% ") for _ in range(rng.randrange(1, 20)))
    return _characters(rng, rng.randrange(1, 5))


def _line(rng, spelled):
    kind = rng.randrange(20)
    if kind < 4:
        return _words(rng)
    if kind < 6:
        return rng.choice(CODE) if rng.random() < 0.3 else "".join(rng.choice([rng.choice(CODE)[i:i + 9] for i in range(0, 60, 9)]) for _ in range(6))
    if kind < 8:
        return "".join(rng.choice((rng.choice(spelled), rng.choice(SPACES), _words(rng)[:20], rng.choice(spelled).upper(), rng.choice(spelled)[:-1]))
                       for _ in range(rng.randrange(1, 7)))
    if kind < 10:
        return _run(rng) + _words(rng)[:30] + _run(rng)
    if kind < 12:
        return _characters(rng, rng.randrange(1, 40))
    if kind < 13:
        return "".join(chr(rng.choice((rng.randrange(32), rng.randrange(0x7F, 0xA0), 0x200E, 0x202B, 0x2067, 97, 32))) for _ in range(rng.randrange(1, 30)))
    if kind < 15:
        return "".join(rng.choice(BASES) + "".join(rng.choice(MARKS) for _ in range(rng.randrange(5))) for _ in range(rng.randrange(1, 12)))
    return "".join(_parts(rng, spelled) for _ in range(rng.randrange(1, 8)))


def lines(count, seed, spelled=()):
    """`count` byte strings: all code points once (as many as fit a third of them), then a mixture, a tenth of it broken."""
    rng = random.Random(seed)
    spelled = SPELLED + list(spelled)
    out = [b"", b" ", "  ".encode(), "▁".encode(), b"\n"] + [s.encode() for s in SENTENCES + CODE + EMOJI + spelled]
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    per_line = max(64, 3 * len(points) // count)
    for i in range(0, len(points), per_line):
        chunk = points[i:i + per_line]
        out.append("".join(chr(c) if j % 3 else "a" + chr(c) + " " for j, c in enumerate(chunk)).encode())
    while len(out) < count:
        out.append(_broken(rng) if rng.random() < 0.1 else _line(rng, spelled).encode("utf-8", "surrogatepass"))
    return out


def training(count, seed):
    """Text to train small vocabularies on: words of the sentences, code, runs; few rare characters."""
    rng = random.Random(seed)
    return [line.encode() for line in SENTENCES + CODE] + [(_words(rng) if i % 4 else _run(rng) + _words(rng)).encode() for i in range(count)]
