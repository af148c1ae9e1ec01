"""The words of Coze v3 and what they mean. Data only. Sources: reference/upstreams.md 6, contract.md "Coze"."""

from __future__ import annotations

NAME = "coze"

STATUS_OF_CODE = {
    4013: 429,  # too many requests
    4016: 409,  # the conversation is busy with another chat
    4104: 409,  # the chat can no longer be cancelled
    4100: 401,  # unknown token
    700012006: 401,  # unknown or expired token
    4101: 403,  # the token may not use this bot
    5000: 502,
}
"""`code` of an envelope -> HTTP status; any other is 502 (contract.md "Coze")."""
NEVER_AGAIN = {4000}
"""Codes for what will not be taken the next time either."""

REQUIRES_ACTION = "requires_action"
CANCELED = ("canceled", "cancelled")
FAILED = "failed"
COMPLETED = "completed"

ANSWER = "answer"
"""The only type of message that is for the user's eyes. The others tell of plugins, knowledge, suggested questions and
the end of several answers (`verbose`); shown, they are garbage in the answer (CowAgent#2227)."""

MOST_MESSAGES = 100

OWN_FIELDS = {
    "custom_variables",
    "parameters",
    "enable_card",
    "shortcut_command",
    "extra_params",
    "publish_status",
    "auto_save_history",
}
"""Coze's own fields that a caller may put beside those of its dialect."""

MODALITIES = ("modalities", "responseModalities")
"""In what form the caller wants its answer."""
SILENT_EXTRAS = {"diagnostics", "prediction", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
"""Fields of other dialects without effect on the answer's content."""
REFUSED_EXTRAS = {"container", "mcp_servers", "moderation"}
"""Fields whose loss would change the answer."""

SETTINGS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("max_output", "max_tokens"),
    ("stop", "stop"),
    ("seed", "seed"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("logit_bias", "logit_bias"),
    ("verbosity", "verbosity"),
)
"""Fields of the request that a bot's own configuration settles -> neutral word."""
