"""A caller's Responses request as IR: the entry. Lenient in what it takes; a malformed field is named."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import Body, ClientSide, Peek
from proxyapp.dialects.openai.fields import flag, needed_text, text
from proxyapp.dialects.openai_responses.items import ItemReader
from proxyapp.dialects.openai_responses.settings import read_settings
from proxyapp.dialects.openai_responses.tables import ECHOED, MODELLED, NAME, UNHEARD, WORDS
from proxyapp.dialects.openai_responses.tools import ToolReader
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir.parts import Text
from proxyapp.ir.request import Request


def peek(body: Body) -> Peek:
    """Model and stream switch. Raises BadRequest."""
    head = {"model": body.get("model"), "stream": body.get("stream")}
    if head["model"] is None:
        raise BadRequest("You must provide a model parameter.", param="model")
    return Peek(model=needed_text(head, "model"), stream=bool(flag(head, "stream")))


def parse_request(body: dict[str, Any], side: ClientSide) -> Request:
    """The whole body as IR. Raises BadRequest with the path of the field at fault, Unsupported for what only the
    keeper of a conversation could resolve."""
    _refuse_state(body)
    request = Request(
        client_dialect=NAME,
        words=WORDS,
        model=needed_text(body, "model"),
        stream=bool(flag(body, "stream")),
        echo={name: body[name] for name in ECHOED if body.get(name) is not None},
    )
    read_settings(body, request)
    tools = ToolReader(request)
    tools.read(body.get("tools"), "tools")
    if instructions := text(body, "instructions"):
        request.system.append(Text(text=instructions))
    reader = ItemReader(request, tools, side.sealer)
    reader.read(body.get("input"))
    tools.read_choice(body)
    unmodelled = {name: value for name, value in body.items() if name not in MODELLED | UNHEARD}
    request.extras |= {name: value for name, value in unmodelled.items() if value is not None}
    return request


def _refuse_state(body: dict[str, Any]) -> None:
    """What names things that OpenAI keeps. An answer to go on from is put into the body before it comes here."""
    if body.get("previous_response_id"):
        raise Unsupported(
            "'previous_response_id' names an answer that is not kept here; send the whole conversation as `input`.",
            param="previous_response_id",
        )
    for name in ("conversation", "prompt"):
        if body.get(name) is not None:
            raise Unsupported(f"'{name}' names something kept at OpenAI; the model is served elsewhere.", param=name)
    if flag(body, "background"):
        raise Unsupported("This model's upstream cannot answer in the background.", param="background")
