"""A caller's generateContent body as an IR Request (reference/translation.md 2). Raises BadRequest."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, Peek
from proxyapp.dialects.gemini import fields
from proxyapp.dialects.gemini.contents import Reader, read_system
from proxyapp.dialects.gemini.openapi import as_json_schema
from proxyapp.dialects.gemini.tables import NAME, WORDS
from proxyapp.dialects.gemini.tools import read_tools
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir.parts import Text
from proxyapp.ir.request import Format, ReasoningSettings, Request

_CONFIG = "generationConfig"
_MODELLED = frozenset(
    {
        "model", "stream", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "labels",
        "store", "serviceTier", "cachedContent",
    }
)  # fmt: skip
_CONFIG_MODELLED = frozenset(
    {
        "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "presencePenalty",
        "frequencyPenalty", "seed", "responseMimeType", "responseSchema", "responseJsonSchema", "responseFormat",
        "responseLogprobs", "logprobs", "responseModalities", "thinkingConfig",
    }
)  # fmt: skip
_NO_OBJECTS = ("array", "string", "number", "integer", "boolean")
_IN_WORDS = "Answer with JSON that follows this schema and nothing else: no prose, no code fence."
_LEVELS = ("minimal", "low", "medium", "high", "xhigh")


def peek(body: Body) -> Peek:
    """The address names model and verb; a body that names its model, and whether it wants a stream, is understood where
    there is none."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("The model is named in the address: /v1beta/models/{model}:generateContent.", param="model")
    return Peek(model=model.removeprefix("models/"), stream=body.get("stream") is True)


def parse_request(body: dict[str, Any], side: ClientSide) -> Request:
    """Lenient in what it takes, both spellings of every field; what has no place in the IR goes to `extras`."""
    asked, model = side.asked, body.get("model")
    request = Request(
        client_dialect=NAME,
        words=WORDS,
        model=asked.model if asked else str(model or "").removeprefix("models/"),
        stream=asked.stream if asked else body.get("stream") is True,
        include_usage=True,
        system=read_system(fields.pick(body, "systemInstruction")),
        turns=Reader(side).turns(fields.pick(body, "contents")),
        metadata={key: str(value) for key, value in (fields.record(body, "labels") or {}).items()},
        store=fields.flag(body, "store"),
        service_tier=_tier(body),
    )
    if fields.pick(body, "cachedContent") is not None:
        raise Unsupported("Cached content lies at Google; this model cannot read it.", param="cachedContent")
    read_tools(body, request, side)
    config = fields.record(body, _CONFIG) or {}
    _sampling(config, request)
    _output(config, request, side)
    request.reasoning = _reasoning(config)
    request.extras = {k: v for k, v in fields.camelled(body).items() if k not in _MODELLED and v not in ([], {})}
    for key, value in fields.camelled(config).items():
        if key not in _CONFIG_MODELLED:
            request.extras[f"{_CONFIG}.{key}"] = value
    return request


def _tier(body: dict[str, Any]) -> str | None:
    tier = fields.text(body, "serviceTier")
    return None if tier is None or tier.lower().endswith("unspecified") else tier.lower()


def _sampling(config: dict[str, Any], request: Request) -> None:
    request.temperature = fields.number(config, "temperature", _CONFIG)
    request.top_p = fields.number(config, "topP", _CONFIG)
    request.top_k = fields.whole(config, "topK", _CONFIG)
    request.frequency_penalty = fields.number(config, "frequencyPenalty", _CONFIG)
    request.presence_penalty = fields.number(config, "presencePenalty", _CONFIG)
    request.seed = fields.whole(config, "seed", _CONFIG)
    request.stop = fields.texts(config, "stopSequences", _CONFIG)
    limit, count = fields.whole(config, "maxOutputTokens", _CONFIG), fields.whole(config, "candidateCount", _CONFIG)
    for name, value in (("maxOutputTokens", limit), ("candidateCount", count)):
        if value is not None and value < 0:
            raise fields.wrong(f"{_CONFIG}.{name}", "at least 1")
    request.max_output = limit or None  # protobuf: 0 is the same as not said
    request.n = count or 1
    request.logprobs = fields.flag(config, "responseLogprobs", _CONFIG)
    request.top_logprobs = fields.whole(config, "logprobs", _CONFIG)


def _ask_in_words(schema: dict[str, Any], mime: str, request: Request, side: ClientSide) -> None:
    """Google's models take a schema of a list or of one word; all others want an object at the root."""
    wanted = f"{_IN_WORDS}\n{jsonio.text(schema)}"
    if mime.lower().endswith("enum"):
        listed = schema.get("enum")
        words = [str(word) for word in listed if word is not None] if isinstance(listed, list) else []
        wanted = f"Answer with exactly one of these and nothing else: {', '.join(words)}"
    request.system.append(Text(text=wanted))
    side.notes.add(WORDS["format"], "The model is asked for this form of answer in words.", dropped=False)


def _output(config: dict[str, Any], request: Request, side: ClientSide) -> None:
    modalities = [str(word).upper() for word in fields.listing(config, "responseModalities", _CONFIG)]
    if any(word not in ("TEXT", "MODALITY_UNSPECIFIED") for word in modalities):
        raise Unsupported("This model answers in text only.", param=f"{_CONFIG}.responseModalities")
    newer = fields.record(fields.record(config, "responseFormat", _CONFIG) or {}, "text", f"{_CONFIG}.responseFormat")
    mime = fields.text(config, "responseMimeType", _CONFIG) or fields.text(newer or {}, "mimeType", _CONFIG) or ""
    schema = fields.record(config, "responseJsonSchema", _CONFIG) or fields.record(newer or {}, "schema", _CONFIG)
    if schema is None and (older := fields.record(config, "responseSchema", _CONFIG)) is not None:
        schema = as_json_schema(older, f"{_CONFIG}.responseSchema")
    if schema is not None and (schema.get("type") in _NO_OBJECTS or mime.lower().endswith("enum")):
        _ask_in_words(schema, mime, request, side)
    elif schema is not None:
        request.format = Format(kind="json_schema", schema=schema, always_held=True)
    elif mime.lower().endswith("json"):
        request.format = Format(kind="json_object")
    elif mime.lower().endswith("enum"):
        raise fields.wrong(f"{_CONFIG}.responseSchema", "given: an enum is asked for")


def _reasoning(config: dict[str, Any]) -> ReasoningSettings | None:
    """6.1: a level or a budget; `includeThoughts` says whether the text is to be seen."""
    at = f"{_CONFIG}.thinkingConfig"
    spec = fields.record(config, "thinkingConfig", _CONFIG)
    if spec is None:
        return None
    show = bool(fields.flag(spec, "includeThoughts", at))  # not said is the same as no
    budget, level = fields.whole(spec, "thinkingBudget", at), fields.pick(spec, "thinkingLevel")
    word = _level(level, at)
    if budget is not None:
        if budget == 0:
            return ReasoningSettings(mode="off", show=show)
        if budget < 0:
            return ReasoningSettings(mode="adaptive", show=show)
        return ReasoningSettings(mode="budget", budget=budget, show=show)
    if word:
        return ReasoningSettings(mode="effort", effort=word, show=show)
    return ReasoningSettings(mode="adaptive", show=True) if show else None


def _level(value: Any, at: str) -> str:
    if value is None:
        return ""
    word = value.lower() if isinstance(value, str) else ""
    if word in _LEVELS:
        return word
    if word in ("", "thinking_level_unspecified"):
        return ""
    raise fields.wrong(f"{at}.thinkingLevel", "one of MINIMAL, LOW, MEDIUM, HIGH, XHIGH")
