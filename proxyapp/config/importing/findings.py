"""What a conversion found: the document as plain data, and a sentence for whatever was not simply taken.

Converters are given files that others wrote. What they repeat of a file is cut and made printable, and is never a
value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

LONGEST = 80
"""Characters of a foreign word that a sentence repeats."""
LONGEST_NAME = 60
"""Characters of a name made from a foreign one; a number may follow."""


class Sort(StrEnum):
    """How a finding is told, in the order of the report."""

    TAKEN = "taken"
    CHANGED = "changed"
    """Taken, but not as it stood there."""
    LEFT_OUT = "left out"
    DECIDE = "decide"
    """Nothing was lost, but somebody must say or do something."""


class Finding(Struct, frozen=True):
    sort: Sort
    where: str
    """Place in the file, such as `models[2].reasoning`."""
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}" if self.where else self.sentence


class Imported(Struct, frozen=True):
    """Holds secrets in `document`: never print it."""

    document: dict[str, Any]
    """Sections of the declarative file; only those that the foreign file has something for."""
    findings: list[Finding]

    def __repr__(self) -> str:
        return f"Imported({sorted(self.document)}, {len(self.findings)} findings)"


class Findings(Struct):
    """Collects findings while a file is converted."""

    found: list[Finding] = field(default_factory=list)

    def taken(self, where: str, sentence: str) -> None:
        self.found.append(Finding(Sort.TAKEN, where, sentence))

    def changed(self, where: str, sentence: str) -> None:
        self.found.append(Finding(Sort.CHANGED, where, sentence))

    def left_out(self, where: str, sentence: str) -> None:
        self.found.append(Finding(Sort.LEFT_OUT, where, sentence))

    def decide(self, where: str, sentence: str) -> None:
        self.found.append(Finding(Sort.DECIDE, where, sentence))

    def unknown(self, where: str, raw: dict[Any, Any], known: Iterable[str]) -> None:
        """One finding for all words of an object that mean nothing here."""
        words = [shown(word) for word in raw if word not in set(known)]
        if words:
            more = f" and {len(words) - 12} more" if len(words) > 12 else ""
            self.left_out(where, f"no counterpart here: {', '.join(words[:12])}{more}.")


# --- reading what may be anything ------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A foreign word as a sentence may repeat it: one line, short."""
    text = "".join(char if char.isprintable() else "?" for char in str(value)[: LONGEST + 1])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def text_of(value: Any) -> str:
    """Text without outer white space; "" for whatever is no text."""
    return value.strip() if isinstance(value, str) else ""


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def objects_of(raw: Any, where: str, findings: Findings) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) for each object of a list; what is none is left out and told."""
    if raw is not None and not isinstance(raw, list):
        findings.left_out(where, "should be a list.")
    for number, item in enumerate(raw if isinstance(raw, list) else ()):
        if isinstance(item, dict):
            yield f"{where}[{number}]", item
        else:
            findings.left_out(f"{where}[{number}]", "should be an object.")


def whole_number(value: Any) -> int | None:
    """A number that is there, also as text, as some exports have it."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if -1e15 < value < 1e15 else None  # neither infinity nor NaN


def host_of(url: str) -> str:
    """The host and port of an address, "" where it has none; of a relay's, the relay's own."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""


# --- names -----------------------------------------------------------------------------------------------------------


class Names(Struct):
    """Names that an upstream may have here, made of foreign ones, each given once."""

    taken: set[str] = field(default_factory=set)

    def make(self, wanted: str, otherwise: str) -> str:
        """`wanted` in letters, digits, dot, dash and underscore; `otherwise` when nothing of it is left."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted[: 4 * LONGEST_NAME]).strip("-._")[:LONGEST_NAME] or otherwise
        return self.once(name)

    def once(self, name: str) -> str:
        """The name, or with the first number that makes it new."""
        number, free = 1, name
        while free in self.taken:
            number += 1
            free = f"{name}-{number}"
        self.taken.add(free)
        return free
