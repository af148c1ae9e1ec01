"""Whose fault an upstream's no is: the bodies that real services send, read by their dialects."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine import blame
from proxyapp.engine.blame import Blame, Reason
from proxyapp.errors import UpstreamRefused

OPENAI, ANTHROPIC, GEMINI = "openai-chat", "anthropic-messages", "gemini"


def openai(message, code=None, kind="invalid_request_error", **more):
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def anthropic(kind, message, **more):
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


def google(status, message, *details):
    return {"error": {"message": message, "status": status, "details": list(details)}}


def info(kind, **more):
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **more}


def read(dialect, status, body) -> UpstreamRefused:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = DIALECTS[dialect].parse_error(status, {}, raw)
    assert isinstance(error, UpstreamRefused)
    return error


ALL, MODEL = True, False
CASES = [
    ("a key that is unknown", OPENAI, 401, openai("Incorrect API key provided", "invalid_api_key"),
     Reason.REFUSED, ALL),
    ("the same at Anthropic", ANTHROPIC, 401, anthropic("authentication_error", "invalid x-api-key"),
     Reason.REFUSED, ALL),
    ("a restricted key at an endpoint that it may not use", OPENAI, 401,
     openai("You have insufficient permissions for this operation. Missing scopes: api.responses.write. Check that you "
            "have the correct role in your organization."),
     Reason.FORBIDDEN, MODEL),
    ("Google says 400 to a bad key", GEMINI, 400,
     google("INVALID_ARGUMENT", "API key not valid.", info("ErrorInfo", reason="API_KEY_INVALID")),
     Reason.REFUSED, ALL),
    ("the same in Google's Chat Completions", OPENAI, 400, [google("INVALID_ARGUMENT", "API key not valid. Pass one.")],
     Reason.REFUSED, ALL),
    ("no money", OPENAI, 402, openai("Insufficient Balance"), Reason.UNPAID, ALL),
    ("no money, Anthropic's way", ANTHROPIC, 400,
     anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
     Reason.UNPAID, ALL),
    ("a spent quota", OPENAI, 429, openai("You exceeded your current quota", "insufficient_quota"),
     Reason.UNPAID, ALL),
    ("a spend limit", ANTHROPIC, 429,
     anthropic("rate_limit_error", "spent", details={"error_code": "enforced_spend_limit_reached"}),
     Reason.UNPAID, ALL),
    ("a daily quota of one model", GEMINI, 429,
     google("RESOURCE_EXHAUSTED", "quota", info("QuotaFailure", violations=[{"quotaId": "RequestsPerDayPerModel"}])),
     Reason.UNPAID, MODEL),
    ("a rate limit", OPENAI, 429, openai("Rate limit reached for gpt-5", "rate_limit_exceeded"),
     Reason.LIMITED, MODEL),
    ("a rate limit without a word", OPENAI, 429, b"<html>slow down</html>", Reason.LIMITED, MODEL),
    ("a project without billing", GEMINI, 400,
     google("FAILED_PRECONDITION", "Not available in your country. Please enable billing on your project."),
     Reason.UNPAID, ALL),
    ("a closed account", ANTHROPIC, 400, anthropic("invalid_request_error", "This organization has been disabled."),
     Reason.FORBIDDEN, ALL),
    ("a key without rights", ANTHROPIC, 403,
     anthropic("permission_error", "Your API key does not have permission to use the specified resource."),
     Reason.FORBIDDEN, ALL),
    ("a service that is not switched on", GEMINI, 403, google("PERMISSION_DENIED", "Method blocked for the project"),
     Reason.FORBIDDEN, ALL),
    ("a model that the project may not use", OPENAI, 403,
     openai("Project `p` does not have access to model `gpt-5`", "model_not_found"), Reason.FORBIDDEN, MODEL),
    ("a 403 that says little", OPENAI, 403, openai("Forbidden"), Reason.FORBIDDEN, MODEL),
    ("a 403 of the network before the server", OPENAI, 403, b"<html>blocked</html>", Reason.FORBIDDEN, MODEL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "status", "body", "reason", "whole"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_credential_is_to_blame(dialect, status, body, reason, whole):
    error = read(dialect, status, body)
    assert blame.of(error) == Blame(reason, whole=whole)
    assert blame.is_about_credential(error) is (error.status != 429)


NOT_ITS_FAULT = [
    (
        "a caller who makes the upstream repeat words about money",
        OPENAI,
        400,
        openai("Invalid value: 'Your credit balance is too low'. Supported values are: 'low'.", "invalid_value"),
    ),
    (
        "a caller who makes it repeat words about keys",
        GEMINI,
        400,
        google("INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "API key not valid": no such field.'),
    ),
    (
        "a caller who makes it repeat words about accounts",
        ANTHROPIC,
        400,
        anthropic("invalid_request_error", "tools.0.name: 'this organization has been disabled' is no name"),
    ),
    ("a field is wrong", OPENAI, 400, openai("max_tokens is too large", "unsupported_value")),
    ("too long", ANTHROPIC, 400, anthropic("invalid_request_error", "prompt is too long: 300000 tokens > 200000")),
    ("no such model", OPENAI, 404, openai("The model `x` does not exist", "model_not_found")),
    ("too large", OPENAI, 413, openai("too large")),
    ("not valid", OPENAI, 422, openai("not valid")),
    ("broken", OPENAI, 500, openai("oops")),
    ("busy", ANTHROPIC, 529, anthropic("overloaded_error", "Overloaded")),
    ("away", OPENAI, 503, openai("billing service is away")),
]


@pytest.mark.parametrize(
    ("dialect", "status", "body"), [c[1:] for c in NOT_ITS_FAULT], ids=[c[0] for c in NOT_ITS_FAULT]
)
def test_the_credential_is_not_to_blame(dialect, status, body):
    error = read(dialect, status, body)
    assert blame.of(error) is None
    assert not blame.is_about_credential(error)


CONTENT = [
    ("OpenRouter's moderation", 403,
     openai("Provider returned error", metadata={"reasons": ["violence"], "flagged_input": "…"})),
    ("flagged", 403, openai("Your input was flagged by our systems")),
    ("a policy", 403, openai("no", "content_policy_violation")),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), [c[1:] for c in CONTENT], ids=[c[0] for c in CONTENT])
def test_a_403_to_the_prompt_is_the_callers_to_hear(status, body):
    error = read(OPENAI, status, body)
    assert blame.of(error) is None
    assert blame.is_about_content(error)
    assert not blame.is_about_credential(error)


def test_a_country_that_is_not_served_is_no_fault_of_the_key():
    error = read(
        OPENAI, 403, openai("Country not supported", "unsupported_country_region_territory", "request_forbidden")
    )
    assert blame.of(error) is None
    assert blame.is_about_credential(error), "the operator's to mend all the same"
