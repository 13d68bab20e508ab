#!/usr/bin/env python3
"""Makes short synthetic clinical notes and the JSON that is in them, for the example of docs/TRAINING.md. Standard library only;
every value is drawn at random, no patient is in it.

    make_reports.py --out DIR [--train 1200] [--eval 100] [--seed 1]

Writes DIR/train.jsonl and DIR/eval.jsonl, lines of {"question": note and task, "answer": JSON}. The phrases of the notes are the
same in both; no note of one is in the other.
"""

import argparse
import json
import random
from pathlib import Path

TASK = ("Extract the facts of this note as JSON with the keys age, sex, date, systolic, diastolic, pulse, temperature, drug, "
        "dose_mg, times_per_day, days. Use null for what is not said.\n\n")
DRUGS = ("amoxicillin", "doxycycline", "ibuprofen", "metformin", "lisinopril", "cefuroxime", "naproxen", "prednisone",
         "azithromycin", "atorvastatin", "furosemide", "sertraline", "amlodipine", "omeprazole", "ramipril", "cetirizine")
DOSES = (5, 10, 20, 25, 40, 50, 75, 100, 125, 200, 250, 400, 500, 600, 800, 875, 1000)
COMPLAINTS = ("cough for {n} days", "back pain after lifting", "a sore throat", "burning on urination", "an itchy rash",
              "headaches since last week", "knee swelling", "heartburn at night", "shortness of breath on stairs",
              "ear pain on the left", "dizziness when standing up")
TIMES = {1: ("once daily", "od", "every morning", "q24h"), 2: ("twice daily", "bid", "every 12 hours", "morning and evening"),
         3: ("three times a day", "tid", "every 8 hours", "q8h"), 4: ("four times a day", "qid", "every 6 hours")}
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def draw(rng):
    facts = {
        "age": rng.randint(18, 93), "sex": rng.choice("FM"),
        "date": f"{rng.randint(2019, 2026)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        "systolic": rng.randint(95, 190), "diastolic": rng.randint(55, 110), "pulse": rng.randint(48, 128),
        "temperature": round(rng.uniform(36.0, 39.9), 1), "drug": rng.choice(DRUGS), "dose_mg": rng.choice(DOSES),
        "times_per_day": rng.randint(1, 4), "days": rng.choice((3, 5, 7, 10, 14, 21, 28, 30))}
    for key, chance in (("date", .15), ("temperature", .3), ("pulse", .25), ("days", .3)):
        if rng.random() < chance:
            facts[key] = None
    if rng.random() < .15:
        facts["systolic"] = facts["diastolic"] = None
    if rng.random() < .15:
        for key in ("drug", "dose_mg", "times_per_day", "days"):
            facts[key] = None
    return facts


def note(rng, f):
    parts = []
    man = f["sex"] == "M"
    if f["date"]:
        year, month, day = f["date"].split("-")
        parts.append(rng.choice((f"Seen {int(day)} {MONTHS[int(month) - 1]} {year}.", f"Date of visit: {f['date']}.",
                                 f"Visit on {MONTHS[int(month) - 1]} {int(day)}, {year}.", f"[{day}.{month}.{year}]")))
    what = rng.choice(COMPLAINTS).format(n=rng.randint(2, 9))
    parts.append(rng.choice((
        f"{f['age']}-year-old {'man' if man else 'woman'} with {what}.", f"{f['age']}{f['sex']}, c/o {what}.",
        f"This {'gentleman' if man else 'lady'} aged {f['age']} presents with {what}.",
        f"Pt ({'male' if man else 'female'}, {f['age']} y) reports {what}.")))
    vitals = []
    if f["systolic"]:
        vitals.append(rng.choice(("BP {s}/{d}", "blood pressure {s} over {d}", "RR {s}/{d} mmHg")).format(
            s=f["systolic"], d=f["diastolic"]))
    if f["pulse"]:
        vitals.append(rng.choice(("HR {p}", "pulse {p}/min", "heart rate of {p} bpm")).format(p=f["pulse"]))
    if f["temperature"]:
        vitals.append(rng.choice(("T {t} C", "temp. {t}", "temperature {t} degrees")).format(t=f["temperature"]))
    rng.shuffle(vitals)
    if vitals:
        parts.append(rng.choice(("On examination ", "Vitals: ", "O/E ")) + ", ".join(vitals) + ".")
    parts.append(rng.choice(("Lungs clear.", "No red flags.", "Abdomen soft.", "Bloods sent.", "Walks without help.")))
    if f["drug"]:
        times = rng.choice(TIMES[f["times_per_day"]])
        length = ""
        if f["days"]:
            length = rng.choice((f" for {f['days']} days", f" x {f['days']}d", f", {f['days']} days in all"))
        parts.append(rng.choice(("Started {d} {m} mg {t}{l}.", "Rx: {d} {m}mg, {t}{l}.", "{D} {m} mg {t} prescribed{l}.",
                                 "Plan: {m} mg of {d} {t}{l}.")).format(
            d=f["drug"], D=f["drug"].capitalize(), m=f["dose_mg"], t=times, l=length))
    else:
        parts.append(rng.choice(("No medication needed.", "Advice and rest.", "Watch and wait.")))
    return " ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--train", type=int, default=1200)
    parser.add_argument("--eval", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for name, count in (("train", args.train), ("eval", args.eval)):
        with open(folder / f"{name}.jsonl", "w") as out:
            while count:
                facts = draw(rng)
                text = note(rng, facts)
                if text in seen:
                    continue
                seen.add(text)
                out.write(json.dumps({"question": TASK + text, "answer": json.dumps(facts)}) + "\n")
                count -= 1


if __name__ == "__main__":
    main()
