"""An assistant turn as one Chat message: text, reasoning that may go back, and calls."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.naming import wire_id
from proxyapp.dialects.openai_chat import details
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir import parts as p
from proxyapp.ir.request import Turn

Message = dict[str, Any]


def assistant_message(turn: Turn, side: UpstreamSide, names: dict[str, str], *, is_own: bool) -> Message | None:
    """The message, or None when nothing of the turn can be sent. `names`: caller's tool names -> wire names."""
    words = "".join(part.text for part in turn.parts if isinstance(part, p.Text))
    refusal = "".join(part.text for part in turn.parts if isinstance(part, p.Refusal))
    calls = [_call(part, side, names) for part in turn.parts if isinstance(part, p.ToolCall)]
    message: Message = {"role": "assistant", "content": words or None}
    if turn.name:
        message["name"] = turn.name
    if refusal and side.profile.metadata:
        message["refusal"] = refusal
    elif refusal:  # only OpenAI's hosts know the field; elsewhere the words would be lost
        message["content"] = words + refusal
    message |= _reasoning(turn, side, has_calls=bool(calls))
    message |= _others(turn, side, is_own=is_own)
    if calls:
        message["tool_calls"] = calls
    return message if message["content"] is not None or message.keys() & {"refusal", "tool_calls", "audio"} else None


def _reasoning(turn: Turn, side: UpstreamSide, *, has_calls: bool) -> Message:
    """Reasoning text and proofs, by the model's profile: some servers refuse them, some demand them (upstreams 5.6)."""
    entries = details.give_back(turn.parts, group=side.profile.model_group, account=side.account)
    message: Message = {"reasoning_details": entries} if entries else {}
    texts = [part.text for part in turn.parts if isinstance(part, p.Reasoning) and part.text]
    back = side.profile.reasoning_back
    # In turns with calls the field must be there, empty where nothing is left to send.
    if (back == "tool_turns" and has_calls) or (back == "keep" and texts):
        message[side.profile.reasoning_field] = "\n\n".join(texts)
    return message


def _others(turn: Turn, side: UpstreamSide, *, is_own: bool) -> Message:
    """Parts that hardly ever stand in an assistant turn: media, hosted tools, unknown kinds."""
    message: Message = {}
    for index, part in enumerate(turn.parts):
        path = f"{turn.path}.content.{index}"
        match part:
            case p.Audio() if is_own and part.source.kind == "file":
                message["audio"] = {"id": part.source.data}
            case p.Image() | p.Document() | p.Audio():
                side.drop(path, "Chat has no media in assistant messages.")
            case p.ServerCall() | p.ServerResult():
                side.drop(path, "What a hosted tool of another provider did is not sent to this upstream.")
            case p.Opaque() | p.SearchResult() | p.ToolResult():
                side.drop(path, "A part that has no place in an assistant message.")
    return message


def full_name(name: str, namespace: str | None) -> str:
    """Namespaces are flattened: Chat has none (reference/translation.md 7.1)."""
    return f"{namespace}__{name}" if namespace else name


def _call(part: p.ToolCall, side: UpstreamSide, names: dict[str, str]) -> dict[str, Any]:
    call: dict[str, Any] = {"id": wire_id(part.id, limit=side.profile.call_id_limit), "type": "function"}
    name = names[full_name(part.name, part.namespace)]
    if part.kind == "custom" and side.profile.custom_tools:
        return {**call, "type": "custom", "custom": {"name": name, "input": part.arguments}}
    arguments = jsonio.text({"input": part.arguments}) if part.kind == "custom" else part.arguments or "{}"
    call["function"] = {"name": name, "arguments": arguments}
    if extra := part.meta.get(NAME, {}).get("extra_content"):
        call["extra_content"] = extra
    return call
