"""Requests for models that have no tools (`Profile.tools`): definitions are refused, calls of before are told in words.
For callers of every dialect: a body that speaks of tools is translated also where it could have passed.
"""

from __future__ import annotations

from msgspec.structs import replace

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Turn

_FORCED = ("any", "named")
_NO_TOOLS = "This model has no tools."


def speaks_of_tools(request: Request) -> bool:
    """Are there tools, a word about them, or calls of before?"""
    return bool(
        request.tools
        or request.server_tools
        or request.tool_choice is not None
        or request.parallel_tools is not None
        or any(_has_calls(turn) for turn in request.turns)
    )


def without_tools(request: Request, side: UpstreamSide) -> Request:
    """The request in words alone. Raises Unsupported when the caller offers tools or forces a call; with the lenient
    switch that is dropped with a Note."""
    if not speaks_of_tools(request):
        return request
    _judge(request, side)
    return replace(
        request,
        turns=[_in_words(turn, side) if _has_calls(turn) else turn for turn in request.turns],
        tools=[],
        server_tools=[],
        tool_choice=None,
        parallel_tools=None,
        legacy_functions=False,
    )


def _judge(request: Request, side: UpstreamSide) -> None:
    choice = request.tool_choice
    field = "functions" if request.legacy_functions else "tools"
    forbidden = choice is not None and choice.mode == "none"
    if request.tools and not forbidden:
        side.refuse(field, _NO_TOOLS)
    elif request.tools:
        side.drop(field, _NO_TOOLS)
    for tool in request.server_tools:
        if tool.optional or forbidden:
            side.drop(tool.path or field, _NO_TOOLS)
        else:
            side.refuse(tool.path or field, _NO_TOOLS)
    if choice is not None and (choice.mode in _FORCED or choice.required):
        side.refuse(request.word("tool_choice"), f"{_NO_TOOLS} None can be demanded.")


def _has_calls(turn: Turn) -> bool:
    return any(isinstance(part, p.ToolCall | p.ToolResult) for part in turn.parts)


def _in_words(turn: Turn, side: UpstreamSide) -> Turn:
    side.drop(turn.path or "messages", "Calls of tools and their results were put into words.", dropped=False)
    return replace(turn, parts=[made for part in turn.parts for made in _told(part)])


def _told(part: p.Part) -> list[p.Part]:
    if isinstance(part, p.ToolCall):
        return [p.Text(text=f"[Called the tool {part.name} with: {part.arguments or '{}'}]", cache=part.cache)]
    if not isinstance(part, p.ToolResult):
        return [part]
    verb = "failed with" if part.is_error else "answered"
    named = f"The tool {part.name}" if part.name else "The tool"
    head = p.Text(text=f"[{named} {verb}:]", cache=None if part.parts else part.cache)
    if not part.parts:
        return [head]
    last = part.parts[-1]
    return [head, *part.parts[:-1], replace(last, cache=last.cache or part.cache)]
