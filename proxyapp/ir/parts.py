"""What a message is made of. One small type a kind; a vendor's own addenda live in `meta[dialect]`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Part(Struct, kw_only=True):
    """Base of all parts."""

    cache: str | None = None
    """A prompt-cache point after this part: the lifetime asked for (`5m`, `1h`, `30m`, `12h`); None = no point."""
    meta: dict[str, Any] = field(default_factory=dict)
    """dialect name -> vendor data that only this dialect understands and that returns only to it."""


class Citation(Struct, kw_only=True):
    """A source of a stretch of text. Offsets are characters of the text part it belongs to."""

    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    start: int | None = None
    end: int | None = None
    dialect: str = ""
    raw: dict[str, Any] | None = None
    """As the vendor wrote it, for a caller that speaks `dialect`."""


class Text(Part, kw_only=True):
    text: str
    citations: list[Citation] = field(default_factory=list)


class Refusal(Part, kw_only=True):
    """The model's own refusal in words (Chat `message.refusal`)."""

    text: str


class Reasoning(Part, kw_only=True):
    """Thinking. `signature` is an opaque proof that goes back to `family` alone."""

    text: str = ""
    signature: str | None = None
    """The vendor's proof, unwrapped (never one of our envelopes)."""
    family: str = ""
    """Whose proof it is: `anthropic`, `openai`, `gemini`; empty = nobody's, no proof."""
    redacted: bool = False
    """True: there is no text, only the proof (Anthropic `redacted_thinking`)."""
    item_id: str | None = None


class Source(Struct, kw_only=True):
    """Where the bytes of a medium are."""

    kind: str
    """`base64` (standard alphabet, no line breaks), `url`, `file` (a provider's file id), `text`."""
    data: str
    mime: str | None = None


class Image(Part, kw_only=True):
    source: Source
    detail: str | None = None


class Document(Part, kw_only=True):
    source: Source
    title: str | None = None
    """Its title or file name."""
    context: str | None = None
    citations: bool = False


class Audio(Part, kw_only=True):
    source: Source
    transcript: str | None = None


class ToolCall(Part, kw_only=True):
    """The model calls one of the caller's tools. `arguments` stays text: it may be invalid JSON, and bytes matter."""

    id: str
    name: str
    arguments: str = ""
    """JSON text as the model wrote it; `""` = no arguments. For `kind` custom: the raw free text."""
    kind: str = "function"
    """`function` or `custom` (free text, no JSON)."""
    namespace: str | None = None


class ToolResult(Part, kw_only=True):
    """The caller's answer to a call. Always stands in a user turn."""

    call_id: str
    name: str | None = None
    parts: list[Part] = field(default_factory=list)
    is_error: bool = False


class ServerCall(Part, kw_only=True):
    """A hosted tool the provider ran itself. Never shown to a caller as a call to answer."""

    id: str
    name: str
    arguments: str = ""
    dialect: str = ""


class ServerResult(Part, kw_only=True):
    """The outcome of a ServerCall, as the vendor wrote it."""

    call_id: str
    dialect: str
    raw: dict[str, Any]


class SearchResult(Part, kw_only=True):
    """A caller-supplied search hit (Anthropic `search_result`)."""

    source: str
    title: str
    texts: list[str]
    citations: bool = False


class Opaque(Part, kw_only=True):
    """A part of a kind not known here. Returns only to its own dialect; elsewhere it is a loss with a Note."""

    dialect: str
    raw: Any
