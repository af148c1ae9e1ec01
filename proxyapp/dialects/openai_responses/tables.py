"""The words of OpenAI's Responses API and what they mean. Data only.

Sources: reference/translation.md 3.2 (finish), 5.1 (errors), 2.7; ids as seen in the recordings.
"""

from __future__ import annotations

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
