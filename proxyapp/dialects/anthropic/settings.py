"""Limits, sampling, identity and the fields of other dialects, by the tables 2.4 and 2.7.

Nothing is sent that the caller did not give, but for `max_tokens`, which this wire requires.
"""

from __future__ import annotations

import hashlib
from typing import Any

from proxyapp.dialects.anthropic.tables import FOREIGN_EXTRAS, NAME, SERVICE_TIER, USER_ID_LIMIT
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Request


def limit(request: Request, side: UpstreamSide) -> int:
    """`max_tokens`: what the caller said, at most what the model can make; else the model's most (2.4.1)."""
    most = side.profile.max_output
    if request.max_output is None:
        return most or side.profile.default_max_output
    if most is not None and request.max_output > most:
        path = request.word("max_tokens")
        side.drop(path, f"The model makes at most {most} tokens.", dropped=False)
        return most
    return max(1, request.max_output)


def refuse_impossible(request: Request, side: UpstreamSide) -> None:
    """Raises Unsupported for what would give the caller something else than it asked for."""
    path = request.word("n")
    if request.n > 1:
        raise Unsupported("This model gives one answer a request.", param=path)
    if request.logprobs or (request.logprobs is None and request.top_logprobs):
        side.refuse(request.word("logprobs"), "This model gives no log probabilities.")
    if request.logit_bias:
        if any(bias <= -100 for bias in request.logit_bias.values()):
            side.refuse("logit_bias", "This model cannot be kept from using certain tokens.")
        else:
            side.drop("logit_bias", "This model takes no token biases.")


def drop_unknown(request: Request, side: UpstreamSide) -> None:
    """Weak settings without a counterpart: each with a Note, and zero penalties, which say nothing, without."""
    if request.seed is not None:
        side.drop(request.word("seed"), "This model takes no seed.")
    for field in ("frequency_penalty", "presence_penalty"):
        if getattr(request, field):
            side.drop(request.word(field), "This model takes no penalties.")
    if request.verbosity not in (None, "medium"):
        side.drop(request.word("verbosity"), "This model has no verbosity setting.")


def sampling(request: Request, side: UpstreamSide, *, thinking: bool) -> dict[str, Any]:
    """temperature, top_p, top_k and stop sequences as far as the model takes them."""
    body: dict[str, Any] = {}
    temperature = _temperature(request, side, thinking=thinking)
    if temperature is not None:
        body["temperature"] = temperature
    top_p = _top_p(request, side, thinking=thinking, beside=temperature is not None)
    if top_p is not None:
        body["top_p"] = top_p
    if request.top_k is not None:
        if not side.profile.sampling or thinking:
            side.drop(request.word("top_k"), _why(thinking))
        else:
            body["top_k"] = int(request.top_k)
    stop = _stop(request, side)
    if stop:
        body["stop_sequences"] = stop
    return body


def _temperature(request: Request, side: UpstreamSide, *, thinking: bool) -> float | None:
    value, path = request.temperature, request.word("temperature")
    if value is None:
        return None
    if not side.profile.sampling or (thinking and value != 1):
        side.drop(path, _why(thinking and side.profile.sampling))
        return None
    if value > 1:
        side.drop(path, "The highest temperature of this model is 1.", dropped=False)
        return 1.0
    return max(0, value)


def _top_p(request: Request, side: UpstreamSide, *, thinking: bool, beside: bool) -> float | None:
    value, path = request.top_p, request.word("top_p")
    if value is None:
        return None
    if not side.profile.sampling or (thinking and value < 0.95):
        side.drop(path, _why(thinking and side.profile.sampling))
        return None
    if beside and not side.profile.temperature_and_top_p:
        side.drop(path, "This model takes temperature or top_p, not both.")
        return None
    return value


def _why(thinking: bool) -> str:
    return "Not taken while the model thinks." if thinking else "This model chooses its own sampling."


def _stop(request: Request, side: UpstreamSide) -> list[str]:
    path = request.word("stop")
    stop = [sequence for sequence in request.stop if sequence.strip()]
    if len(stop) != len(request.stop):
        side.drop(path, "Stop sequences of white space alone are not taken.")
    most = side.profile.stop_max
    if most is not None and len(stop) > most:
        side.drop(path, f"Only the first {most} stop sequences were sent.", dropped=False)
        stop = stop[:most]
    return stop


def identity(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """`metadata.user_id` and `service_tier`."""
    body: dict[str, Any] = {}
    if request.end_user:
        user = request.end_user
        if len(user) > USER_ID_LIMIT:
            user = hashlib.sha256(user.encode()).hexdigest()
        body["metadata"] = {"user_id": user}
    tier = _tier(request, side)
    if tier is not None:
        body["service_tier"] = tier
    return body


def _tier(request: Request, side: UpstreamSide) -> str | None:
    tier = request.service_tier
    if tier is None or request.client_dialect == NAME:
        return tier
    if tier not in SERVICE_TIER:
        side.refuse("service_tier", f"The service tier `{tier}` is not known here.")
        return None
    if SERVICE_TIER[tier] is None:
        side.drop("service_tier", f"This provider has no service tier `{tier}`.")
    return SERVICE_TIER[tier]


def extras(request: Request, side: UpstreamSide, body: dict[str, Any]) -> None:
    """This dialect's own unknown fields go back as they came; those of others are judged by the table."""
    if request.client_dialect != NAME:
        for field, value in request.extras.items():
            _foreign(field, value, side)
        return
    for field, value in request.extras.items():
        if isinstance(value, dict) and isinstance(body.get(field), dict):
            body[field] = {**value, **body[field]}
        else:
            body[field] = value


def _foreign(field: str, value: Any, side: UpstreamSide) -> None:
    if value is None or value is False:
        return
    if field in ("modalities", "responseModalities") and isinstance(value, list):
        if any(str(modality).lower() != "text" for modality in value):
            raise Unsupported("This model answers in text only.", param=field)
        return
    code = FOREIGN_EXTRAS.get(field, "W")
    if field == "moderation" and isinstance(value, dict) and "block" in str(value):
        code = "E*"
    sentence = f"This provider has no counterpart of `{field}`."
    if code == "E":
        raise Unsupported(sentence, param=field)
    if code == "E*":
        side.refuse(field, sentence)
    elif code == "W":
        side.drop(field, sentence)
