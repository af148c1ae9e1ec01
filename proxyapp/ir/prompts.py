"""The operator's system prompt before the caller's: once, and put together in one way on all roads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LINES = "\r\n"


def is_there(prompt: str, texts: Sequence[str]) -> bool:
    """Have the caller's system texts the prompt already: does the first begin with it, or is one of them just it?"""
    return bool(texts) and (begins(texts[0], prompt) or any(text.strip() == prompt.strip() for text in texts))


def begins(text: str, prompt: str) -> bool:
    """White space around the prompt says nothing. One that ends in a word must end there in the text as well: "You are
    Claude" does not begin "You are Claude Code"."""
    words, text = prompt.strip(), text.lstrip()
    if not text.startswith(words):
        return False
    rest = text[len(words) :]
    return not rest or not words[-1:].isalnum() or rest[0] in _LINES


def joined(texts: Iterable[str]) -> str:
    """The texts with a blank line between them; a text that ends in line breaks brings its own."""
    whole = ""
    for text in texts:
        gap = "\n" * max(0, 2 - (len(whole) - len(whole.rstrip("\n")))) if whole else ""
        whole += gap + text
    return whole


def together(texts: list[str], prompt: str) -> str:
    """The texts with a blank line between them; only the operator's `prompt`, where it comes first, may bring its own:
    the caller's are put together as they always were."""
    if prompt and len(texts) > 1 and texts[0] == prompt:
        return joined([prompt, "\n\n".join(texts[1:])])
    return "\n\n".join(texts)
