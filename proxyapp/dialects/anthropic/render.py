"""An IR Request as an upstream's Messages body. Read `render_request` from top to bottom: it is the whole story."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import schema, settings, thinking, turns
from proxyapp.dialects.anthropic.content import Renderer
from proxyapp.dialects.anthropic.tables import CACHE_POINTS, NAME
from proxyapp.dialects.anthropic.toolset import PLACEHOLDER, Toolset, cache_control, name_table
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.ir.request import Format, Request

ANSWER_TOOL = "json_output"
ANSWER_TOOL_HINT = "Give the final answer by calling this tool, and in no other way."
JSON_HINT = "Answer with one JSON object and nothing else: no prose, no code fence."
SCHEMA_HINT = "Answer with JSON that follows this schema and nothing else: no prose, no code fence."

Body = dict[str, Any]


def render_request(request: Request, side: UpstreamSide) -> Body:
    """Deterministic. Losses go to `side.notes`; raises Unsupported for what may not be lost (2.1-2.7)."""
    own = request.client_dialect == NAME
    settings.refuse_impossible(request, side)
    settings.drop_unknown(request, side)
    names = name_table(request, side)
    limit = settings.limit(request, side)
    plan = thinking.Planner(request, side, limit).plan()
    toolset = Toolset(request, side, names)
    tools = toolset.definitions()
    choice = toolset.choice(bool(tools))
    choice = _settle_forced_choice(request, side, plan, choice)
    messages = turns.Conversation(request, side, Renderer(side, names, own=own)).build()
    _settle_missing_thinking(request, side, plan, messages)
    _settle_begun_answer(request, side, plan, messages)
    turns.finish_prefill(messages, side, allowed=side.profile.prefill and not plan.is_on)
    if not tools and not own and _uses_tools(messages):
        tools, choice = [dict(PLACEHOLDER)], {"type": "none"}

    system = _system(request)
    limit = thinking.raised(plan, side, limit, request.word("max_tokens"))
    body: Body = {"model": side.model, "max_tokens": limit, "system": system, "messages": messages}
    body |= {key: value for key, value in (("tools", tools), ("tool_choice", choice)) if value}
    if plan.thinking is not None:
        body["thinking"] = plan.thinking
    if plan.effort is not None:
        body["output_config"] = {"effort": plan.effort}
    _shape(request, side, body, forced_call=not plan.has_budget)
    if not system:
        del body["system"]
    body |= settings.sampling(request, side, thinking=plan.is_on)
    body |= settings.identity(request, side)
    if request.cache_auto:
        body["cache_control"] = cache_control(request.cache_auto)
    if request.stream and side.profile.streaming:
        body["stream"] = True
    settings.extras(request, side, body)
    _keep_last_cache_points(body, side, request.word("cache"))
    return body


def _system(request: Request) -> list[Body]:
    blocks = []
    for text in request.system:
        if text.text.strip():
            block: Body = {"type": "text", "text": text.text}
            if text.cache:
                block["cache_control"] = cache_control(text.cache)
            blocks.append(block)
    return blocks


def _uses_tools(messages: list[Body]) -> bool:
    return any(
        block["type"] in ("tool_use", "tool_result") for message in messages for block in message.get("content", [])
    )


def _settle_forced_choice(
    request: Request, side: UpstreamSide, plan: thinking.Plan, choice: Body | None
) -> Body | None:
    """2.5 rule 1: budget thinking and a forced call exclude each other; adaptive thinking bears it (appendix E)."""
    if choice is None or choice["type"] not in ("any", "tool") or not plan.has_budget:
        return choice
    path = request.word("reasoning")
    if thinking.switch_off(plan, side, path, "Thinking was switched off, since the tool choice forces a call."):
        return choice
    side.drop("tool_choice", "This model always thinks and cannot be forced to call a tool.", dropped=False)
    kept = {key: value for key, value in choice.items() if key == "disable_parallel_tool_use"}
    return {"type": "auto", **kept}


def _settle_missing_thinking(request: Request, side: UpstreamSide, plan: thinking.Plan, messages: list[Body]) -> None:
    """6.3: a tool loop whose thinking cannot be sent back must go on without thinking (corner case 187)."""
    if plan.has_budget and turns.lacks_thinking(messages):
        why = "Thinking was switched off: the thinking before the last tool calls cannot be sent back."
        thinking.switch_off(plan, side, request.word("reasoning"), why)


def _settle_begun_answer(request: Request, side: UpstreamSide, plan: thinking.Plan, messages: list[Body]) -> None:
    """A caller that began the answer, and did not ask for thinking, gets its answer: the operator's level gives way."""
    if side.level is not None and plan.has_budget and side.profile.prefill and turns.is_begun(messages):
        why = "Thinking was switched off, since the answer was begun by the caller."
        thinking.switch_off(plan, side, request.word("reasoning"), why)


# --- output format (2.6)


def _shape(request: Request, side: UpstreamSide, body: Body, *, forced_call: bool) -> None:
    shape, system = request.format, body["system"]
    if shape is None or shape.kind == "text":
        return
    path = request.word("format")
    if shape.kind == "json_object":
        system.append({"type": "text", "text": JSON_HINT})
        side.drop(path, "The model is asked for a JSON object in words.", dropped=False)
    elif side.profile.structured_output:
        body.setdefault("output_config", {})["format"] = _native(shape, request, side, path)
    elif forced_call and _has_object_root(shape):
        _by_tool(shape, side, body)
    else:
        wanted = f"{SCHEMA_HINT}\n{jsonio.text(shape.schema or {})}"
        system.append({"type": "text", "text": wanted})
        side.drop(path, "The model is asked for this JSON schema in words.", dropped=False)


def _native(shape: Format, request: Request, side: UpstreamSide, path: str) -> Body:
    if request.client_dialect == NAME:
        return {"type": "json_schema", "schema": shape.schema or {}}
    fitted, moved = schema.strict(shape.schema or {})
    if moved:
        side.drop(path, "Rules that the provider does not enforce were moved into descriptions.", dropped=False)
    return {"type": "json_schema", "schema": fitted}


def _has_object_root(shape: Format) -> bool:
    return bool((shape.schema or {}).get("type", "object") == "object")


def _by_tool(shape: Format, side: UpstreamSide, body: Body) -> None:
    """A forced tool whose input is the answer. Beside the caller's own tools any call is accepted (2.6 rule 2)."""
    tools = body.setdefault("tools", [])
    name = ANSWER_TOOL
    while any(tool.get("name") == name for tool in tools):
        name += "_"
    fitted, _ = schema.tool_input(shape.schema)
    description = f"{shape.description}\n\n{ANSWER_TOOL_HINT}" if shape.description else ANSWER_TOOL_HINT
    choice = body.get("tool_choice") or {"type": "auto"}
    if not tools or choice["type"] == "none":
        body["tool_choice"] = {"type": "tool", "name": name}
    elif choice["type"] == "auto":
        body["tool_choice"] = {**choice, "type": "any"}
    tools.append({"name": name, "description": description, "input_schema": fitted})
    side.answer_tool = name


# --- cache points (2.3 rule 9)


def _keep_last_cache_points(body: Body, side: UpstreamSide, path: str) -> None:
    holders = [*body.get("tools", []), *body.get("system", [])]
    for message in body["messages"]:
        for block in message.get("content", []):
            inner = block.get("content") if block["type"] == "tool_result" else None
            holders += inner if isinstance(inner, list) else []
            holders.append(block)
    points = [holder for holder in holders if holder.get("cache_control")]
    budget = CACHE_POINTS - (1 if body.get("cache_control") else 0)
    for holder in points[: max(0, len(points) - budget)]:
        del holder["cache_control"]
        side.drop(path, f"At most {CACHE_POINTS} cache points are taken; the last were kept.", dropped=False)
