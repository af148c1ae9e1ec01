"""A caller's `system` and `messages` as IR turns, a small function a block type (reference/translation.md 1.2, 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments, proofs
from proxyapp.dialects.anthropic import fields, media
from proxyapp.dialects.anthropic.tables import FAMILY, NAME
from proxyapp.dialects.contract import ClientSide
from proxyapp.ir import parts as p
from proxyapp.ir.request import Turn

_ENVELOPE = frozenset({"role", "content"})
_ANY = frozenset({"type", "cache_control"})


def parse_system(value: Any) -> list[p.Text]:
    """The top-level `system`: a string or text blocks. Raises BadRequest."""
    if value is None:
        return []
    if isinstance(value, str):
        return [p.Text(text=value)] if value else []
    return [_system_text(block, f"system.{index}") for index, block in enumerate(fields.listing(value, "system"))]


def _system_text(value: Any, path: str) -> p.Text:
    block = fields.mapping(value, path)
    if block.get("type") != "text":
        fields.wrong(f"{path}.type", "Input should be 'text'")
    return _text(block, path)


class Reader:
    """Reads one conversation; remembers tool names by call id, for results, which do not bear them."""

    def __init__(self, side: ClientSide) -> None:
        self.side = side
        self.names: dict[str, str] = {}

    def turns(self, value: Any) -> list[Turn]:
        """Raises BadRequest naming the malformed message or block."""
        messages = fields.listing(value, "messages")
        if not messages:
            fields.wrong("messages", "at least one message is required")
        return [self._turn(message, f"messages.{index}") for index, message in enumerate(messages)]

    def _turn(self, value: Any, path: str) -> Turn:
        message = fields.mapping(value, path)
        role = fields.text(message.get("role"), f"{path}.role")
        if role not in ("user", "assistant", "system"):
            fields.wrong(f"{path}.role", "Input should be 'user', 'assistant' or 'system'")
        rest = fields.rest(message, _ENVELOPE)
        return Turn(
            role=role,  # type: ignore[arg-type]  # one of the three, see above
            parts=self._parts(message.get("content"), role, path, needed=role != "system" or not rest),
            author="system" if role == "system" else None,
            meta={NAME: rest} if rest else {},
            path=path,
        )

    def _parts(self, content: Any, role: str, path: str, *, needed: bool) -> list[p.Part]:
        path = f"{path}.content"
        if isinstance(content, str):
            return [p.Text(text=content)]
        if content is None and not needed:
            return []  # a system message may hold nothing but its own `output_config`
        found = []
        for index, block in enumerate(fields.listing(content, path)):
            part = self._part(block, role, f"{path}.{index}")
            if part is not None:
                found.append(part)
        return found

    def _part(self, value: Any, role: str, path: str) -> p.Part | None:
        block = fields.mapping(value, path)
        kind = fields.text(block.get("type"), f"{path}.type")
        if _ROLES.get(kind, role) != role:
            fields.wrong(path, f"`{kind}` blocks can only be in `{_ROLES[kind]}` messages")
        cache = parse_cache(block.get("cache_control"), f"{path}.cache_control")
        if kind.endswith("_tool_result"):
            part: p.Part | None = _server_result(block, path)
        else:
            part = _BLOCKS.get(kind, Reader._opaque)(self, block, path)
        if part is not None:
            part.cache = cache
        return part

    def _opaque(self, block: dict[str, Any], path: str) -> p.Part:
        return p.Opaque(dialect=NAME, raw={key: value for key, value in block.items() if key != "cache_control"})

    def _plain_text(self, block: dict[str, Any], path: str) -> p.Part:
        return _text(block, path)

    def _image(self, block: dict[str, Any], path: str) -> p.Part:
        source = media.parse_source(block.get("source"), f"{path}.source")
        if source is None:
            return self._opaque(block, path)
        return p.Image(source=source, meta=_meta(block, frozenset({"source"})))

    def _document(self, block: dict[str, Any], path: str) -> p.Part:
        source = media.parse_source(block.get("source"), f"{path}.source")
        if source is None:
            return self._opaque(block, path)
        known = frozenset({"source", "title", "context", "citations"})
        meta = _meta(block, known)
        if block["source"].get("type") == "content":  # its blocks have no place in the IR but their text
            meta.setdefault(NAME, {})["source"] = block["source"]
            self._note_pictures(block["source"], path)
        return p.Document(
            source=source,
            title=fields.maybe_text(block.get("title"), f"{path}.title"),
            context=fields.maybe_text(block.get("context"), f"{path}.context"),
            citations=bool(fields.maybe_mapping(block.get("citations"), f"{path}.citations").get("enabled")),
            meta=meta,
        )

    def _note_pictures(self, source: dict[str, Any], path: str) -> None:
        content = source.get("content")
        if isinstance(content, list) and any(isinstance(entry, dict) and "source" in entry for entry in content):
            self.side.notes.add(f"{path}.source", "Images inside a document are kept for Anthropic upstreams only.")

    def _search_result(self, block: dict[str, Any], path: str) -> p.Part:
        listed = fields.maybe_listing(block.get("content"), f"{path}.content")
        return p.SearchResult(
            source=fields.text(block.get("source"), f"{path}.source"),
            title=fields.text(block.get("title"), f"{path}.title"),
            texts=[
                _text(fields.mapping(entry, f"{path}.content.{i}"), f"{path}.content.{i}").text
                for i, entry in enumerate(listed)
            ],
            citations=bool(fields.maybe_mapping(block.get("citations"), f"{path}.citations").get("enabled")),
        )

    def _tool_use(self, block: dict[str, Any], path: str) -> p.Part:
        call = p.ToolCall(
            id=fields.text(block.get("id"), f"{path}.id"),
            name=fields.text(block.get("name"), f"{path}.name"),
            arguments=arguments.as_text(fields.mapping(block.get("input"), f"{path}.input")),
            meta=_meta(block, frozenset({"id", "name", "input"})),
        )
        self.names[call.id] = call.name
        return call

    def _tool_result(self, block: dict[str, Any], path: str) -> p.Part:
        call_id = fields.text(block.get("tool_use_id"), f"{path}.tool_use_id")
        return p.ToolResult(
            call_id=call_id,
            name=self.names.get(call_id),
            parts=self._parts(block.get("content"), "user", path, needed=False),
            is_error=bool(fields.maybe_bool(block.get("is_error"), f"{path}.is_error")),
            meta=_meta(block, frozenset({"tool_use_id", "content", "is_error"})),
        )

    def _thinking(self, block: dict[str, Any], path: str) -> p.Part | None:
        text = fields.text(block.get("thinking"), f"{path}.thinking")
        signature = fields.maybe_text(block.get("signature"), f"{path}.signature")
        return proofs.opened(text, signature, self.side.sealer, family=FAMILY)

    def _redacted(self, block: dict[str, Any], path: str) -> p.Part | None:
        data = fields.text(block.get("data"), f"{path}.data")
        return proofs.opened("", data, self.side.sealer, family=FAMILY, redacted=True)

    def _server_use(self, block: dict[str, Any], path: str) -> p.Part:
        return server_call(block, arguments.as_text(fields.maybe_mapping(block.get("input"), f"{path}.input")), path)


def server_call(block: dict[str, Any], text: str, path: str) -> p.ServerCall:
    """A `server_tool_use` or `mcp_tool_use` block; which of the two, and what else it says, is kept in `meta`."""
    kept = {"type": block["type"], **fields.rest(block, frozenset({"type", "id", "name", "input", "cache_control"}))}
    return p.ServerCall(
        id=fields.text(block.get("id"), f"{path}.id"),
        name=fields.text(block.get("name"), f"{path}.name"),
        arguments=text,
        dialect=NAME,
        meta={NAME: kept},
    )


def _server_result(block: dict[str, Any], path: str) -> p.ServerResult:
    raw = {key: value for key, value in block.items() if key != "cache_control"}
    return p.ServerResult(call_id=fields.text(block.get("tool_use_id"), f"{path}.tool_use_id"), dialect=NAME, raw=raw)


def parse_citations(value: Any) -> list[p.Citation]:
    """Citations of a text block, lenient: what is no object is left out."""
    return [parse_citation(entry) for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def parse_citation(entry: dict[str, Any]) -> p.Citation:
    """Any of the five kinds; the whole text block is the cited span (3.1 rule 3)."""
    url, title, cited = entry.get("url"), entry.get("title") or entry.get("document_title"), entry.get("cited_text")
    return p.Citation(
        url=url if isinstance(url, str) else None,
        title=title if isinstance(title, str) else None,
        cited_text=cited if isinstance(cited, str) else None,
        dialect=NAME,
        raw=entry,
    )


def parse_cache(value: Any, path: str) -> str | None:
    """`cache_control` as a lifetime; 5m where none is said. Raises BadRequest."""
    if value is None:
        return None
    return fields.maybe_text(fields.mapping(value, path).get("ttl"), f"{path}.ttl") or "5m"


def _text(block: dict[str, Any], path: str) -> p.Text:
    return p.Text(
        text=fields.text(block.get("text"), f"{path}.text"),
        citations=parse_citations(block.get("citations")),
        cache=parse_cache(block.get("cache_control"), f"{path}.cache_control"),
    )


def _meta(block: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    rest = fields.rest(block, known | _ANY)
    return {NAME: rest} if rest else {}


_ROLES = {"tool_use": "assistant", "tool_result": "user"}
"""Blocks whose place the IR relies on."""

_BLOCKS: dict[str, Callable[[Reader, dict[str, Any], str], p.Part | None]] = {
    "text": Reader._plain_text,
    "image": Reader._image,
    "document": Reader._document,
    "search_result": Reader._search_result,
    "tool_use": Reader._tool_use,
    "tool_result": Reader._tool_result,
    "thinking": Reader._thinking,
    "redacted_thinking": Reader._redacted,
    "server_tool_use": Reader._server_use,
    "mcp_tool_use": Reader._server_use,
}
