"""The words of OpenAI's Responses API and what they mean. Data only.

Sources: reference/translation.md 3.2 (finish), 5.1 (errors), 2.7; ids as seen in the recordings.
"""

from __future__ import annotations

from proxyapp.ir.response import FinishKind

NAME = "openai-responses"
FAMILY = "openai"
"""Whose reasoning proofs this dialect bears bare."""

ID_PREFIX = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "image_generation_call": "ig",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "shell_call": "sh",
    "shell_call_output": "sho",
    "apply_patch_call": "apc",
    "apply_patch_call_output": "apco",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "compaction": "cmp",
    "additional_tools": "at",
    "configuration_update": "cfg",
}
"""Item type -> what its ids begin with, before an underscore."""

WORDS = {
    "max_tokens": "max_output_tokens",
    "format": "text.format",
    "verbosity": "text.verbosity",
    "cache": "prompt_cache_breakpoint",
    "parallel": "parallel_tool_calls",
}
"""What this dialect calls a setting, for Notes and errors."""

ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)
"""Request fields that an answer repeats (3.1)."""

MODELLED = {
    *ECHOED,
    "model",
    "input",
    "stream",
    "include",
    "previous_response_id",
    "background",
    "conversation",
    "prompt",
}
"""Top-level request fields with a place of their own; all others go to `extras`."""

UNHEARD = {
    "client_metadata",
    "stream_options",
    "prompt_cache_retention",
    "prompt_cache_options",
    "prompt_cache_comparison",
}
"""Fields without effect on the answer's content."""

HOSTED_KIND = {
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "code_interpreter": "code_execution",
    "computer_use_preview": "computer",
}
"""Tool types -> neutral words; the others are their own."""

HOSTED_CALL = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_execution",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
    "mcp_approval_request": "mcp",
    "mcp_approval_response": "mcp",
    "tool_search_call": "tool_search",
    "tool_search_output": "tool_search",
    "x_search_call": "x_search",
    "program": "programmatic_tool_calling",
    "program_output": "programmatic_tool_calling",
    "image_generation_call": "image_generation",
}
"""Items of hosted tools -> neutral word."""

CLIENT_CALL = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "computer_call": ("computer", "action"),
}
"""Calls of OpenAI's own tools that the caller runs -> a name as a function, and the field with their arguments."""
CLIENT_OUTPUT = {
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "computer_call_output",
}

CALLERS_ITEMS = CLIENT_OUTPUT | {
    "function_call_output",
    "custom_tool_call_output",
    "mcp_approval_response",
    "additional_tools",
    "configuration_update",
    "compaction_trigger",
}
"""Items that the caller adds, beside messages; all others are the model's."""

CHOICE_MODE = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
CHOICE_WORD = {"auto": "auto", "none": "none", "any": "required"}

LEAST_OUTPUT = 16
"""The smallest `max_output_tokens` that is taken (2.4)."""

INCOMPLETE = {
    "max_output_tokens": FinishKind.LENGTH,
    "content_filter": FinishKind.CONTENT_FILTER,
    "steered": FinishKind.STEERED,
    "max_messages": FinishKind.STEERED,
}
"""`incomplete_details.reason` -> why it ended."""
INCOMPLETE_WORD = {
    FinishKind.LENGTH: "max_output_tokens",
    FinishKind.CONTEXT_WINDOW: "max_output_tokens",
    FinishKind.PAUSE: "max_output_tokens",
    FinishKind.CONTENT_FILTER: "content_filter",
    FinishKind.RECITATION: "content_filter",
    FinishKind.STEERED: "steered",
}
"""The reverse; every other end is `completed`, but for those that are no answer (3.2)."""

FAILED_CODES = {"context_length_exceeded", "insufficient_quota", "rate_limit_exceeded", "invalid_prompt"}
"""Codes of `response.error` by which agents decide what to do next; all others are `server_error`."""

REFUSED_EXTRAS = {"container", "mcp_servers", "inference_geo", "moderation", "modalities", "audio"}
"""Fields of other dialects whose loss would change the answer."""
SILENT_EXTRAS = {
    "diagnostics",
    "prediction",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options",
    "max_tokens",
}
"""Fields without effect on the answer's content, or looked at by themselves."""

CLIENT_RUN = {"bash", "shell", "local_shell", "text_editor", "memory", "apply_patch", "web_fetch"}
"""Hosted tools of others that an operator may allow to be left out (7.8)."""
