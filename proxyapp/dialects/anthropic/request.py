"""A caller's Messages body as an IR Request (reference/translation.md 2). Raises BadRequest; talks to no upstream."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.anthropic import fields
from proxyapp.dialects.anthropic.messages import Reader, parse_cache, parse_system
from proxyapp.dialects.anthropic.tables import NAME, WORDS
from proxyapp.dialects.anthropic.tools import parse_choice, parse_tools
from proxyapp.dialects.contract import Body, ClientSide, Peek
from proxyapp.errors import ThreadsUnsupported
from proxyapp.ir.parts import Text
from proxyapp.ir.request import Format, ReasoningSettings, Request, Turn

_KNOWN = frozenset(
    {
        "model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "thinking", "output_config",
        "output_format", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier",
        "cache_control",
    }
)  # fmt: skip


def peek(body: Body) -> Peek:
    """Model and stream switch. Raises BadRequest."""
    model = fields.text(body.get("model"), "model")
    if not model:
        fields.wrong("model", "String should have at least 1 character")
    return Peek(model=model, stream=bool(fields.maybe_bool(body.get("stream"), "stream")))


def parse_request(body: dict[str, Any], side: ClientSide) -> Request:
    """Lenient in what it takes; what has no place in the IR goes to `extras` by its own name.

    Only a body that is to be translated comes here, so there is no server behind it that holds message threads.
    """
    if body.get("thread") is not None:
        raise ThreadsUnsupported("This model cannot hold a thread; send the whole conversation without it.")
    request = Request(
        client_dialect=NAME,
        words=WORDS,
        model=fields.text(body.get("model"), "model"),
        stream=bool(fields.maybe_bool(body.get("stream"), "stream")),
        extras=fields.rest(body, _KNOWN),
    )
    _limit(body, request)
    request.system = parse_system(body.get("system"))
    request.turns = Reader(side).turns(body.get("messages"))
    of_a_turn = _effort_of_a_turn(request.turns)
    _lift_leading_system(request)
    request.tools, request.server_tools = parse_tools(body.get("tools"))
    request.tool_choice, request.parallel_tools = parse_choice(body.get("tool_choice"))
    _sampling(body, request)
    _output(body, request, of_a_turn, side)
    _identity(body, request)
    return request


def _limit(body: dict[str, Any], request: Request) -> None:
    limit = fields.maybe_int(body.get("max_tokens"), "max_tokens")
    if limit is None:
        fields.wrong("max_tokens", "Field required")
    if limit < 0:
        fields.wrong("max_tokens", "Input should be greater than or equal to 0")
    if limit == 0:  # prewarms the prompt cache and answers nothing (2.4.1 rule 6)
        request.extras["max_tokens"] = 0
    else:
        request.max_output = limit


def _lift_leading_system(request: Request) -> None:
    """System messages that stand first are the system prompt; the wire wants them elsewhere, people put them here."""
    while request.turns and request.turns[0].role == "system" and not request.turns[0].meta:
        texts = [part for part in request.turns[0].parts if isinstance(part, Text)]
        if len(texts) != len(request.turns[0].parts):
            return
        request.system.extend(texts)
        del request.turns[0]


def _sampling(body: dict[str, Any], request: Request) -> None:
    request.temperature = fields.maybe_number(body.get("temperature"), "temperature")
    request.top_p = fields.maybe_number(body.get("top_p"), "top_p")
    request.top_k = fields.maybe_int(body.get("top_k"), "top_k")
    request.stop = fields.texts(body.get("stop_sequences"), "stop_sequences")


def _effort_of_a_turn(turns: list[Turn]) -> str | None:
    """Per-turn control (a beta): a message's own `output_config.effort` is in force from there on, so the latest is the
    one for this answer. What else a message's `output_config` says stays with the message."""
    latest = None
    for turn in turns:
        own = turn.meta.get(NAME, {})
        if own.get("output_config") is None:
            continue
        path = f"{turn.path}.output_config"
        config = dict(fields.mapping(own["output_config"], path))
        latest = fields.maybe_text(config.pop("effort", None), f"{path}.effort") or latest
        rest = {**own, "output_config": config} if config else fields.rest(own, frozenset({"output_config"}))
        turn.meta = {NAME: rest} if rest else {}
    turns[:] = [turn for turn in turns if turn.role != "system" or turn.parts or turn.meta]
    return latest


def _output(body: dict[str, Any], request: Request, of_a_turn: str | None, side: ClientSide) -> None:
    config = dict(fields.maybe_mapping(body.get("output_config"), "output_config"))
    effort = fields.maybe_text(config.pop("effort", None), "output_config.effort")
    effort = of_a_turn or effort
    shape = config.pop("format", None)
    path = "output_config.format"
    if shape is None:
        shape, path = body.get("output_format"), "output_format"  # the beta's old place (0.1 row 5)
    request.format = _format(shape, path)
    request.reasoning = _reasoning(body, request, effort, side)
    if config:
        request.extras["output_config"] = config


def _format(value: Any, path: str) -> Format | None:
    if value is None:
        return None
    shape = fields.mapping(value, path)
    if shape.get("type") != "json_schema":
        fields.wrong(f"{path}.type", "Input should be 'json_schema'")
    name = shape.get("name")
    return Format(
        kind="json_schema",
        schema=fields.mapping(shape.get("schema"), f"{path}.schema"),
        name=name if isinstance(name, str) else None,
        always_held=True,
    )


def _reasoning(
    body: dict[str, Any], request: Request, effort: str | None, side: ClientSide
) -> ReasoningSettings | None:
    if body.get("thinking") is None:
        return ReasoningSettings(mode="effort", effort=effort) if effort else None
    thinking = fields.mapping(body["thinking"], "thinking")
    display = fields.maybe_text(thinking.get("display"), "thinking.display")
    settings = ReasoningSettings(
        mode="adaptive", effort=effort, display=display, show=None if display is None else display != "omitted"
    )
    match fields.text(thinking.get("type"), "thinking.type"):
        case "enabled":
            settings.mode, settings.budget = "budget", _budget(thinking)
        case "adaptive":
            pass
        case "disabled":
            settings.mode = "off"
        case "between_tools":
            settings.mode = "between_tools"
        case _:  # a newer kind: kept whole for its own dialect
            request.extras["thinking"] = thinking
            return ReasoningSettings(mode="effort", effort=effort) if effort else None
    for key in fields.rest(thinking, frozenset({"type", "budget_tokens", "display"})):
        side.notes.add(f"thinking.{key}", "This field of `thinking` is not known here and was left out.")
    return settings


def _budget(thinking: dict[str, Any]) -> int:
    budget = fields.maybe_int(thinking.get("budget_tokens"), "thinking.budget_tokens")
    if budget is None:
        fields.wrong("thinking.budget_tokens", "Field required")
    return budget


def _identity(body: dict[str, Any], request: Request) -> None:
    metadata = dict(fields.maybe_mapping(body.get("metadata"), "metadata"))
    request.end_user = fields.maybe_text(metadata.pop("user_id", None), "metadata.user_id")
    if metadata:
        request.extras["metadata"] = metadata
    request.service_tier = fields.maybe_text(body.get("service_tier"), "service_tier")
    request.cache_auto = parse_cache(body.get("cache_control"), "cache_control")
