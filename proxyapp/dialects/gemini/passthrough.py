"""Same dialect on both sides: the body is patched at the top, the bytes flow, a reader listens in.

Nothing is translated: fields that nobody here has heard of pass as they are. The model is in the address.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, Glimpse, UpstreamSide
from proxyapp.dialects.gemini import errors, fields, finish, leveling, proving, usage
from proxyapp.dialects.gemini.tables import FAMILY
from proxyapp.dialects.gemini.turns import put_sentinels
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BodyUnreadable, UpstreamBroken
from proxyapp.ir import prompts
from proxyapp.ir.response import Finish

_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SIGNATURES = ("thoughtSignature", "thought_signature")

# --- the request


def patch(body: Body, model: str, side: UpstreamSide) -> bytes:
    """The caller's body. Envelopes of ours are opened for their owner and taken away from all others; every other
    value keeps its bytes."""
    top = dict(body.top)
    for name in ("model", "stream"):  # in the address; a name of ours would contradict it
        top.pop(name, None)
    if proving.MARK in body.raw and "contents" in top:
        top["contents"] = _unsealed(top["contents"], side)
    if side.max_output is not None:
        _cap(top, side, side.max_output)
    if side.level is not None:
        leveling.put(top, side, side.level)
    if side.system_prompt:
        key = _key(top, "systemInstruction")
        top[key] = _with_prompt(top.get(key), side.system_prompt)
    return jsonio.encode(top)


def _key(top: dict[str, Any], name: str) -> str:
    """The spelling the caller used."""
    return fields.snake(name) if fields.snake(name) in top and name not in top else name


def _cap(top: dict[str, Raw], side: UpstreamSide, most: int) -> None:
    key = _key(top, "generationConfig")
    config = jsonio.try_object(bytes(top.get(key, b"{}")))
    if config is None:
        return  # not what it should be: the upstream will say so
    limit = _key(config, "maxOutputTokens")
    asked = config.get(limit)
    if isinstance(asked, int) and not isinstance(asked, bool) and 0 < asked <= most:
        return
    if asked:
        sentence = f"The limit was lowered to {most}, the most allowed."
        side.drop("generationConfig.maxOutputTokens", sentence, dropped=False)
    top[key] = Raw(jsonio.encode({**config, limit: most}))


def _with_prompt(raw: Raw | None, prompt: str) -> Raw:
    """The operator's system prompt before the caller's, once. Something else than a content, its parts or a text
    stays: the upstream will say what is wrong with it."""
    given = (jsonio.decode(raw) if raw is not None else None) or {}
    content = given if isinstance(given, dict) else {}
    parts = content.get("parts", []) if given is content else given
    if isinstance(parts, str):
        parts = [{"text": parts}]
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list):
        assert raw is not None  # what is not there is no such thing
        return raw
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if raw is not None and prompts.is_there(prompt, [text if isinstance(text, str) else "" for text in texts]):
        return raw
    return Raw(jsonio.encode({**content, "parts": [{"text": prompt}, *parts]}))


def _unsealed(raw: Raw, side: UpstreamSide) -> Raw:
    try:
        contents = jsonio.decode(raw)
    except BodyUnreadable:
        return raw
    if not _is_sound(contents):
        return raw
    kept = []
    for content in contents:
        parts = [part for part in (_unsealed_part(part, side) for part in content["parts"]) if part is not None]
        if parts:
            kept.append({**content, "parts": parts})
    if side.profile.signed_calls:
        put_sentinels(kept, side, "contents")
    return Raw(jsonio.encode(kept))


def _is_sound(contents: Any) -> bool:
    """Contents with parts, as they should be; of others the upstream will say what is wrong."""
    return isinstance(contents, list) and all(
        isinstance(content, dict)
        and isinstance(content.get("parts"), list)
        and all(isinstance(part, dict) for part in content["parts"])
        for content in contents
    )


def _unsealed_part(part: dict[str, Any], side: UpstreamSide) -> dict[str, Any] | None:
    """The part with its own proof opened, or without a foreign one; None for a thought that is another's."""
    key = next((name for name in _SIGNATURES if isinstance(part.get(name), str)), "")
    envelope = proving.envelope_in(part.get(key)) if key else None
    if envelope is None:
        return part
    proof = side.sealer.unwrap(envelope, family=FAMILY, group=side.profile.model_group, account=side.account)
    if proof is not None:
        return {**part, key: proof}
    rest = {name: value for name, value in part.items() if name != key}
    return None if part.get("thought") is True or rest.get("text") == "" else rest


# --- the answer


class _Candidate(Struct, rename="camel"):
    content: Any = None
    finish_reason: Any = None
    finish_message: Any = None
    index: int | None = None


class _Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: Any = None
    prompt_feedback: Any = None
    response_id: str | None = None
    model_version: str | None = None


_chunk = msgspec.json.Decoder(_Chunk)


class GeminiTap:
    """Reads along. There is no end mark: a stream that gave its reason is complete when its bytes end."""

    def __init__(self) -> None:
        self.glimpse = Glimpse()
        self.has_content = False
        self.is_done = False
        self._counts: dict[str, Any] = {}
        self._called = False

    def feed(self, frame: Frame) -> bool:
        data = frame.data or frame.raw.strip()
        if data[:1] not in (b"{", b"["):
            return False  # a comment line: Google's SDKs take it for a piece of JSON
        if b'"error"' in data:
            self.glimpse.error = errors.reported(_value(data), data)
        if self.glimpse.error is None:
            with contextlib.suppress(*_FAULTS):
                self._read(_chunk.decode(data))
        return True

    def _read(self, chunk: _Chunk) -> None:
        seen = self.glimpse
        seen.id, seen.model = chunk.response_id or seen.id, chunk.model_version or seen.model
        if isinstance(chunk.usage_metadata, dict):
            self._counts |= {key: value for key, value in chunk.usage_metadata.items() if value is not None}
            seen.usage = usage.parse(self._counts)
        blocked = finish.blocked(chunk.prompt_feedback)
        if blocked is not None and seen.finish is None:
            seen.finish = blocked
        for candidate in chunk.candidates or []:
            self._candidate(candidate)

    def _candidate(self, candidate: _Candidate) -> None:
        said, called = _looked_at(candidate.content)
        self.has_content, self._called = self.has_content or said, self._called or called
        ended = _finish_of(candidate, called=self._called)
        if ended is not None and not candidate.index:
            self.glimpse.finish = ended


def _looked_at(content: Any) -> tuple[bool, bool]:
    """(does it say anything, does it call a tool)"""
    parts = content.get("parts") if isinstance(content, dict) else None
    said = called = False
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict):
            called = called or "functionCall" in part
            said = said or any(value for key, value in part.items() if key not in ("thought", "thoughtSignature"))
    return said, called


def _finish_of(candidate: _Candidate, *, called: bool) -> Finish | None:
    word = finish.word_of(candidate.finish_reason)
    return finish.parse(word, candidate.finish_message, called=called) if word else None


def _value(data: bytes) -> Any:
    try:
        return jsonio.decode(data)
    except BodyUnreadable:
        return None


def glimpse(answer: bytes) -> Glimpse:
    """A whole answer, read as far as the books need it. Raises nothing."""
    tap = GeminiTap()
    try:
        told = _chunk.decode(answer)
    except _FAULTS:
        told = _Chunk()
    if told.candidates is None and told.prompt_feedback is None:
        fault = errors.reported(_value(answer), answer)
        return Glimpse(error=fault or UpstreamBroken("The upstream's answer holds no candidate."))
    tap._read(told)
    return tap.glimpse
