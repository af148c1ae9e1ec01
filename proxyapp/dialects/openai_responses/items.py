"""A caller's `input` as system texts and turns: consecutive items of one side make one turn.

Rules: reference/translation.md 2.2, 2.3 and 6.4. Items that only OpenAI can read are named in the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai.fields import as_record, listing, needed_text, text, wrong
from proxyapp.dialects.openai_responses import reasoning
from proxyapp.dialects.openai_responses.content import read_content, read_texts
from proxyapp.dialects.openai_responses.settings import read_update
from proxyapp.dialects.openai_responses.tables import CLIENT_CALL, CLIENT_OUTPUT, HOSTED_CALL, NAME
from proxyapp.dialects.openai_responses.tools import ToolReader
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir.parts import Opaque, Part, Refusal, ServerCall, Text, ToolCall, ToolResult
from proxyapp.ir.request import Request, Role, Turn

_AUTHORS = ("system", "developer")


class ItemReader:
    """Reads the items of one request into it."""

    def __init__(self, request: Request, tools: ToolReader, sealer: Sealer) -> None:
        self._request = request
        self._tools = tools
        self._sealer = sealer
        self._results: Turn | None = None
        """The turn that holds the outputs of the last calls, while only outputs follow."""

    def read(self, value: Any) -> None:
        """Raises BadRequest naming the malformed item, Unsupported for one that only OpenAI can read."""
        if isinstance(value, str):
            self._request.turns.append(Turn(role="user", parts=[Text(text=value)], path="input"))
            return
        for index, item in enumerate(listing({"input": value}, "input") or []):
            path = f"input.{index}"
            self._item(as_record(item, path), path)
        if not self._request.turns and not self._request.system:
            raise wrong("input", "given: a string or a list of items that is not empty")

    def _item(self, item: dict[str, Any], path: str) -> None:
        kind = text(item, "type", path) or ("message" if "role" in item else "item_reference" if "id" in item else "")
        if not kind:
            raise wrong(f"{path}.type", "given")
        read = _READERS.get(kind)
        if read is not None:
            read(self, item, path)
        elif kind in CLIENT_CALL:
            self._client_call(item, kind, path)
        elif kind in CLIENT_OUTPUT:
            self._client_output(item, path)
        elif kind in HOSTED_CALL:
            self._say(_hosted(item, kind), path)
        else:
            self._say(Opaque(dialect=NAME, raw=item), path)

    # --- messages

    def _message(self, item: dict[str, Any], path: str) -> None:
        role = text(item, "role", path) or "user"
        content, at = item.get("content"), f"{path}.content"
        if role in _AUTHORS:
            self._system(read_texts(content, at), role, path)
        elif role == "assistant":
            self._assistant(item, read_content(content, at), path)
        elif role == "user":
            self._turn("user", path).parts += read_content(content, at)
        else:
            raise wrong(f"{path}.role", "user, assistant, system or developer")

    def _system(self, texts: list[Text], author: str, path: str) -> None:
        self._results = None
        if self._request.turns:
            if texts:
                self._request.turns.append(Turn(role="system", parts=[*texts], author=author, path=path))
            return
        for part in texts:
            part.meta["author"] = author
        self._request.system += texts

    def _assistant(self, item: dict[str, Any], parts: list[Part], path: str) -> None:
        """Which message a text belongs to, and its `phase`, are remembered for callers of this dialect."""
        kept = {name: item[name] for name in ("id", "phase") if item.get(name) is not None}
        for part in parts:
            if isinstance(part, Text | Refusal) and kept:
                part.meta.setdefault(NAME, {}).update(kept)
        turn = self._turn("assistant", path)
        turn.parts += [part for part in parts if not isinstance(part, Text) or part.text]

    def _turn(self, role: Role, path: str) -> Turn:
        """The turn that goes on, or a new one. Two messages of the user stay two: their texts are not to be joined."""
        self._results = None
        turns = self._request.turns
        if role == "assistant" and turns and turns[-1].role == role:
            return turns[-1]
        turns.append(Turn(role=role, path=path))
        return turns[-1]

    def _say(self, part: Part, path: str) -> None:
        self._turn("assistant", path).parts.append(part)

    # --- calls and outputs

    def _function_call(self, item: dict[str, Any], path: str) -> None:
        value = item.get("arguments")
        arguments = value if isinstance(value, str) else "" if value is None else jsonio.text(value)
        self._call(item, "function", arguments, path)

    def _custom_call(self, item: dict[str, Any], path: str) -> None:
        self._call(item, "custom", text(item, "input", path) or "", path)

    def _call(self, item: dict[str, Any], kind: str, arguments: str, path: str) -> None:
        call = ToolCall(
            id=needed_text(item, "call_id", path),
            name=needed_text(item, "name", path),
            namespace=text(item, "namespace", path),
            arguments=arguments,
            kind=kind,
        )
        if item_id := text(item, "id", path):
            call.meta = {NAME: {"id": item_id}}
        self._say(call, path)

    def _client_call(self, item: dict[str, Any], kind: str, path: str) -> None:
        """A tool of OpenAI's that the caller ran: elsewhere a call of a function of that name (7.8)."""
        name, field = CLIENT_CALL[kind]
        arguments = jsonio.text(item.get(field) or item.get("actions") or {})
        call_id = text(item, "call_id", path) or needed_text(item, "id", path)
        self._say(ToolCall(id=call_id, name=name, arguments=arguments, meta={NAME: {"item": item}}), path)

    def _client_output(self, item: dict[str, Any], path: str) -> None:
        call_id = text(item, "call_id", path) or needed_text(item, "id", path)
        output = item.get("output")
        is_content = isinstance(output, dict) and output.get("type") == "computer_screenshot"
        words = output if isinstance(output, str) or is_content else jsonio.text(output if output is not None else "")
        parts = read_content(words, f"{path}.output")
        self._result(ToolResult(call_id=call_id, parts=parts, meta={NAME: {"item": item}}), path)

    def _output(self, item: dict[str, Any], path: str) -> None:
        parts = read_content(item.get("output"), f"{path}.output")
        kind = "custom" if item.get("type") == "custom_tool_call_output" else "function"
        result = ToolResult(call_id=needed_text(item, "call_id", path), parts=parts, meta={NAME: {"kind": kind}})
        if parts and parts[-1].cache:
            result.cache, parts[-1].cache = parts[-1].cache, None
        self._result(result, path)

    def _result(self, result: ToolResult, path: str) -> None:
        if self._results is None:
            self._results = Turn(role="user", path=path)
            self._request.turns.append(self._results)
        self._results.parts.append(result)

    # --- what else may stand there

    def _reasoning(self, item: dict[str, Any], path: str) -> None:
        part = reasoning.read(item, self._sealer, path)
        if part is not None:
            self._say(part, path)

    def _more_tools(self, item: dict[str, Any], path: str) -> None:
        self._tools.read(item.get("tools"), f"{path}.tools")

    def _update(self, item: dict[str, Any], path: str) -> None:
        read_update(item, self._request, path)

    def _reference(self, item: dict[str, Any], path: str) -> None:
        raise BadRequest(f"Item '{item.get('id')}' is not kept here; send the item itself.", param=f"{path}.id")

    def _sealed_history(self, item: dict[str, Any], path: str) -> None:
        raise Unsupported(
            f"An item of type '{item.get('type')}' belongs to OpenAI's own compaction; this upstream cannot read it.",
            param=path,
        )


def _hosted(item: dict[str, Any], kind: str) -> ServerCall:
    call_id = item.get("id")
    return ServerCall(
        id=call_id if isinstance(call_id, str) else "",
        name=HOSTED_CALL[kind],
        dialect=NAME,
        meta={NAME: {"item": item}},
    )


_READERS: dict[str, Callable[[ItemReader, dict[str, Any], str], None]] = {
    "message": ItemReader._message,
    "reasoning": ItemReader._reasoning,
    "function_call": ItemReader._function_call,
    "function_call_output": ItemReader._output,
    "custom_tool_call": ItemReader._custom_call,
    "custom_tool_call_output": ItemReader._output,
    "additional_tools": ItemReader._more_tools,
    "configuration_update": ItemReader._update,
    "item_reference": ItemReader._reference,
    "compaction": ItemReader._sealed_history,
    "compaction_trigger": ItemReader._sealed_history,
}
