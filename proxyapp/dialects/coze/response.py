"""A whole answer: what the steps of the kind `coze` collected (create, retrieve, messages), each as it came."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.coze import answer, errors
from proxyapp.dialects.coze.tables import COMPLETED
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.parts import Part, Reasoning, Text
from proxyapp.ir.response import Finish, FinishKind, Response

STEPS = ("create", "retrieve", "messages")


def parse_response(body: dict[str, Any], side: UpstreamSide) -> Response:
    """Raises UpstreamRefused for an error in any of the envelopes or a chat without an answer, else UpstreamBroken."""
    if (error := errors.in_envelope(body)) is not None:
        raise error
    envelopes = [answer.record(body.get(name)) for name in STEPS]
    for envelope in envelopes:
        if (error := errors.in_envelope(envelope)) is not None:
            raise error
    create, retrieve, listed = envelopes
    chat = answer.record(retrieve.get("data")) or answer.record(create.get("data"))
    if (fault := answer.failure(chat)) is not None:
        raise fault
    if chat.get("status") != COMPLETED or not isinstance(listed.get("data"), list):
        raise UpstreamBroken("The upstream's answer is no finished chat.")
    return Response(
        id=answer.answer_id(chat),
        model=side.model,
        created=answer.created(chat),
        parts=[part for message in listed["data"] for part in _parts(answer.record(message))],
        finish=Finish(kind=FinishKind.END, raw=COMPLETED),
        usage=answer.usage(chat),
    )


def _parts(message: dict[str, Any]) -> list[Part]:
    if not answer.is_answer(message):
        return []
    thought, words = answer.text(message.get("reasoning_content")), answer.content(message)
    return [*([Reasoning(text=thought)] if thought else []), *([Text(text=words)] if words else [])]
