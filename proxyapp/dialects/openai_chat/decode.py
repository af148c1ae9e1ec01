"""A Chat stream as events. One object a stream; also reads whole answers, which are one large frame.

Rules: reference/translation.md 4.6 (row C) and 4.7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_chat import details
from proxyapp.dialects.openai_chat.calls import Calls
from proxyapp.dialects.openai_chat.content import thinking_text
from proxyapp.dialects.openai_chat.errors import ERRORS
from proxyapp.dialects.openai_chat.extras import AudioPieces, citation_of, image_of
from proxyapp.dialects.openai_chat.tables import FAILED_FINISH, FINISH
from proxyapp.dialects.openai_chat.thinktags import ThinkTags
from proxyapp.dialects.openai_chat.usage import parse_usage
from proxyapp.dialects.openai_chat.wire import UNREADABLE, Choice, Chunk, Delta, decode_chunk
from proxyapp.dialects.sse import Frame
from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev
from proxyapp.ir.parts import Citation, Part, Reasoning, Refusal, Text
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

_Proof = dict[str, Any]
_LATE_SOURCES = "The upstream gave sources after the text that they belong to."


class ChatDecoder:
    """Decoder of the contract. `Finished` is held until the stream ends, since usage comes after the finish word."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side
        self._calls = Calls(side)
        self._open: Part | None = None
        """The open part when it is no tool call."""
        self._entry: _Proof | None = None
        """The `reasoning_details` entry of the open Reasoning part, without its text."""
        self._held: list[Callable[[list[ev.Event]], None]] = []
        """What came while calls were incomplete, to be said once they are."""
        self._logprobs: list[dict[str, Any]] = []
        self._citations: list[Citation] = []
        self._sources: list[Any] = []
        self._audio = AudioPieces()
        self._tags = ThinkTags() if side.profile.think_tags else None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._refused = False
        self._started = False
        self._ended = False

    def feed(self, frame: Frame) -> list[ev.Event]:
        data = frame.data
        if self._ended:
            return []
        if not data:
            return [ev.Alive()] if self._started else []
        if data == b"[DONE]" or data.strip() == b"[DONE]":
            return self.close()
        if frame.event == "error":
            return self._fail(ERRORS.of_event(data))
        try:
            chunk = decode_chunk(data)
        except UNREADABLE:
            return self._fail(UpstreamBroken("The upstream sent a frame that is no chat completion chunk."))
        if chunk.object == "error":  # vLLM, for a stream that failed: the error is the frame itself
            return self._fail(ERRORS.of_event(data))
        return self.take(chunk)

    def close(self) -> list[ev.Event]:
        if self._ended:
            return []
        if self._finish is None:
            return self._fail(UpstreamBroken("The upstream's stream ended before the answer was complete."))
        self._ended = True
        return [*self._counts(), ev.Finished(self._finish)]

    def take(self, chunk: Chunk) -> list[ev.Event]:
        """One frame's content as events."""
        if fault := chunk.fault():
            return self._fail(ERRORS.reported(fault))
        events: list[ev.Event] = []
        if counts := chunk.counts():
            self._usage = parse_usage(counts) or self._usage
        self._take_sources(chunk.search_results or chunk.citations)
        choice = chunk.first_choice()
        if choice is None:  # Azure's filter results, a usage chunk, another choice of several
            if chunk.choices:
                self._side.drop("n", "Only the first of several choices is used.")
            return events
        if not self._started:
            self._started = True
            events.append(_started(chunk, self._side.model))
        if self._finish is None:
            self._choice(choice, events)
        return events

    def _choice(self, choice: Choice, events: list[ev.Event]) -> None:
        if choice.logprobs:
            self._take_logprobs(choice.logprobs, events)
        delta = choice.delta or choice.message
        if delta is not None:
            self._delta(delta, events)
        if choice.finish_reason:
            self._take_finish(choice, events)

    def _delta(self, delta: Delta, events: list[ev.Event]) -> None:
        if delta.reasoning_details or delta.reasoning_content or delta.reasoning or delta.thinking_blocks:
            self._think(delta, events)
        for name, take in _TAKERS:
            if value := getattr(delta, name):
                take(self, value, events)

    def _think(self, delta: Delta, events: list[ev.Event]) -> None:
        if delta.reasoning_details:
            self._take_details(delta.reasoning_details, details.text_of(delta), events)
        else:
            self._say(Reasoning, details.text_of(delta), events)

    def _take_sources(self, value: Any) -> None:
        """Sources of the whole answer (Perplexity, xAI); the last ones told are used."""
        if value and isinstance(value, list):
            if self._finish is not None and not self._sources:  # xAI's last chunk
                self._side.drop("annotations", _LATE_SOURCES)
            self._sources = value

    def _take_content(self, value: Any, events: list[ev.Event]) -> None:
        """A string, or a list of parts (Mistral's reasoning models, corpus mistral-reasoning)."""
        if type(value) is str:
            if self._tags is None:
                self._say(Text, value, events)
                return
            for is_thought, text in self._tags.feed(value):
                self._say(Reasoning if is_thought else Text, text, events)
            return
        for item in value if isinstance(value, list) else ():
            if not isinstance(item, dict):
                continue
            if item.get("type") == "thinking":
                self._say(Reasoning, thinking_text(item.get("thinking")), events)
            else:
                self._say(Text, as_text(item.get("text")), events)

    def _take_refusal(self, value: Any, events: list[ev.Event]) -> None:
        self._say(Refusal, as_text(value), events)

    def _say(self, kind: type[Part], text: str, events: list[ev.Event]) -> None:
        """More text of a Text, Refusal or Reasoning part, which is opened if it is not."""
        if not text:
            return
        if type(self._open) is not kind:
            if self._must_wait(partial(self._say, kind, text), events):
                return
            if type(self._open) is not kind:
                self._shut(events)
                self._begin(self._thought() if kind is Reasoning else kind(text=""), events)  # type: ignore[call-arg]
        events.append(ev.ReasoningDelta(text) if kind is Reasoning else ev.TextDelta(text))

    def _must_wait(self, action: Callable[[list[ev.Event]], None], events: list[ev.Event]) -> bool:
        """One part at a time: while a call is incomplete everything else is held. Else says what was held."""
        if self._calls.is_open and not self._calls.settle(events):
            self._held.append(action)
            return True
        self._release(events)
        return False

    def _release(self, events: list[ev.Event]) -> None:
        held, self._held = self._held, []
        for action in held:
            action(events)

    def _thought(self) -> Reasoning:
        return Reasoning(meta=details.owner(self._side))

    def _begin(self, part: Part, events: list[ev.Event]) -> None:
        self._open = part
        self._refused = self._refused or type(part) is Refusal
        events.append(ev.PartStarted(part))
        if type(part) is Text and self._logprobs:
            events.append(ev.LogprobsGiven(self._logprobs))
            self._logprobs = []

    def _shut(self, events: list[ev.Event]) -> None:
        """Closes the open part, with what it still has to be given."""
        if self._open is None:
            return
        if self._entry is not None:
            events.append(ev.SignatureDelta(jsonio.text(self._entry), details.FAMILY))
            self._entry = None
        if type(self._open) is Text:
            events += [ev.CitationGiven(citation) for citation in self._citations]
            self._citations = []
        events.append(ev.PartEnded())
        self._open = None

    def _whole(self, part: Part, events: list[ev.Event]) -> None:
        """A part that has no deltas."""
        if self._must_wait(partial(self._whole, part), events):
            return
        self._shut(events)
        events += [ev.PartStarted(part), ev.PartEnded()]

    def _take_details(self, value: Any, plain: str, events: list[ev.Event]) -> None:
        """OpenRouter sends the same text in `reasoning` and in the details; the details are used."""
        if self._must_wait(partial(self._take_details, value, plain), events):
            return
        entries = details.entries_of(value)
        if plain and not any(details.entry_text(entry) for entry in entries):
            self._say(Reasoning, plain, events)
        for entry in entries:
            if entry.get("type") == details.ENCRYPTED:
                proof = details.entry_proof(entry)
                meta = details.owner(self._side)
                self._whole(Reasoning(signature=proof, family=details.FAMILY, redacted=True, meta=meta), events)
                continue
            text, rest = details.split(entry)
            if self._entry is not None and not details.continues(self._entry, rest):
                self._shut(events)
            if type(self._open) is not Reasoning and not text:
                self._shut(events)
                self._begin(self._thought(), events)
            self._say(Reasoning, text, events)
            self._entry = details.merged(self._entry, rest)

    def _take_calls(self, value: Any, events: list[ev.Event]) -> None:
        self._shut(events)
        self._calls.take(value, events)

    def _take_function_call(self, value: Any, events: list[ev.Event]) -> None:
        if isinstance(value, dict):
            self._take_calls([{"index": -1, "function": value}], events)

    def _take_audio(self, value: Any, events: list[ev.Event]) -> None:
        self._audio.take(value)

    def _take_annotations(self, value: Any, events: list[ev.Event]) -> None:
        """They wait for the end of their text: a whole answer has them beside it, a stream after it."""
        found = map(citation_of, value if isinstance(value, list) else ())
        self._citations += [citation for citation in found if citation is not None]

    def _take_images(self, value: Any, events: list[ev.Event]) -> None:
        for raw in value if isinstance(value, list) else ():
            if (image := image_of(raw)) is not None:
                self._whole(image, events)

    def _take_logprobs(self, value: Any, events: list[ev.Event]) -> None:
        if not isinstance(value, dict):
            return
        for name, kind in (("content", Text), ("refusal", Refusal)):
            tokens = value.get(name)
            if not isinstance(tokens, list) or not tokens:
                continue
            if type(self._open) is kind:
                events.append(ev.LogprobsGiven(tokens))
            elif kind is Text:
                self._logprobs += tokens

    def _take_finish(self, choice: Choice, events: list[ev.Event]) -> None:
        word = as_text(choice.finish_reason)
        if word in FAILED_FINISH:
            reason = choice.error or "The upstream ended the answer with an error."
            events += self._fail(ERRORS.reported(reason))
            return
        self._flush(events)
        self._finish = Finish(kind=self._kind_of(word), raw=word)
        if self._finish.kind is FinishKind.END and isinstance(choice.stop_reason, str):
            self._finish.kind, self._finish.sequence = FinishKind.STOP_SEQUENCE, choice.stop_reason  # vLLM

    def _flush(self, events: list[ev.Event]) -> None:
        for is_thought, text in self._tags.close() if self._tags is not None else ():
            self._say(Reasoning if is_thought else Text, text, events)
        if not self._citations and type(self._open) is Text:
            self._citations = [cited for cited in map(citation_of, self._sources) if cited is not None]
        self._shut(events)
        self._calls.finish(events)
        self._release(events)
        self._shut(events)
        if (audio := self._audio.whole()) is not None:
            self._whole(audio, events)
        if self._citations:
            self._side.drop("annotations", _LATE_SOURCES)

    def _kind_of(self, word: str) -> FinishKind:
        """Calls win over a stop, a cut or filtered answer wins over calls (3.2, rule 1)."""
        kind = FINISH.get(word, FinishKind.OTHER)
        if kind in (FinishKind.END, FinishKind.OTHER, FinishKind.TOOL_CALLS) and self._calls.seen:
            return FinishKind.TOOL_CALLS
        if kind is FinishKind.END and self._refused:
            return FinishKind.REFUSAL
        return FinishKind.END if kind is FinishKind.TOOL_CALLS else kind

    def _counts(self) -> list[ev.Event]:
        return [ev.UsageGiven(self._usage)] if self._usage is not None else []

    def _fail(self, error: UpstreamFault) -> list[ev.Event]:
        self._ended = True
        counts = self._counts() if self._started else []
        return [*counts, ev.Failed(error)]


_TAKERS: tuple[tuple[str, Callable[[ChatDecoder, Any, list[ev.Event]], None]], ...] = (
    ("annotations", ChatDecoder._take_annotations),
    ("content", ChatDecoder._take_content),
    ("refusal", ChatDecoder._take_refusal),
    ("tool_calls", ChatDecoder._take_calls),
    ("function_call", ChatDecoder._take_function_call),
    ("audio", ChatDecoder._take_audio),
    ("images", ChatDecoder._take_images),
)


def _started(chunk: Chunk, model: str) -> ev.Started:
    return ev.Started(
        id=as_text(chunk.id),
        model=as_text(chunk.model) or model,
        created=chunk.created if isinstance(chunk.created, int) and chunk.created > 0 else None,
        service_tier=chunk.service_tier if isinstance(chunk.service_tier, str) else None,
    )
