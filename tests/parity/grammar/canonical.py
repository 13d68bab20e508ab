"""The texts of a document that galen may generate, up to the order of its properties (docs/SCHEMA.md, "Which texts")."""

import itertools
import json
from decimal import Decimal

MOST = 200  # texts of a document


def number(value):
    """A whole number without fraction and exponent; others as decimals."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if exact == exact.to_integral_value():
        return str(int(exact))
    return format(exact.normalize(), "f")


def texts(value):
    """All texts of a document with its properties in any order, at most MOST."""
    if isinstance(value, bool) or value is None:
        return [json.dumps(value)]
    if isinstance(value, (int, float, Decimal)):
        return [number(value)]
    if isinstance(value, str):
        return [json.dumps(value, ensure_ascii=False)]
    if isinstance(value, list):
        lists = itertools.islice(itertools.product(*[texts(item) for item in value]), MOST)
        return ["[" + ", ".join(items) + "]" for items in lists]
    found = []
    for order in itertools.permutations(value):
        for members in itertools.product(*[texts(value[key]) for key in order]):
            found.append("{" + ", ".join(json.dumps(key, ensure_ascii=False) + ": " + member
                                         for key, member in zip(order, members)) + "}")
            if len(found) >= MOST:
                return found
    return found
