"""Custom (free text) tools where a server has only functions: wrapped on the way out, unwrapped on the way back.

Rules: reference/translation.md 7.7.
"""

from __future__ import annotations

from proxyapp.dialects import jsonio
from proxyapp.ir.request import Tool

WRAPPED_SCHEMA = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def guidance(tool: Tool) -> str:
    """The description of the function that stands for a custom tool."""
    lines = [tool.description] if tool.description else []
    lines.append("Put the raw text into `input`, as it is: it is not JSON.")
    if tool.grammar and tool.grammar.get("definition"):
        lines.append(f"The text must match this {tool.grammar.get('syntax', '')} grammar:")
        lines.append(str(tool.grammar["definition"]))
    return "\n".join(lines)


def wrapped(text: str) -> str:
    """Free text as the arguments of that function."""
    return jsonio.text({"input": text})


def unwrapped(arguments: str) -> str:
    """The free text of a call of that function. Models also use other names for the one string; anything else is
    taken as the text itself."""
    found = jsonio.try_object(arguments)
    if found is None:
        return arguments
    if isinstance(found.get("input"), str):
        return str(found["input"])
    values = list(found.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else arguments
