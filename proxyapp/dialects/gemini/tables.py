"""The words of Gemini's generateContent beside the words of the IR. Data only (reference/translation.md 2-7)."""

from __future__ import annotations

from proxyapp.ir.response import FinishKind

NAME = "gemini"
FAMILY = "gemini"
"""Whose reasoning proofs these are, as in `Reasoning.family`."""

SENTINEL = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""Base64 of `skip_thought_signature_validator`: Google's documented stand-in for a proof that is not to be had."""
SENTINELS = frozenset({SENTINEL, "skip_thought_signature_validator"})

STOP_MAX = 5
SEED_MAX = 2**31 - 1

# What this dialect calls a setting, for Notes and errors.
WORDS: dict[str, str] = {
    "max_tokens": "generationConfig.maxOutputTokens",
    "reasoning": "generationConfig.thinkingConfig",
    "format": "generationConfig.responseJsonSchema",
    "stop": "generationConfig.stopSequences",
    "n": "generationConfig.candidateCount",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "seed": "generationConfig.seed",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "presence_penalty": "generationConfig.presencePenalty",
    "logprobs": "generationConfig.responseLogprobs",
    "tool_choice": "toolConfig.functionCallingConfig",
    "parallel": "toolConfig",
    "service_tier": "serviceTier",
    "cache": "cachedContent",
}

# 3.2, decode. Unknown words become OTHER.
FINISH: dict[str, FinishKind] = {
    "STOP": FinishKind.END,
    "MAX_TOKENS": FinishKind.LENGTH,
    "CONTINUATION": FinishKind.LENGTH,
    "SAFETY": FinishKind.CONTENT_FILTER,
    "BLOCKLIST": FinishKind.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishKind.CONTENT_FILTER,
    "SPII": FinishKind.CONTENT_FILTER,
    "LANGUAGE": FinishKind.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishKind.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishKind.CONTENT_FILTER,
    "MODEL_ARMOR": FinishKind.CONTENT_FILTER,
    "ESCALATION": FinishKind.CONTENT_FILTER,
    "RECITATION": FinishKind.RECITATION,
    "IMAGE_RECITATION": FinishKind.RECITATION,
    "MALFORMED_FUNCTION_CALL": FinishKind.MALFORMED,
    "MALFORMED_RESPONSE": FinishKind.MALFORMED,
    "UNEXPECTED_TOOL_CALL": FinishKind.MALFORMED,
    "MISSING_THOUGHT_SIGNATURE": FinishKind.MALFORMED,
    "TOO_MANY_TOOL_CALLS": FinishKind.MALFORMED,
    "PUP_LIMITED_DISABLED": FinishKind.MALFORMED,
    "OTHER": FinishKind.OTHER,
}
FINISH_NUMBERS = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL",
)  # fmt: skip
"""Vertex can give enums as numbers (corpus gemini.json.otel-contrib.*)."""

# 3.2, encode.
FINISH_WORD: dict[FinishKind, str] = {
    FinishKind.END: "STOP",
    FinishKind.STOP_SEQUENCE: "STOP",
    FinishKind.TOOL_CALLS: "STOP",
    FinishKind.LENGTH: "MAX_TOKENS",
    FinishKind.CONTEXT_WINDOW: "MAX_TOKENS",
    FinishKind.CONTENT_FILTER: "SAFETY",
    FinishKind.REFUSAL: "SAFETY",
    FinishKind.RECITATION: "RECITATION",
    FinishKind.PAUSE: "OTHER",
    FinishKind.COMPACTION: "OTHER",
    FinishKind.STEERED: "STOP",
    FinishKind.MALFORMED: "MALFORMED_RESPONSE",
    FinishKind.OTHER: "OTHER",
}

# 5.2: status -> google.rpc code word.
STATUS_WORD: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# The reverse, for errors inside a 200 or a stream that name no number.
STATUS_OF_WORD: dict[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
TYPES = "type.googleapis.com/google.rpc."
"""Beginning of `@type` in `error.details`."""

# 6.2: the ladder between effort words and thinking budgets.
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
EFFORT_BUDGET: dict[str, int] = {
    "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 128_000,
}  # fmt: skip
BUDGET_EFFORT = ((512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"))
"""(most tokens, word); anything larger is `xhigh`."""

# 2.7: service tiers of any caller; None = left out, "" = left out with a Note.
SERVICE_TIER: dict[str, str | None] = {
    "auto": None,
    "unspecified": None,
    "default": "standard",
    "standard": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
    "fast": "",
    "ultrafast": "",
    "scale": "",
}

# 7.8: hosted tools -> neutral word.
SERVER_KINDS: dict[str, str] = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "enterpriseWebSearch": "web_search",
    "urlContext": "web_fetch",
    "codeExecution": "code_execution",
    "fileSearch": "file_search",
    "retrieval": "file_search",
    "computerUse": "computer",
    "googleMaps": "maps",
    "mcpServers": "mcp",
}

# 2.4-2.7: top-level fields of other dialects that the IR does not model.
# S: dropped without a word; W: dropped with a Note; E: refused; E*: refused unless the model is lenient.
FOREIGN_EXTRAS: dict[str, str] = {
    "prediction": "S",
    "stream_options": "S",
    "user": "S",
    "prompt_cache_retention": "S",
    "prompt_cache_options": "S",
    "include": "S",
    "diagnostics": "S",
    "client_metadata": "S",
    "audio": "E",
    "background": "E",
    "prompt": "E",
    "conversation": "E",
    "container": "E*",
    "mcp_servers": "E",
    "inference_geo": "E*",
}

# 7.4: numbers of the Type enum.
TYPE_NUMBERS = ("", "string", "number", "integer", "boolean", "array", "object", "null")

# Media types that a file name or address shows.
MIME_OF_SUFFIX: dict[str, str] = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv",
    "html": "text/html", "json": "application/json", "mp3": "audio/mpeg", "wav": "audio/wav", "mp4": "video/mp4",
    "mov": "video/quicktime", "webm": "video/webm",
}  # fmt: skip
