"""A whole Chat answer as IR, read by the stream's decoder so that both forms give the same."""

from __future__ import annotations

from typing import Any

import msgspec

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_chat.decode import ChatDecoder
from proxyapp.dialects.openai_chat.errors import ERRORS
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.dialects.openai_chat.wire import Choice, Chunk
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.fold import fold
from proxyapp.ir.response import Response


def parse_response(body: dict[str, Any], side: UpstreamSide) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    if body.get("error"):
        raise ERRORS.reported(body["error"])
    try:
        chunk = msgspec.convert(body, Chunk)
    except msgspec.ValidationError as exc:
        raise UpstreamBroken("The upstream's answer is no chat completion.") from exc
    choice = chunk.first_choice()
    if choice is None:
        raise UpstreamBroken("The upstream's answer holds no choice.")
    if len(chunk.choices or ()) > 1:
        side.drop("n", "Only the first of several choices is used.")
    word = choice.finish_reason
    chunk.choices = [_numbered(choice)]
    decoder = ChatDecoder(side)
    response = fold([*decoder.take(chunk), *decoder.close()])
    response.finish.raw = as_text(word) or None
    if chunk.system_fingerprint is not None:
        response.extras = {NAME: {"system_fingerprint": chunk.system_fingerprint}}
    return response


def _numbered(choice: Choice) -> Choice:
    """Each call its own number; some servers number none, or all alike. An answer without a finish word but with
    content counts as ended for an unknown reason."""
    said = choice.message or choice.delta
    if said is not None and isinstance(said.tool_calls, list):
        said.tool_calls = [
            {**call, "index": index} for index, call in enumerate(said.tool_calls) if isinstance(call, dict)
        ]
    has_content = said is not None and bool(said.content or said.tool_calls or said.function_call or said.refusal)
    if not choice.finish_reason and has_content:
        choice.finish_reason = "unknown"
    return choice
