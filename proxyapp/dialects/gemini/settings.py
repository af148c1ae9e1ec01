"""Limits, sampling, output format and the fields of other dialects as `generationConfig` and its neighbours.

By the tables 2.4, 2.6 and 2.7 of reference/translation.md. Nothing is sent that the caller did not give.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import cleaning, jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini.tables import FOREIGN_EXTRAS, NAME, SEED_MAX, SERVICE_TIER, STOP_MAX
from proxyapp.dialects.gemini.thinking import thinking_config
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Format, Request

Fields = dict[str, Any]

_JSON_HINT = "Answer with one JSON object and nothing else: no prose, no code fence."
_SCHEMA_HINT = "Answer with JSON that follows this schema and nothing else: no prose, no code fence."


def generation_config(request: Request, side: UpstreamSide, instructions: list[str], *, tools: bool) -> Fields:
    """`instructions` gets what has to be asked for in words. Raises Unsupported."""
    _refuse_impossible(request, side)
    config = {**_limits(request, side), **_sampling(request, side), **_logprobs(request)}
    config |= _format(request, side, instructions, tools=tools)
    if thinking := thinking_config(request, side):
        config["thinkingConfig"] = thinking
    return config


def _refuse_impossible(request: Request, side: UpstreamSide) -> None:
    if request.n > 1:
        raise Unsupported("This gateway gives one answer a request here.", param=request.word("n"))
    if request.logit_bias:
        if any(bias <= -100 for bias in request.logit_bias.values()):
            side.refuse("logit_bias", "This model cannot be kept from using certain tokens.")
        else:
            side.drop("logit_bias", "This model takes no token biases.")
    if request.verbosity not in (None, "medium"):
        side.drop(request.word("verbosity"), "This model has no verbosity setting.")
    if request.store and request.client_dialect != NAME:
        side.drop("store", "The upstream is not asked to store anything.")


def _limits(request: Request, side: UpstreamSide) -> Fields:
    config: Fields = {}
    limit, most = request.max_output, side.profile.max_output
    if 0 in (limit, request.extras.get("max_tokens")):
        raise Unsupported("An output limit of 0 only warms a cache; this model cannot do so.", param="max_tokens")
    if limit is not None and most is not None and limit > most:
        side.drop(request.word("max_tokens"), f"The model makes at most {most} tokens.", dropped=False)
        limit = most
    if limit is not None:
        config["maxOutputTokens"] = limit
    if stop := [sequence for sequence in request.stop if sequence]:
        kept = side.profile.stop_max or STOP_MAX
        if len(stop) > kept:
            side.drop(request.word("stop"), f"Only the first {kept} stop sequences were sent.", dropped=False)
        config["stopSequences"] = stop[:kept]
    return config


def _sampling(request: Request, side: UpstreamSide) -> Fields:
    config: Fields = {}
    temperature = request.temperature
    if temperature is not None and temperature > 2:
        side.drop(request.word("temperature"), "The highest temperature of this model is 2.", dropped=False)
        temperature = 2.0
    pairs = (
        ("temperature", temperature),
        ("topP", request.top_p),
        ("topK", request.top_k),
        ("frequencyPenalty", request.frequency_penalty),
        ("presencePenalty", request.presence_penalty),
    )
    config |= {name: value for name, value in pairs if value is not None}
    if request.seed is not None:
        seed = request.seed & SEED_MAX
        if seed != request.seed:
            side.drop(request.word("seed"), "The seed was folded into 31 bits.", dropped=False)
        config["seed"] = seed
    return config


def _logprobs(request: Request) -> Fields:
    if not request.logprobs and not (request.logprobs is None and request.top_logprobs):
        return {}
    return {"responseLogprobs": True, **({"logprobs": request.top_logprobs} if request.top_logprobs else {})}


# --- output format (2.6)


def _format(request: Request, side: UpstreamSide, instructions: list[str], *, tools: bool) -> Fields:
    wanted, path = request.format, request.word("format")
    if wanted is None or wanted.kind == "text":
        return {}
    if tools and not side.profile.format_with_tools:
        side.refuse(path, "This model takes no schema for its answer beside tools.")
        instructions.append(_in_words(wanted))
        return {}
    if wanted.kind == "json_object":
        return {"responseMimeType": "application/json"}
    fitted, was_cut = cleaning.answer(wanted.schema, as_json=side.profile.json_schema)
    if was_cut:
        side.drop(path, "A part of the schema that holds itself was cut off.", dropped=False)
    key = "responseJsonSchema" if side.profile.json_schema else "responseSchema"
    return {"responseMimeType": "application/json", key: fitted}


def _in_words(wanted: Format) -> str:
    return _JSON_HINT if wanted.kind == "json_object" else f"{_SCHEMA_HINT}\n{jsonio.text(wanted.schema or {})}"


# --- beside generationConfig


def service_tier(request: Request, side: UpstreamSide) -> str | None:
    tier = request.service_tier
    if tier is None:
        return None
    if tier not in SERVICE_TIER:
        side.refuse("service_tier", f"The service tier `{tier}` is not known here.")
        return None
    word = SERVICE_TIER[tier]
    if word == "":
        side.drop("service_tier", f"This provider has no service tier `{tier}`.")
    return word or None


def judge_extras(request: Request, side: UpstreamSide) -> Fields:
    """Fields that the IR does not model: this dialect's own go back, those of others are judged by the table."""
    if request.client_dialect == NAME:
        return {key: value for key, value in request.extras.items() if "." not in key}
    for field, value in request.extras.items():
        _judge(field, value, side)
    return {}


def _judge(field: str, value: Any, side: UpstreamSide) -> None:
    if value is None or value is False:
        return
    if field == "modalities" and isinstance(value, list):
        if any(str(modality).lower() != "text" for modality in value):
            raise Unsupported("This gateway gives text only here.", param=field)
        return
    code = FOREIGN_EXTRAS.get(field, "W")
    if field == "moderation" and "block" in str(value):
        code = "E*"
    sentence = f"This provider has no counterpart of `{field}`."
    if code == "E":
        raise Unsupported(sentence, param=field)
    if code == "E*":
        side.refuse(field, sentence)
    elif code == "W":
        side.drop(field, sentence)
