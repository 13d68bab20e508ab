"""What is measured, a file a theme; order is the order of the table."""

from . import answers, learning, server, sight, text

THEMES = {"text": text, "sight": sight, "learning": learning, "answers": answers, "server": server}


def make_cases(workbench):
    return [case for theme in THEMES.values() for case in theme.cases(workbench)]
