"""What single servers want otherwise than OpenAI, by the model's profile: fields left out, renamed or added, and the
form of messages. Serves both roads; which server wants what is data (`upstreams/servers.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Profile, UpstreamSide
from proxyapp.dialects.openai.schemas import fitting

Json = dict[str, Any]

_IN_THE_ANSWER = {"logprobs", "top_logprobs"}
"""Without them the answer lacks what was asked for."""
_HINTS = {"user", "safety_identifier", "prompt_cache_key", "stream_options", "store", "parallel_tool_calls"}
"""Without them the answer is the same."""
_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})
_SPEAKERS = ("user", "assistant")
_FILLER = "Done."
"""Stands between a tool's result and the user's next words, as clients of Mistral have it (opencode, Continue)."""


def fit_fields(body: Json, side: UpstreamSide, word: Callable[[str], str] = str) -> None:
    """Top-level fields, in place; values may be raw JSON. `word`: the caller's own name of a field. Raises
    Unsupported."""
    profile = side.profile
    for name in profile.untaken:
        if name in body:
            _leave_out(name, body.pop(name), side, word)
    for name, other in profile.renamed.items():
        if name in body:
            body[other] = body.pop(name)
    for name, value in profile.added.items():
        body.setdefault(name, value)


def _leave_out(name: str, value: Any, side: UpstreamSide, word: Callable[[str], str]) -> None:
    if name in _HINTS or (jsonio.decode(value) if isinstance(value, Raw) else value) in _NOTHING:
        return
    if name in _IN_THE_ANSWER:
        side.refuse(word(name), "This server gives no log probabilities.")
    else:
        side.drop(word(name), "This server does not take the field.")


def choice_may_need_fitting(profile: Profile) -> bool:
    return profile.forced_word != "required" or not profile.named_choice


def fit_choice(body: Json, side: UpstreamSide) -> None:
    """`tool_choice` in the words the server has, and `tools` where it cannot be told a name. In place."""
    choice, profile = body.get("tool_choice"), side.profile
    if choice == "required":
        body["tool_choice"] = profile.forced_word
    elif isinstance(choice, dict) and not profile.named_choice:
        wanted = _named(choice)
        kept = [tool for tool in body.get("tools") or () if _named(tool) == wanted]
        if kept:
            side.drop("tool_choice", "The tool alone was sent: the server cannot be told its name.", dropped=False)
            body["tools"] = kept
        body["tool_choice"] = profile.forced_word


def _named(value: Any) -> Any:
    inner = value.get("function") if isinstance(value, dict) else None
    return inner.get("name") if isinstance(inner, dict) else None


SCHEMA_PLACES = ("tools", "response_format")
"""Top-level fields that hold JSON Schemas."""


def fit_schemas(body: Json, profile: Profile) -> Json:
    """`tools` and `response_format` of a caller's body with schemas that the server knows. What is malformed stays as
    it is: the server says so. Raises BadRequest for a schema that is nested too deeply."""
    fitted = dict(body)
    if isinstance(tools := body.get("tools"), list):
        fitted["tools"] = [_with_schema(tool, "function", "parameters", profile) for tool in tools]
    if "response_format" in body:
        fitted["response_format"] = _with_schema(body["response_format"], "json_schema", "schema", profile)
    return fitted


def _with_schema(holder: Any, part: str, name: str, profile: Profile) -> Any:
    """`holder[part][name]` cleaned; a schema that was cleaned is not strict."""
    spec = holder.get(part) if isinstance(holder, dict) else None
    schema = spec.get(name) if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(schema, dict) or not schema:
        return holder
    cleaned = {key: value for key, value in spec.items() if key != "strict"}
    return {**holder, part: {**cleaned, name: fitting(schema, profile)}}


# --- messages


def may_need_fitting(raw: bytes, profile: Profile) -> bool:
    """A cheap look at a caller's messages: is there anything that this server could want otherwise?"""
    if profile.alternate or profile.prefix_mark or profile.assistant_after_tool or profile.exact_call_ids:
        return True
    if profile.reasoning_back == "tool_turns" and b'"tool_calls"' in raw:
        return True
    if profile.developer_refused and b'"developer"' in raw:
        return True
    return any(f'"{name}"'.encode() in raw for name in profile.untaken_in_messages)


def fit_messages(messages: list[Any], side: UpstreamSide) -> list[Any]:
    """The messages as the server takes them; those that need no change are the same objects."""
    profile = side.profile
    found = [_fit(message, profile) if isinstance(message, dict) else message for message in messages]
    if profile.assistant_after_tool:
        found = _filled(found, side)
    if profile.alternate:
        found = _alternating(found)
    if profile.prefix_mark and found and _role(found[-1]) == "assistant" and not found[-1].get("tool_calls"):
        found[-1] = {**found[-1], "prefix": True}
    return found


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _fit(message: Json, profile: Profile) -> Json:
    changed = {name: value for name, value in message.items() if name not in profile.untaken_in_messages}
    if message.get("role") == "developer" and profile.developer_refused:
        changed["role"] = "system"
    if profile.exact_call_ids:
        _fit_ids(changed, profile.call_id_limit)
    if profile.reasoning_back == "tool_turns" and message.get("tool_calls"):
        # Most clients do not send back what they were not asked for; the field must be there, and may be empty.
        changed.setdefault(profile.reasoning_field, "")
    return changed if changed != message else message


def _fit_ids(message: Json, length: int) -> None:
    if isinstance(call_id := message.get("tool_call_id"), str):
        message["tool_call_id"] = exact_id(call_id, length)
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message["tool_calls"] = [
            {**call, "id": exact_id(call["id"], length)}
            if isinstance(call, dict) and isinstance(call.get("id"), str)
            else call
            for call in calls
        ]


def exact_id(call_id: str, length: int) -> str:
    """A call id of exactly so many letters and digits: the same one where it is, else one made of it."""
    if len(call_id) == length and call_id.isascii() and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:length]


def _filled(messages: list[Any], side: UpstreamSide) -> list[Any]:
    found: list[Any] = []
    for message in messages:
        if found and _role(found[-1]) == "tool" and _role(message) == "user":
            side.drop("messages", "An answer was put between a tool's result and the user's words.", dropped=False)
            found.append({"role": "assistant", "content": _FILLER})
        found.append(message)
    return found


def _alternating(messages: list[Any]) -> list[Any]:
    """Neighbours of one speaker as one message."""
    found: list[Any] = []
    for message in messages:
        if found and _role(message) in _SPEAKERS and _role(found[-1]) == _role(message):
            found[-1] = _joined(found[-1], message)
        else:
            found.append(message)
    return found


def _joined(first: Json, second: Json) -> Json:
    one, two = first.get("content"), second.get("content")
    if isinstance(one, str) and isinstance(two, str):
        return {**first, **second, "content": f"{one}\n\n{two}"}
    return {**first, **second, "content": [*_items(one), *_items(two)]}


def _items(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
