"""A caller's `systemInstruction` and `contents` as IR turns (reference/translation.md 1.2, 2.2).

Google's own parser takes single values for lists and both spellings; so does this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.gemini import fields, media, proving
from proxyapp.dialects.gemini.numbers import tidy
from proxyapp.dialects.gemini.tables import NAME
from proxyapp.ir import parts as p
from proxyapp.ir.request import Role, Turn

_ROLES: dict[str, Role] = {
    "": "user", "user": "user", "model": "assistant", "assistant": "assistant", "function": "user", "tool": "user",
    "system": "system",
}  # fmt: skip
_BESIDE = frozenset({"thought", "thoughtSignature"})
"""Keys that stand beside a part's own one."""
_NOTED = frozenset({"videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata"})

Raw = dict[str, Any]


def read_system(value: Any) -> list[p.Text]:
    """`systemInstruction`: a content, its parts, or a plain string. Raises BadRequest for anything but text."""
    if value is None:
        return []
    parts = _parts_of(value, "systemInstruction")
    texts = []
    for index, item in enumerate(parts):
        path = f"systemInstruction.parts.{index}"
        words = item if isinstance(item, str) else fields.text(fields.as_record(item, path), "text", path)
        if words is None:
            raise fields.wrong(path, "a text part: system instructions hold nothing else")
        if words:
            texts.append(p.Text(text=words))
    return texts


def _parts_of(value: Any, path: str) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    content = fields.as_record(value, path)
    if fields.pick(content, "parts") is None and "text" in content:
        return [content]
    return fields.listing(content, "parts", path)


class Reader:
    """Reads one conversation. Calls without an id get one; results find theirs by id, else by name and order (39)."""

    def __init__(self, side: ClientSide) -> None:
        self.side = side
        self._waiting: dict[str, deque[str]] = {}
        """Tool name -> ids of its calls that have no result yet, in order."""
        self._names: dict[str, str] = {}
        self._turn = 0
        self._misplaced = ""
        """What may not stand in this content: only a model calls, only others answer."""

    def turns(self, value: Any) -> list[Turn]:
        """Raises BadRequest naming the malformed content or part."""
        contents = value if isinstance(value, list) else [value] if value else []
        if not contents:
            raise fields.wrong("contents", "given and not empty")
        turns: list[Turn] = []
        for index, content in enumerate(contents):
            turn = self._read(content, f"contents.{index}", index, turns[-1] if turns else None)
            if not turns or turn is not turns[-1]:
                turns.append(turn)
        return turns

    def _read(self, value: Any, path: str, index: int, last: Turn | None) -> Turn:
        """A turn; the last one, continued, where both are the model's: SDKs keep every chunk of a stream as a content
        of its own."""
        self._turn = index
        content: Raw = {} if isinstance(value, str) else fields.as_record(value, path)
        word = fields.text(content, "role", path) or ""
        if word not in _ROLES:
            raise fields.wrong(f"{path}.role", "a valid role: user, model")
        role = _ROLES[word]
        goes_on = last if last is not None and last.role == role == "assistant" else None
        parts: list[p.Part] = goes_on.parts if goes_on is not None else []
        before = len(parts)
        self._misplaced = "functionResponse" if role == "assistant" else "functionCall"
        for number, item in enumerate(_parts_of(value, path)):
            self._part(item, f"{path}.parts.{number}", number, parts)
        if goes_on is not None:
            _join_texts(parts, before)
            return goes_on
        return Turn(role=role, parts=parts, author="system" if role == "system" else None, path=path)

    def _part(self, value: Any, path: str, number: int, parts: list[p.Part]) -> None:
        if isinstance(value, str):
            parts.append(p.Text(text=value))
            return
        spec = fields.camelled(fields.as_record(value, path))
        signature = fields.text(spec, "thoughtSignature", path)
        for key in _NOTED & spec.keys():
            self.side.notes.add(f"{path}.{key}", "Only Google's own models know this setting.")
        if spec.get("thought") is True:
            self._thought(fields.text(spec, "text", path) or "", signature, parts)
            return
        part = self._one(spec, path, number)
        if signature:
            self._sign(signature, parts)
        if part is not None:
            parts.append(part)

    def _one(self, spec: Raw, path: str, number: int) -> p.Part | None:
        if self._misplaced in spec:
            raise fields.wrong(f"{path}.{self._misplaced}", "in a content of the other role")
        for key, read in _READERS.items():
            if key in spec:
                return read(self, spec[key], f"{path}.{key}", number)
        rest = {key: value for key, value in spec.items() if key not in _BESIDE and key not in _NOTED}
        return p.Opaque(dialect=NAME, raw=rest) if rest else None

    def _thought(self, text: str, signature: str | None, parts: list[p.Part]) -> None:
        """Pieces of one thought are put together; its proof, which may come last and without text, closes it."""
        plain = _unsigned(parts)
        thought = proving.opened((plain.text if plain else "") + text, signature, self.side.sealer)
        if plain is not None:
            parts.pop()
        if thought is not None:
            parts.append(thought)

    def _sign(self, signature: str, parts: list[p.Part]) -> None:
        """The proof stands as reasoning before its part; with the thought just before it, where that has none."""
        plain = _unsigned(parts)
        proof = proving.opened(plain.text if plain else "", signature, self.side.sealer)
        if proof is None or not proof.signature:
            return
        if plain is not None:
            parts.pop()
        parts.append(proof)

    # --- one function a kind of part

    def _text(self, value: Any, path: str, number: int) -> p.Part | None:
        if not isinstance(value, str):
            raise fields.wrong(path, "a string")
        return p.Text(text=value) if value else None

    def _inline(self, value: Any, path: str, number: int) -> p.Part:
        return media.read_blob(fields.as_record(value, path), path)

    def _file(self, value: Any, path: str, number: int) -> p.Part:
        return media.read_file(fields.as_record(value, path), path)

    def _call(self, value: Any, path: str, number: int) -> p.Part:
        spec = fields.as_record(value, path)
        name = fields.text(spec, "name", path)
        if not name:
            raise fields.wrong(f"{path}.name", "given, as a string that is not empty")
        args = fields.record(spec, "args", path)
        call_id = fields.text(spec, "id", path) or f"call_{self._turn}_{number}"  # the same history, the same ids
        self._waiting.setdefault(name, deque()).append(call_id)
        self._names[call_id] = name
        return p.ToolCall(id=call_id, name=name, arguments=jsonio.text(tidy(args)) if args else "")

    def _response(self, value: Any, path: str, number: int) -> p.Part:
        spec = fields.as_record(value, path)
        name, call_id = fields.text(spec, "name", path), fields.text(spec, "id", path)
        waiting = self._waiting.get(name or "", deque())
        if call_id is None:
            call_id = waiting.popleft() if waiting else f"call_{name or 'unknown'}_{self._turn}_{number}"
        elif call_id in waiting:
            waiting.remove(call_id)
        parts, is_error = read_result(fields.pick(spec, "response"))
        for index, item in enumerate(fields.listing(spec, "parts", path)):
            at = f"{path}.parts.{index}"
            inner = fields.camelled(fields.as_record(item, at))
            if "functionResponse" in inner:
                raise fields.wrong(at, "a medium or a text")
            shown = self._one(inner, at, index)
            parts += [shown] if shown is not None else []
        return p.ToolResult(call_id=call_id, name=self._names.get(call_id, name), parts=parts, is_error=is_error)

    def _code(self, value: Any, path: str, number: int) -> p.Part:
        return server_call("executableCode", fields.as_record(value, path), f"code_{self._turn}_{number}")

    def _code_result(self, value: Any, path: str, number: int) -> p.Part:
        return server_result("codeExecutionResult", fields.as_record(value, path), "")

    def _hosted(self, value: Any, path: str, number: int) -> p.Part:
        return server_call("toolCall", fields.as_record(value, path), f"tool_{self._turn}_{number}")

    def _hosted_result(self, value: Any, path: str, number: int) -> p.Part:
        return server_result("toolResponse", fields.as_record(value, path), "")


def _unsigned(parts: list[p.Part]) -> p.Reasoning | None:
    """The thought that came last and has no proof."""
    last = parts[-1] if parts else None
    return last if isinstance(last, p.Reasoning) and not last.signature else None


def _join_texts(parts: list[p.Part], at: int) -> None:
    """Two pieces of one streamed text are one text."""
    if 0 < at < len(parts):
        first, second = parts[at - 1], parts[at]
        if isinstance(first, p.Text) and isinstance(second, p.Text):
            parts[at - 1 : at + 1] = [p.Text(text=first.text + second.text)]


def read_result(response: Any) -> tuple[list[p.Part], bool]:
    """7.5: `output` is the result (Google's SDK writes `result`), `error` a failed one; any other object is the result
    itself, as JSON text."""
    if response is None:
        return [], False
    for key in ("output", "result", "error"):
        if isinstance(response, dict) and list(response) == [key]:
            value = response[key]
            return _said(value if isinstance(value, str) else jsonio.text(tidy(value))), key == "error"
    return _said(response if isinstance(response, str) else jsonio.text(tidy(response))), False


def _said(words: str) -> list[p.Part]:
    return [p.Text(text=words)] if words else []


def server_call(key: str, spec: Raw, fallback_id: str) -> p.ServerCall:
    """A hosted tool's call, the caller's or an upstream's; `meta` keeps it as it was written."""
    name = "code_execution" if key == "executableCode" else str(spec.get("toolType") or spec.get("toolName") or key)
    shown = {name: value for name, value in spec.items() if name != "id"}
    arguments = shown.get("args", {}) if key == "toolCall" else shown
    return p.ServerCall(
        id=str(spec.get("id") or fallback_id),
        name=name,
        arguments=jsonio.text(arguments) if arguments else "",
        dialect=NAME,
        meta={NAME: {key: spec}},
    )


def server_result(key: str, spec: Raw, call_id: str) -> p.ServerResult:
    return p.ServerResult(call_id=str(spec.get("id") or call_id), dialect=NAME, raw={key: spec})


_READERS: dict[str, Callable[[Reader, Any, str, int], p.Part | None]] = {
    "functionCall": Reader._call,
    "functionResponse": Reader._response,
    "inlineData": Reader._inline,
    "fileData": Reader._file,
    "executableCode": Reader._code,
    "codeExecutionResult": Reader._code_result,
    "toolCall": Reader._hosted,
    "toolResponse": Reader._hosted_result,
    "text": Reader._text,
}
