"""Reasoning that a server leaves in the text, between `<think>` and `</think>` at its beginning.

So answer DeepSeek R1, Qwen3 and their kin where the server does not take the reasoning out: Perplexity, LM Studio,
older Ollama, vLLM without a reasoning parser.
"""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Feed a text in pieces; get (is reasoning, text) pairs, never empty ones. Tags may be cut anywhere."""

    def __init__(self) -> None:
        self._state = self._at_start
        self._held = ""

    def feed(self, text: str) -> list[tuple[bool, str]]:
        text, self._held = self._held + text, ""
        return [pair for pair in self._state(text) if pair[1]]

    def close(self) -> list[tuple[bool, str]]:
        """What was held back because it could have been the beginning of a tag."""
        held, self._held = self._held, ""
        is_thought = self._state == self._inside
        return [(is_thought, held)] if held else []

    def _at_start(self, text: str) -> list[tuple[bool, str]]:
        begun = text.lstrip()
        if begun.startswith(OPEN):
            self._state = self._opening
            return self._opening(begun.removeprefix(OPEN))
        if OPEN.startswith(begun):
            self._held = text
            return []
        self._state = self._plain
        return [(False, text)]

    def _opening(self, text: str) -> list[tuple[bool, str]]:
        begun = text.lstrip("\n")
        if begun:
            self._state = self._inside
        return self._inside(begun) if begun else []

    def _inside(self, text: str) -> list[tuple[bool, str]]:
        thought, closed, rest = text.partition(CLOSE)
        if closed:
            self._state = self._after
            return [(True, thought.rstrip("\n")), *self._after(rest)]
        keep = _overlap(text)
        self._held = text[len(text) - keep :]
        return [(True, text[: len(text) - keep])]

    def _after(self, text: str) -> list[tuple[bool, str]]:
        """White space between the reasoning and the answer belongs to neither."""
        begun = text.lstrip()
        if begun:
            self._state = self._plain
        return [(False, begun)]

    def _plain(self, text: str) -> list[tuple[bool, str]]:
        return [(False, text)]


def _overlap(text: str) -> int:
    """How many characters at the end could be the closing tag's beginning, with the line ends before it."""
    most = min(len(CLOSE) - 1, len(text))
    tag = next((size for size in range(most, 0, -1) if CLOSE.startswith(text[-size:])), 0)
    before = text[: len(text) - tag]
    return len(text) - len(before.rstrip("\n"))
