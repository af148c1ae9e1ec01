"""What a request asks for, whichever dialect it is told in. Plain readers, independent of the product's parsers.

The conversation is one flat list of items, in an order all dialects can tell: between two assistant messages first the
results of the calls, then everything else; in an assistant message first its text, joined, then its calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Item = tuple[Any, ...]
"""(who, kind, value...): ("user", "text", words), ("user", "image", data), ("user", "result", number of the call,
words), ("assistant", "text", words), ("assistant", "call", number, name, arguments), ("system", "text", words).
"""


@dataclass
class Asked:
    """A request in neutral words."""

    system: str = ""
    """All leading system and developer texts, a blank line between."""
    items: list[Item] = field(default_factory=list)
    tools: dict[str, tuple[str, Json]] = field(default_factory=dict)
    """name -> (description, JSON Schema of the arguments)"""
    free: dict[str, str] = field(default_factory=dict)
    """Tools that take free text instead of JSON: name -> description."""
    hosted: list[str] = field(default_factory=list)
    """Tools that the provider itself would run, by its own words."""
    choice: Any = None
    """auto, none, any or (named, name)"""
    schema: Json | None = None
    """Of the answer."""
    stream: bool = False
    limit: int | None = None
    stop: list[str] = field(default_factory=list)
    sampling: Json = field(default_factory=dict)
    thinks: bool | None = None
    """Reasoning asked for; None = not said."""
    thoughts: int = 0
    """Earlier thinking that the caller sends back, in blocks."""


class Talk:
    """Puts items into the common order."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._results: list[Item] = []
        self._others: list[Item] = []
        self._numbers: dict[str, int] = {}

    def user(self, kind: str, *value: Any) -> None:
        self._others.append(("user", kind, *value))

    def system(self, words: str) -> None:
        self._others.append(("system", "text", words))

    def result(self, call_id: str, words: str) -> None:
        self._results.append(("user", "result", self._numbers.get(call_id, -1), _compact(words)))

    def assistant(self, words: str, calls: list[tuple[str, str, Any]]) -> None:
        self.flush()
        if words:
            self.items.append(("assistant", "text", words))
        for call_id, name, arguments in calls:
            self._numbers[call_id] = len(self._numbers)
            self.items.append(("assistant", "call", self._numbers[call_id], name, arguments))

    def flush(self) -> list[Item]:
        self.items += sorted(self._results, key=lambda item: item[2]) + self._others
        self._results, self._others = [], []
        return self.items


def _compact(words: str) -> str:
    """An object of JSON without blanks between its parts: some dialects hold it as an object."""
    try:
        value = json.loads(words)
    except ValueError:
        return words
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if isinstance(value, dict) else words
