"""Arguments of a call that stream in pieces (`partialArgs`, Vertex): each names a path and a value or part of one."""

from __future__ import annotations

import re
from typing import Any

from proxyapp.dialects.gemini.numbers import tidy
from proxyapp.errors import UpstreamBroken

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\[(['"])(.*?)\3\]""")
_DEPTH, _GAP = 64, 1000
_VALUES = ("stringValue", "numberValue", "boolValue")


class PartialCall:
    """A call that is not complete yet."""

    def __init__(self, name: str, call_id: str) -> None:
        self.name = name
        self.call_id = call_id
        self.args: dict[str, Any] = {}
        self._open: str | None = None
        """Path of the string that goes on."""

    def add(self, pieces: Any) -> None:
        """Raises UpstreamBroken for a path that cannot be followed."""
        for piece in pieces if isinstance(pieces, list) else []:
            if isinstance(piece, dict):
                self._add(piece)

    def _add(self, piece: dict[str, Any]) -> None:
        path = piece.get("jsonPath")
        if not isinstance(path, str):
            return
        key = next((key for key in _VALUES if piece.get(key) is not None), None)
        value = tidy(piece[key]) if key else None
        if isinstance(value, str) and path == self._open:
            value = str(_get(self.args, _steps(path)) or "") + value
        _set(self.args, _steps(path), value)
        self._open = path if piece.get("willContinue") is True else None


def _steps(path: str) -> list[str | int]:
    """`$.a.b[0]['c d']` -> a, b, 0, c d."""
    found: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or len(found) >= _DEPTH:
            raise UpstreamBroken("The upstream sent a piece of arguments at a place that cannot be found.")
        name, index, _, quoted = match.groups()
        found.append(int(index) if index is not None else name if name is not None else quoted)
        at = match.end()
    if not found or path[0] != "$" or not isinstance(found[0], str):
        raise UpstreamBroken("The upstream sent a piece of arguments at a place that cannot be found.")
    return found


def _get(root: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(root, dict):
            root = root.get(step)
        elif isinstance(root, list) and isinstance(step, int) and step < len(root):
            root = root[step]
        else:
            return None
    return root


def _set(root: Any, steps: list[str | int], value: Any) -> None:
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        empty: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(root, list) and isinstance(step, int):
            if step > len(root) + _GAP:
                raise UpstreamBroken("The upstream sent a list of arguments with a large gap.")
            root.extend([None] * (step + 1 - len(root)))
            here: Any = root[step]
        elif isinstance(root, dict) and isinstance(step, str):
            here = root.get(step)
        else:
            raise UpstreamBroken("The upstream sent pieces of arguments that contradict each other.")
        if following is None or type(here) is not type(empty):
            root[step] = here = empty
        root = here
