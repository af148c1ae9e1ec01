"""Embeddings as OpenAI's servers make them, and all that copy them (reference/translation.md 9.3, upstreams.md 5.1.5).

The official SDK asks for base64 whenever its caller did not choose, and not every server knows that: whatever comes
back, the caller gets the form it asked for.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.openai.forwarded import error_in
from proxyapp.errors import BadRequest, UpstreamBroken
from proxyapp.ir.embeddings import (
    Embeddable,
    EmbeddingRequest,
    EmbeddingResponse,
    Vector,
    as_base64,
    as_floats,
)
from proxyapp.ir.usage import Usage

_MOST_DIMENSIONS = 1_000_000


class _Item(Struct):
    embedding: Raw
    index: Any = None


class _Answer(Struct):
    data: list[_Item]
    model: Any = None
    usage: Raw = Raw()


_answer = msgspec.json.Decoder(_Answer)
_floats = msgspec.json.Decoder(list[float])
_text = msgspec.json.Decoder(str)
_top = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[dict[str, Raw]])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OpenAIEmbeddings:
    """POST /v1/embeddings, in both roles."""

    most = 2048
    operation = "embeddings"

    def asked(self, body: Body) -> str:
        return self.operation

    # --- client side

    def parse_request(self, body: dict[str, Any], model: str) -> EmbeddingRequest:
        # Google's word, which the SDK passes on in its `extra_body`.
        task = _maybe(body, "task_type", str) or _maybe(body, "taskType", str)
        inputs = _inputs(body.get("input"))
        for each in inputs:
            each.task = task
        dimensions = _maybe(body, "dimensions", int)
        if dimensions is not None and not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise BadRequest("dimensions must be a number above 0.", param="dimensions")
        return EmbeddingRequest(
            model=model,
            inputs=inputs,
            dimensions=dimensions,
            base64=wants_base64(body.get("encoding_format")),
            user=_maybe(body, "user", str),
        )

    def render_response(self, response: EmbeddingResponse, request: EmbeddingRequest) -> dict[str, Any]:
        form = as_base64 if request.base64 else as_floats
        tokens = response.usage.total_input if response.usage is not None else 0
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": form(vector)}
                for index, vector in enumerate(response.vectors)
            ],
            "model": response.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    # --- upstream side

    def render_request(self, request: EmbeddingRequest, side: UpstreamSide) -> dict[str, Any]:
        inputs = [each.text if each.tokens is None else each.tokens for each in request.inputs]
        if any(each.task is not None for each in request.inputs):
            side.drop("taskType", "The upstream knows no purposes of embeddings.")
        if any(each.title is not None for each in request.inputs):
            side.drop("title", "The upstream knows no titles of what is embedded.")
        body: dict[str, Any] = {"model": side.model, "input": inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if request.base64:
            body["encoding_format"] = "base64"
        if request.user is not None:
            body["user"] = request.user
        return body

    def parse_response(self, raw: bytes, count: int) -> EmbeddingResponse:
        answer = _read(raw)
        items = sorted(answer.data, key=lambda item: item.index if isinstance(item.index, int) else 0)
        if len(items) != count:
            raise UpstreamBroken(f"The upstream made {len(items)} embeddings of {count} texts.")
        vectors = [_vector(item.embedding) for item in items]
        return EmbeddingResponse(
            vectors=vectors, model=answer.model if isinstance(answer.model, str) else "", usage=_usage(answer.usage)
        )

    # --- pass-through

    def patch(self, body: Body, model: str) -> bytes:
        return jsonio.encode({**body.top, "model": model})

    def usage(self, raw: bytes) -> Usage | None:
        return _usage(_read(raw).usage)

    def relay(self, raw: bytes, body: Body, tokens: int | None) -> bytes:
        """The answer in the form that was asked for; with `tokens` where it says nothing of its usage."""
        answer = _read(raw)
        base64 = wants_base64(body.get("encoding_format"))
        other = [item for item in answer.data if _is_text(item.embedding) is not base64]
        if not other and tokens is None:
            return raw
        top = _top.decode(raw)
        if other:
            top["data"] = Raw(jsonio.encode([_as_asked(item, base64) for item in _items.decode(top["data"])]))
        if tokens is not None:
            top["usage"] = Raw(jsonio.encode({"prompt_tokens": tokens, "total_tokens": tokens}))
        return jsonio.encode(top)


def wants_base64(said: Any) -> bool:
    """Floats, when nothing was said. Raises BadRequest."""
    if said not in (None, "float", "base64"):
        raise BadRequest("encoding_format must be 'float' or 'base64'.", param="encoding_format")
    return bool(said == "base64")


def _inputs(said: Any) -> list[Embeddable]:
    """A text, tokens, or a list of either."""
    if isinstance(said, str):
        return [_one(said, "input")]
    if not isinstance(said, list) or not said:
        raise BadRequest("input must be a text, a list of texts, or tokens.", param="input")
    if all(isinstance(each, int) for each in said):
        return [_one(said, "input")]
    return [_one(each, f"input.{number}") for number, each in enumerate(said)]


def _one(said: Any, path: str) -> Embeddable:
    if isinstance(said, str):
        if not said:
            raise BadRequest("input cannot be an empty string.", param=path)
        return Embeddable(text=said, path=path)
    if not isinstance(said, list) or not said or not all(type(each) is int and each >= 0 for each in said):
        raise BadRequest("input must be a text, a list of texts, or tokens.", param=path)
    return Embeddable(tokens=said, path=path)


def _maybe(body: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = body.get(name)
    if value is not None and type(value) is not kind:
        raise BadRequest(f"{name} is of a wrong type.", param=name)
    return value


def _read(raw: bytes) -> _Answer:
    try:
        return _answer.decode(raw)
    except _FAULTS as exc:
        reported = error_in(jsonio.try_object(raw), raw)
        raise reported or UpstreamBroken("The upstream's answer holds no embeddings.") from exc


def _is_text(embedding: Raw) -> bool:
    return bytes(embedding).lstrip()[:1] == b'"'


def _vector(embedding: Raw) -> Vector:
    try:
        return _text.decode(embedding) if _is_text(embedding) else _floats.decode(embedding)
    except _FAULTS as exc:
        raise UpstreamBroken("The upstream's answer holds an embedding that is none.") from exc


def _as_asked(item: dict[str, Raw], base64: bool) -> dict[str, Any]:
    """A form that is neither (some servers make several vectors of a text) stays as it is."""
    try:
        vector = _vector(item["embedding"])
    except UpstreamBroken:
        return item
    try:
        return {**item, "embedding": as_base64(vector) if base64 else as_floats(vector)}
    except ValueError as exc:
        raise UpstreamBroken("The upstream's answer holds an embedding that is none.") from exc


def _usage(raw: Raw) -> Usage | None:
    said = jsonio.try_object(bytes(raw))
    tokens = said.get("prompt_tokens", said.get("total_tokens")) if said else None
    if type(tokens) is not int or tokens < 0:
        return None
    return Usage(fresh_input=tokens, raw=said)


EMBEDDINGS = OpenAIEmbeddings()
