"""Embeddings as Gemini makes them: `:embedContent` for one text, `:batchEmbedContents` for many.

Facts: reference/translation.md 9.3. Vectors that were shortened by `outputDimensionality` are not normalised here: some
models do it themselves, and callers of the others know.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.gemini import fields
from proxyapp.errors import BadRequest, Unsupported, UpstreamBroken
from proxyapp.ir.embeddings import Embeddable, EmbeddingRequest, EmbeddingResponse, as_floats
from proxyapp.ir.usage import Usage

_COLLECTIONS = ("models/", "tunedModels/")
_ONE, _MANY = "embedContent", "batchEmbedContents"


class _Vector(Struct):
    values: list[float]


class _Answer(Struct, rename="camel"):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    usage_metadata: Raw = Raw()


_answer = msgspec.json.Decoder(_Answer)
_requests = msgspec.json.Decoder(list[dict[str, Raw]])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def full_name(model: str) -> str:
    """As Google writes it in bodies: `models/…`."""
    return model if model.startswith(_COLLECTIONS) else f"models/{model}"


class GeminiEmbeddings:
    """Both endpoints, in both roles."""

    most = 100
    operation = _MANY

    def asked(self, body: Body) -> str:
        return _MANY if "requests" in body.top else _ONE

    # --- client side

    def parse_request(self, body: dict[str, Any], model: str) -> EmbeddingRequest:
        if "requests" not in body:
            inputs, dimensions = [_one(body, "")], {_dimensions(body, "")}
        else:
            given = fields.listing(body, "requests")
            if not given:
                raise fields.wrong("requests", "a list that is not empty")
            records = [(fields.as_record(each, f"requests.{n}"), f"requests.{n}") for n, each in enumerate(given)]
            inputs = [_one(each, path) for each, path in records]
            dimensions = {_dimensions(each, path) for each, path in records}
        if len(dimensions) > 1:
            raise Unsupported("This model makes all embeddings of a request in one size.", param="requests")
        return EmbeddingRequest(model=model, inputs=inputs, dimensions=dimensions.pop(), single="requests" not in body)

    def render_response(self, response: EmbeddingResponse, request: EmbeddingRequest) -> dict[str, Any]:
        vectors = [{"values": as_floats(vector)} for vector in response.vectors]
        body: dict[str, Any] = {"embedding": vectors[0]} if request.single else {"embeddings": vectors}
        if response.usage is not None:
            body["usageMetadata"] = {"promptTokenCount": response.usage.total_input}
        return body

    # --- upstream side

    def render_request(self, request: EmbeddingRequest, side: UpstreamSide) -> dict[str, Any]:
        requests = []
        for each in request.inputs:
            if each.tokens is not None:
                raise Unsupported("Google's models embed texts, not the tokens of another model.", param=each.path)
            one: dict[str, Any] = {"model": full_name(side.model), "content": {"parts": [{"text": each.text}]}}
            said = {"taskType": each.task, "title": each.title, "outputDimensionality": request.dimensions}
            requests.append({**one, **{name: value for name, value in said.items() if value is not None}})
        return {"requests": requests}

    def parse_response(self, raw: bytes, count: int) -> EmbeddingResponse:
        answer = _read(raw)
        vectors = answer.embeddings if answer.embeddings is not None else [answer.embedding]
        found = [vector.values for vector in vectors if vector is not None]
        if len(found) != count:
            raise UpstreamBroken(f"The upstream made {len(found)} embeddings of {count} texts.")
        return EmbeddingResponse(vectors=list(found), usage=_usage(answer.usage_metadata))

    # --- pass-through

    def patch(self, body: Body, model: str) -> bytes:
        """Both levels of a batch may name the model; the server wants them all alike."""
        top = dict(body.top)
        name = Raw(jsonio.encode(full_name(model)))
        if "model" in top:
            top["model"] = name
        if "requests" in top:
            try:
                requests = _requests.decode(top["requests"])
            except _FAULTS:
                return jsonio.encode(top)  # not what it should be: the upstream will say so
            top["requests"] = Raw(jsonio.encode([{**each, "model": name} for each in requests]))
        return jsonio.encode(top)

    def usage(self, raw: bytes) -> Usage | None:
        return _usage(_read(raw).usage_metadata)

    def relay(self, raw: bytes, body: Body, tokens: int | None) -> bytes:
        """As it came: usage may be missing in this form."""
        return raw


def _one(request: dict[str, Any], path: str) -> Embeddable:
    content = fields.record(request, "content", path)
    at = fields.join(path, "content")
    if content is None:
        raise fields.wrong(at, "given")
    texts = []
    for number, part in enumerate(fields.listing(content, "parts", at)):
        record = fields.as_record(part, f"{at}.parts.{number}")
        text = fields.text(record, "text", f"{at}.parts.{number}")
        if text is None:
            raise Unsupported("This model embeds texts alone.", param=f"{at}.parts.{number}")
        texts.append(text)
    if not any(texts):
        raise BadRequest("The content to embed is empty.", param=at)
    config = fields.record(request, "embedContentConfig", path) or {}
    return Embeddable(
        text="\n".join(texts),
        title=fields.text(request, "title", path) or fields.text(config, "title", path),
        task=fields.text(request, "taskType", path) or fields.text(config, "taskType", path),
        path=at,
    )


def _dimensions(request: dict[str, Any], path: str) -> int | None:
    config = fields.record(request, "embedContentConfig", path) or {}
    said = fields.pick(request, "outputDimensionality")
    said = fields.pick(config, "outputDimensionality") if said is None else said
    if said is not None and (type(said) is not int or said < 1):
        raise fields.wrong(fields.join(path, "outputDimensionality"), "a number above 0")
    return said


def _read(raw: bytes) -> _Answer:
    try:
        answer = _answer.decode(raw)
    except _FAULTS as exc:
        raise UpstreamBroken("The upstream's answer holds no embeddings.") from exc
    if answer.embeddings is None and answer.embedding is None:
        raise UpstreamBroken("The upstream's answer holds no embeddings.")
    return answer


def _usage(raw: Raw) -> Usage | None:
    said = jsonio.try_object(bytes(raw))
    tokens = said.get("promptTokenCount") if said else None
    return Usage(fresh_input=tokens, raw=said) if type(tokens) is int and tokens >= 0 else None


EMBEDDINGS = GeminiEmbeddings()
