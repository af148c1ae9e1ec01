"""The words of Chat Completions and what they mean. Data only.

Sources: reference/translation.md 3.2 (finish), 5.2 (errors), 6.2 (effort ladder), 2.7 (tiers, cache lifetimes).
"""

from __future__ import annotations

from proxyapp.ir.response import FinishKind

NAME = "openai-chat"

MODELLED = {
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "web_search_options",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "safety_identifier",
    "user",
    "prompt_cache_key",
    "cache_control",
    "metadata",
    "service_tier",
    "store",
    "verbosity",
    "response_format",
    "reasoning_effort",
    "thinking",
    "reasoning",
}
"""Top-level request fields with a place in the IR; all others go to `extras`."""

FINISH = {
    "stop": FinishKind.END,
    "eos": FinishKind.END,  # Together (corpus together-chat-legacy)
    "length": FinishKind.LENGTH,
    "model_length": FinishKind.LENGTH,  # Mistral
    "tool_calls": FinishKind.TOOL_CALLS,
    "function_call": FinishKind.TOOL_CALLS,
    "content_filter": FinishKind.CONTENT_FILTER,
}
FAILED_FINISH = {"error", "insufficient_system_resource"}
"""OpenRouter's and Mistral's `error`, DeepSeek's interruption: no answer, whatever came before."""

FINISH_WORD = {
    FinishKind.END: "stop",
    FinishKind.STOP_SEQUENCE: "stop",
    FinishKind.TOOL_CALLS: "tool_calls",
    FinishKind.LENGTH: "length",
    FinishKind.CONTEXT_WINDOW: "length",
    FinishKind.CONTENT_FILTER: "content_filter",
    FinishKind.REFUSAL: "content_filter",
    FinishKind.PAUSE: "length",
    FinishKind.COMPACTION: "length",
    FinishKind.RECITATION: "content_filter",
    FinishKind.STEERED: "stop",
    FinishKind.OTHER: "stop",
}
"""MALFORMED has no word: it is an error here."""

AUTHOR_ROLES = {"system", "developer"}

AUDIO_MIME = {"wav": "audio/wav", "mp3": "audio/mpeg"}
AUDIO_FORMAT = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}

WORDS = {
    "reasoning": "reasoning_effort",
    "format": "response_format",
    "cache": "prompt_cache_breakpoint",
    "parallel": "parallel_tool_calls",
}
"""What this dialect calls a setting, for Notes and errors."""

REFUSED_EXTRAS = {"container", "mcp_servers", "inference_geo", "moderation", "modalities"}
"""Fields of other dialects (or of Chat, at servers without them) whose loss would change the answer."""
SILENT_EXTRAS = {"diagnostics", "prediction", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
"""Fields without effect on the answer's content."""
