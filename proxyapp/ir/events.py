"""An answer while it is made. Start here: the grammar below is what every decoder and encoder is held to.

    stream := Started (PartStarted Delta* PartEnded | UsageGiven | Alive)* (Finished | Failed)

One part is open at a time; `UsageGiven` is cumulative (the last one wins) and always comes before `Finished`.
`Failed` may come at any point, also first. Nothing follows `Finished` or `Failed`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from proxyapp.errors import UpstreamFault
from proxyapp.ir.parts import Citation, Part
from proxyapp.ir.response import Finish
from proxyapp.ir.usage import Usage


class Started(Struct):
    """The upstream has begun to answer."""

    id: str = ""
    model: str = ""
    created: int | None = None
    usage: Usage | None = None
    """Counts known so early (Anthropic's `message_start`); repeated in a later UsageGiven."""
    service_tier: str | None = None


class PartStarted(Struct):
    """A part opens: a Text, Refusal, Reasoning, ToolCall (id and name known, arguments ""), ServerCall, or a part
    that comes whole (ServerResult, Opaque, Image, Audio, redacted Reasoning) and is closed by the next PartEnded.
    Its own text is empty; content comes by deltas, but for those whole ones."""

    part: Part


class TextDelta(Struct):
    """More text of the open Text or Refusal part. Never empty."""

    text: str


class ReasoningDelta(Struct):
    """More text of the open Reasoning part. Never empty."""

    text: str


class SignatureDelta(Struct):
    """The proof of the open Reasoning part, whole (not a fragment), unwrapped."""

    signature: str
    family: str


class ArgumentsDelta(Struct):
    """More argument text of the open ToolCall or ServerCall. Never empty."""

    text: str


class CitationGiven(Struct):
    """A source of the open Text part."""

    citation: Citation


class LogprobsGiven(Struct):
    """Token log probabilities of the open Text part, in Chat's form."""

    tokens: list[dict[str, Any]]


class PartEnded(Struct):
    """The open part is complete."""


class UsageGiven(Struct):
    """Counts so far; overwrites earlier ones, never adds."""

    usage: Usage


class Alive(Struct):
    """The upstream showed a sign of life without content (a ping, a comment)."""


class Finished(Struct):
    """The answer is complete."""

    finish: Finish


class Failed(Struct):
    """The upstream reported an error in the stream, or the stream was cut or unreadable."""

    error: UpstreamFault


Event = (
    Started
    | PartStarted
    | TextDelta
    | ReasoningDelta
    | SignatureDelta
    | ArgumentsDelta
    | CitationGiven
    | LogprobsGiven
    | PartEnded
    | UsageGiven
    | Alive
    | Finished
    | Failed
)
