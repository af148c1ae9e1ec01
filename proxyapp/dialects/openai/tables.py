"""The words that both OpenAI dialects use. Data only.

Sources: reference/translation.md 5.2 (errors), 6.2 (effort ladder), 2.7 (tiers, cache lifetimes).
"""

from __future__ import annotations

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All effort words, from least to most."""
EFFORT_OF_BUDGET = ((0, "none"), (512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"))
"""The largest budget of each word; above the last it is `xhigh`."""

TIERS = {"auto", "default", "flex", "scale", "priority", "fast"}
TIER_OF = {"standard_only": "default", "standard": "default", "unspecified": "auto"}
"""Tier words of others."""

BREAKPOINT_TTL = {"5m": "30m", "1h": "30m", "30m": "30m", "12h": "12h"}
"""Cache lifetimes of others -> those of `prompt_cache_breakpoint`."""
MOST_BREAKPOINTS = 4

MIME_OF_SUFFIX = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

ERROR_TYPE = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", None),
    404: ("invalid_request_error", None),
    408: ("timeout", None),
    409: ("conflict", None),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", None),
    422: ("invalid_request_error", None),
    429: ("rate_limit_exceeded", "rate_limit_exceeded"),
    500: ("server_error", None),
    502: ("server_error", "bad_gateway"),
    503: ("server_error", "server_is_overloaded"),
    504: ("timeout", None),
}
"""Status -> (type, code)."""

KNOWN_CODES = {
    "context_length_exceeded",
    "rate_limit_exceeded",
    "insufficient_quota",
    "model_not_found",
    "invalid_api_key",
    "content_policy_violation",
    "string_above_max_length",
    "invalid_encrypted_content",
    "unsupported_parameter",
    "unsupported_value",
}
"""Upstream codes of other dialects that a Chat caller knows."""

STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "insufficient_quota": 429,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "tokens": 429,
    "requests": 429,
    "overloaded_error": 503,
    "server_is_overloaded": 503,
    "timeout": 504,
}
"""`error.type` or `error.code` -> status, for errors that come inside a 200."""
