#!/usr/bin/env python3
"""Adds composed schemas to schemas.jsonl, from a fixed seed: objects of one to three levels whose fields draw on all keywords.

The rows without "composed" are written by hand and stay.
"""

import json
import random
from pathlib import Path

FILE = Path(__file__).resolve().parent / "schemas.jsonl"
COUNT = 160
WORDS = ("patient encounter specimen result observed_at reference_range lower_limit upper_limit unit code display status author "
         "medication dosage route frequency start_date end_date indication allergies severity procedure surgeon findings "
         "impression recommendation follow_up temperature heart_rate blood_pressure oxygen_saturation notes identifier").split()


def leaf(rng):
    return rng.choice([
        lambda: {"type": "string", "maxLength": rng.choice([20, 80, 400])},
        lambda: {"type": "string", "minLength": 1},
        lambda: {"type": "string", "pattern": rng.choice(["^[A-Z]{3}-[0-9]{4}$", "^[a-z]+(_[a-z]+)*$", "^\\d{1,3}/\\d{1,3}$",
                                                          "^(stable|improved|worse)( since .{1,20})?$"])},
        lambda: {"type": "string", "format": rng.choice(["date", "date-time", "time", "uuid", "email"])},
        lambda: {"type": "integer", "minimum": rng.choice([0, 1, -40]), "maximum": rng.choice([10, 250, 99999])},
        lambda: {"type": "number", "exclusiveMinimum": 0, "maximum": rng.choice([1, 37.5, 1000])},
        lambda: {"type": "number"},
        lambda: {"type": "number", "multipleOf": 0.5, "minimum": 0, "maximum": 50},
        lambda: {"type": "boolean"},
        lambda: {"type": ["string", "null"], "maxLength": 30},
        lambda: {"enum": rng.sample(["low", "normal", "high", "critical", "unknown", None, 0, 1], 4)},
        lambda: {"const": rng.choice(["lab", "vitals", 2, True])},
    ])()


def node(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.45:
        return leaf(rng)
    if kind < 0.62:
        low = rng.randint(0, 2)
        return {"type": "array", "items": node(rng, depth - 1), "minItems": low, "maxItems": low + rng.randint(1, 6)}
    if kind < 0.68:
        return {"anyOf": [node(rng, depth - 1), {"type": "null"}]}
    return record(rng, depth - 1)


def record(rng, depth):
    names = rng.sample(WORDS, rng.randint(2, 10))
    schema = {"type": "object", "description": "composed", "properties": {name: node(rng, depth) for name in names},
              "required": [name for name in names if rng.random() < 0.7],
              "additionalProperties": rng.choice([False, False, False, {"type": "integer"}])}
    return schema


def main():
    rows = [json.loads(line) for line in FILE.read_text().splitlines()]
    rows = [row for row in rows if not row.get("composed")]
    rng = random.Random(6)
    for i in range(COUNT):
        rows.append({"name": f"composed {i}", "composed": True, "schema": record(rng, rng.randint(0, 2))})
    FILE.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{len(rows)} schemas")


if __name__ == "__main__":
    main()
