"""A caller's Chat request as IR: the entry. Lenient in what it takes; a malformed field is named."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import Body, ClientSide, Peek
from proxyapp.dialects.openai.fields import flag, needed_text
from proxyapp.dialects.openai_chat.messages import MessageReader
from proxyapp.dialects.openai_chat.settings import read_settings
from proxyapp.dialects.openai_chat.tables import MODELLED, NAME, WORDS
from proxyapp.dialects.openai_chat.tools import read_tools
from proxyapp.errors import BadRequest
from proxyapp.ir.request import Request


def peek(body: Body) -> Peek:
    """Model and stream switch. Raises BadRequest."""
    head = {"model": body.get("model"), "stream": body.get("stream")}
    if head["model"] is None:
        raise BadRequest("You must provide a model parameter.", param="model")
    return Peek(model=needed_text(head, "model"), stream=bool(flag(head, "stream")))


def parse_request(body: dict[str, Any], side: ClientSide) -> Request:
    """The whole body as IR. Raises BadRequest with the path of the field at fault."""
    request = Request(
        client_dialect=NAME, words=WORDS, model=needed_text(body, "model"), stream=bool(flag(body, "stream"))
    )
    reader = MessageReader(side.sealer)
    reader.read(body.get("messages"))
    request.system, request.turns = reader.system, reader.turns
    read_tools(body, request)
    read_settings(body, request)
    request.extras = {name: value for name, value in body.items() if name not in MODELLED and value is not None}
    return request
