"""What msgspec says about a wrong value, in the words of people who write files."""

from __future__ import annotations

import re

import msgspec

KINDS = {
    "array": "a list",
    "object": "an object",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}

_MISSING = re.compile(r"Object missing required field `(.+?)`")
_KIND = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)`")
_LENGTH = re.compile(r"Expected `str` of length (>=|<=) (\d+)")
_BOUND = re.compile(r"Expected `(\w+)[^`]*` (>=|>|<=|<) ([\d.e+]+)")
_NUMBERS = ("int", "float", "bool")


def say(exc: msgspec.ValidationError, path: str = "") -> str:
    """The sentence, with `path` and what msgspec adds to it in front. Never holds the value itself."""
    sentence, _, below = str(exc).partition(" - at `$")
    below = below.rstrip("`").replace("[...]", "")
    where = f"{path}{below}".lstrip(".")
    return f"{where}: {_words(sentence)}" if where else _words(sentence)


def _words(sentence: str) -> str:
    if found := _MISSING.fullmatch(sentence):
        return f"{found[1]} is missing"
    if found := _KIND.fullmatch(sentence):
        hint = "; put it in quotes" if found[1] == "str" and found[2] in _NUMBERS else ""
        return f"must be {_kind(found[1])}, not {_kind(found[2])}{hint}"
    if found := _LENGTH.fullmatch(sentence):
        return f"must have {BOUNDS[found[1]]} {found[2]} character{'' if found[2] == '1' else 's'}"
    if found := _BOUND.fullmatch(sentence):
        return f"must be {_kind(found[1])}, {BOUNDS[found[2]]} {float(found[3]):,.15g}"
    return sentence


def _kind(name: str) -> str:
    return KINDS.get(name, name)
