"""Errors of this dialect, in OpenAI's common form, and the smaller form that stands inside an answer."""

from __future__ import annotations

from proxyapp.dialects.openai.errors import Errors
from proxyapp.dialects.openai_responses.tables import FAILED_CODES, NAME
from proxyapp.errors import GatewayError

ERRORS = Errors(NAME, history="input")


def failure(error: GatewayError) -> dict[str, str]:
    """`error` of a failed answer: a code of a short list, and the message."""
    told = ERRORS.body_of(error)
    code = told["code"]
    if code not in FAILED_CODES:
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
    return {"code": code, "message": told["message"]}
