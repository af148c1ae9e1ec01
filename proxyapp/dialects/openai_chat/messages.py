"""A caller's `messages` as system texts and turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai.fields import as_record, listing, needed_text, path_of, record, text, wrong
from proxyapp.dialects.openai_chat import details
from proxyapp.dialects.openai_chat.content import read_content, read_texts
from proxyapp.dialects.openai_chat.tables import AUTHOR_ROLES, NAME
from proxyapp.dialects.signatures import Sealer
from proxyapp.ir.parts import Audio, Part, Reasoning, Refusal, Source, Text, ToolCall, ToolResult
from proxyapp.ir.request import Turn


class MessageReader:
    """Reads messages in order. Afterwards `system` and `turns` hold them; raises BadRequest naming the path.

    Tool messages that follow each other become one user turn of results. Leading system messages go to `system`,
    later ones stay in place as system turns.
    """

    def __init__(self, sealer: Sealer) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self._sealer = sealer
        self._results: Turn | None = None
        self._legacy_ids: dict[str, str] = {}

    def read(self, messages: Any) -> None:
        if not isinstance(messages, list):
            raise wrong("messages", "a list of messages")
        if not messages:
            raise wrong("messages", "a list of at least one message")
        for index, message in enumerate(messages):
            path = f"messages.{index}"
            self._message(as_record(message, path), path)

    def _message(self, message: dict[str, Any], path: str) -> None:
        role = needed_text(message, "role", path)
        read = _ROLES.get(role)
        if read is None:
            raise wrong(f"{path}.role", f"one of {', '.join(_ROLES)} (it is '{role}')")
        if role not in ("tool", "function"):
            self._results = None
        read(self, message, path)

    def _system(self, message: dict[str, Any], path: str) -> None:
        texts = read_texts(message, path)
        role = message["role"]
        if not self.turns:
            for part in texts:
                part.meta = {"author": role}
            self.system += texts
        elif texts:
            self.turns.append(Turn(role="system", parts=[*texts], author=role, path=path))

    def _user(self, message: dict[str, Any], path: str) -> None:
        if message.get("content") is None:
            raise wrong(f"{path}.content", "a string or a list of parts")
        parts = read_content(message, path)
        self.turns.append(Turn(role="user", parts=parts, name=text(message, "name", path), path=path))

    def _tool(self, message: dict[str, Any], path: str) -> None:
        self._add_result(needed_text(message, "tool_call_id", path), message, path)

    def _function(self, message: dict[str, Any], path: str) -> None:
        name = needed_text(message, "name", path)
        self._add_result(self._legacy_ids.pop(name, _legacy_id(path)), message, path)

    def _add_result(self, call_id: str, message: dict[str, Any], path: str) -> None:
        parts = read_content(message, path)
        result = ToolResult(call_id=call_id, name=text(message, "name", path), parts=parts)
        if parts and parts[-1].cache:
            result.cache, parts[-1].cache = parts[-1].cache, None
        if self._results is None:
            self._results = Turn(role="user", path=path)
            self.turns.append(self._results)
        self._results.parts.append(result)

    def _assistant(self, message: dict[str, Any], path: str) -> None:
        parts: list[Part] = [*details.read_history(message, self._sealer)]
        said = read_content(message, path)
        if parts:
            said = [part for part in said if not isinstance(part, Reasoning)]
        parts += [part for part in said if not isinstance(part, Text) or part.text]
        if words := text(message, "refusal", path):
            parts.append(Refusal(text=words))
        parts += _audio(message, path) + _calls(message, path)
        if call := record(message, "function_call", path):
            parts.append(self._legacy_call(call, f"{path}.function_call", path))
        self.turns.append(Turn(role="assistant", parts=parts, name=text(message, "name", path), path=path))

    def _legacy_call(self, call: dict[str, Any], path: str, at: str) -> ToolCall:
        name = needed_text(call, "name", path)
        self._legacy_ids[name] = _legacy_id(at)
        return ToolCall(id=_legacy_id(at), name=name, arguments=arguments_text(call.get("arguments")))


_ROLES: dict[str, Callable[[MessageReader, dict[str, Any], str], None]] = {
    **dict.fromkeys(sorted(AUTHOR_ROLES), MessageReader._system),
    "user": MessageReader._user,
    "assistant": MessageReader._assistant,
    "tool": MessageReader._tool,
    "function": MessageReader._function,
}


def _legacy_id(path: str) -> str:
    """Old functions have no call ids; this one is the same whenever the same history is sent."""
    return "call_" + path.replace(".", "_")


def _audio(message: dict[str, Any], path: str) -> list[Part]:
    spec = record(message, "audio", path)
    if not spec:
        return []
    source = Source(kind="file", data=needed_text(spec, "id", f"{path}.audio"))
    return [Audio(source=source, transcript=text(spec, "transcript", f"{path}.audio"))]


def _calls(message: dict[str, Any], path: str) -> list[Part]:
    calls = listing(message, "tool_calls", path) or []
    at = path_of(path, "tool_calls")
    return [_call(as_record(call, f"{at}.{index}"), f"{at}.{index}") for index, call in enumerate(calls)]


def _call(call: dict[str, Any], path: str) -> ToolCall:
    call_id = needed_text(call, "id", path)
    if custom := record(call, "custom", path):
        name = needed_text(custom, "name", f"{path}.custom")
        return ToolCall(id=call_id, name=name, arguments=text(custom, "input", f"{path}.custom") or "", kind="custom")
    function = record(call, "function", path)
    if function is None:
        raise wrong(f"{path}.function", "an object with `name` and `arguments`")
    name = needed_text(function, "name", f"{path}.function")
    part = ToolCall(id=call_id, name=name, arguments=arguments_text(function.get("arguments")))
    if extra := record(call, "extra_content", path):
        part.meta = {NAME: {"extra_content": extra}}
    return part


def arguments_text(value: Any) -> str:
    """Arguments as JSON text, also from clients and servers that put an object there."""
    if value is None:
        return ""
    return value if isinstance(value, str) else jsonio.text(value)
