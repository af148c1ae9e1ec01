"""Whole answers on both sides: an upstream's message as a Response, a Response as a caller's message.

Reference: translation.md 3. The same answer read as a stream gives the same parts (`decode`).
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.anthropic import finish, usage
from proxyapp.dialects.anthropic.errors import refusal_in
from proxyapp.dialects.anthropic.reader import AnswerReader, text_of
from proxyapp.dialects.anthropic.tables import NAME
from proxyapp.dialects.anthropic.writer import AnswerWriter
from proxyapp.dialects.contract import ClientSide, UpstreamSide
from proxyapp.errors import UpstreamBroken
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response

_EXTRAS = ("container", "context_management", "diagnostics", "input_transformations")

# --- from an upstream


def parse_response(body: dict[str, Any], side: UpstreamSide) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no message."""
    refused = refusal_in(body)
    if refused is not None:
        raise refused
    content = body.get("content")
    if body.get("type", "message") != "message" or not isinstance(content, list):
        raise UpstreamBroken("The upstream's answer is not a message.")
    reader = AnswerReader(side)
    parts = [part for block in content if (part := reader.part(block)) is not None]
    counted = usage.parse(body.get("usage"))
    extras = {key: body[key] for key in _EXTRAS if body.get(key) is not None}
    return Response(
        id=text_of(body.get("id")),
        model=text_of(body.get("model")),
        parts=parts,
        finish=finish.parse(
            body.get("stop_reason"),
            body.get("stop_sequence"),
            body.get("stop_details"),
            answered=reader.answered and not reader.called,
        ),
        usage=counted,
        service_tier=service_tier(body.get("usage")),
        extras={NAME: extras} if extras else {},
    )


def service_tier(counts: Any) -> str | None:
    """The tier stands inside `usage`."""
    tier = counts.get("service_tier") if isinstance(counts, dict) else None
    return tier if isinstance(tier, str) else None


# --- to a caller


def render_response(response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
    """A whole message. Raises UpstreamBroken for an answer that is none (3.2 rule 3)."""
    writer = AnswerWriter(request, side)
    content = [block for part in response.parts for block in writer.blocks(part)]
    ended = finish.render(
        response.finish,
        called=finish.has_call(response.parts),
        refused=any(isinstance(part, p.Refusal) for part in response.parts),
        has_content=any(not isinstance(part, p.Reasoning) for part in response.parts),
    )
    counted = usage.render(
        response.usage, estimated_input=side.estimate_input, estimated_output=_estimate(response.parts)
    )
    return {
        "id": message_id(response.id, side),
        "type": "message",
        "role": "assistant",
        "model": request.model or response.model,  # Claude Code compares it, see `naming`
        "content": _to_the_last_word(content),
        **ended,
        "container": None,
        "usage": counted,
        **response.extras.get(NAME, {}),
    }


def _to_the_last_word(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without thinking at the end that shows nothing; see `AnthropicEncoder`."""
    has_spoken = any(block["type"] not in ("thinking", "redacted_thinking") for block in content)
    kept = list(content)
    while has_spoken and kept[-1]["type"] == "thinking" and not kept[-1]["thinking"]:
        kept.pop()
    return kept


def message_id(upstream_id: str, side: ClientSide) -> str:
    """Always `msg_...`: the upstream's own where it is one."""
    return upstream_id if upstream_id.startswith("msg_") else f"msg_{side.new_id()}"


def _estimate(parts: list[p.Part]) -> int:
    told = sum(len(getattr(part, "text", "")) + len(getattr(part, "arguments", "")) for part in parts)
    return tokens_of(told)


def tokens_of(characters: int) -> int:
    """A rough count for when the upstream gave none: the wire demands a number."""
    return -(-characters // 4)
