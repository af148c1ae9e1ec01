"""The words of Anthropic Messages beside the words of the IR. Data only (reference/translation.md 2-7)."""

from __future__ import annotations

from proxyapp.ir.response import FinishKind

NAME = "anthropic-messages"
FAMILY = "anthropic"
"""Whose reasoning proofs these are, as in `Reasoning.family`."""

CALL_ID_LIMIT = 128
"""7.1: `^[a-zA-Z0-9_-]+$`, at least 128 characters are taken."""
USER_ID_LIMIT = 256
CACHE_POINTS = 4
"""2.3 rule 9."""
LEAST_BUDGET = 1024
"""The least `thinking.budget_tokens` (2.4.1 rule 3)."""

# 3.2, decode. Unknown words become OTHER.
FINISH: dict[str, FinishKind] = {
    "end_turn": FinishKind.END,
    "stop_sequence": FinishKind.STOP_SEQUENCE,
    "tool_use": FinishKind.TOOL_CALLS,
    "max_tokens": FinishKind.LENGTH,
    "model_context_window_exceeded": FinishKind.CONTEXT_WINDOW,
    "refusal": FinishKind.REFUSAL,
    "pause_turn": FinishKind.PAUSE,
    "compaction": FinishKind.COMPACTION,
}

# 3.2, encode. MALFORMED is an error and stands not here.
STOP_REASON: dict[FinishKind, str] = {
    FinishKind.END: "end_turn",
    FinishKind.STOP_SEQUENCE: "stop_sequence",
    FinishKind.TOOL_CALLS: "tool_use",
    FinishKind.LENGTH: "max_tokens",
    FinishKind.CONTEXT_WINDOW: "model_context_window_exceeded",
    FinishKind.CONTENT_FILTER: "refusal",
    FinishKind.RECITATION: "refusal",
    FinishKind.REFUSAL: "refusal",
    FinishKind.PAUSE: "pause_turn",
    FinishKind.COMPACTION: "end_turn",
    FinishKind.STEERED: "end_turn",
    FinishKind.OTHER: "end_turn",
}

# 5.2: status -> error.type.
ERROR_TYPE: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

# The reverse, for errors inside a 200 or a stream, which have no status of their own.
ERROR_STATUS: dict[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

# 5.3 rule 8: a 429 that waiting does not cure.
SPENT: frozenset[str] = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"}
)

# 6.2: the ladder between effort words and thinking budgets.
EFFORT_BUDGET: dict[str, int] = {
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 128000,
}
BUDGET_EFFORT: tuple[tuple[int, str], ...] = ((512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"))
"""(most tokens, word); anything larger is `xhigh`."""
EFFORTS: tuple[str, ...] = ("minimal", "low", "medium", "high", "xhigh", "max")

# 2.7: lifetimes of cache points. 5m is the default and is not written.
CACHE_TTL: dict[str, str] = {"5m": "5m", "30m": "5m", "1h": "1h", "12h": "1h"}

# 2.7: service tiers of any caller; None = dropped with a Note.
SERVICE_TIER: dict[str, str | None] = {
    "auto": "auto",
    "default": "standard_only",
    "standard": "standard_only",
    "standard_only": "standard_only",
    "priority": None,
    "fast": None,
    "ultrafast": None,
    "scale": None,
    "flex": None,
}

IMAGE_TYPES: frozenset[str] = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

# 7.8: beginnings of versioned tool types -> neutral word. Longer ones first.
SERVER_KINDS: tuple[tuple[str, str], ...] = (
    ("web_search", "web_search"),
    ("web_fetch", "web_fetch"),
    ("code_execution", "code_execution"),
    ("computer", "computer"),
    ("browser", "browser"),
    ("bash", "bash"),
    ("text_editor", "text_editor"),
    ("memory", "memory"),
    ("tool_search", "tool_search"),
    ("mcp", "mcp"),
)

# 2.4-2.7: top-level fields of other dialects that the IR does not model.
# S: dropped without a word; W: dropped with a Note; E: refused; E*: refused unless the model is lenient.
FOREIGN_EXTRAS: dict[str, str] = {
    "prediction": "S",
    "stream_options": "S",
    "user": "S",
    "prompt_cache_retention": "S",
    "prompt_cache_options": "S",
    "include": "S",
    "labels": "S",
    "audio": "E",
    "background": "E",
    "prompt": "E",
    "conversation": "E",
    "inference_geo": "E*",
}

# What this dialect calls a setting, for Notes and errors.
WORDS: dict[str, str] = {
    "reasoning": "thinking",
    "format": "output_config.format",
    "stop": "stop_sequences",
    "cache": "cache_control",
    "parallel": "tool_choice.disable_parallel_tool_use",
}
