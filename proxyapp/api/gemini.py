"""Gemini's endpoints: the model and the verb stand in the address, `/v1beta/models/{model}:{verb}`.

A stream is asked for by its verb. With `?alt=sse` it comes as events, without as one JSON array.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from msgspec import Struct

from proxyapp import wiring
from proxyapp.api.base import reply_response
from proxyapp.api.inference import address_of, body_reader, query_key
from proxyapp.api.models import ModelsView
from proxyapp.api.reframing import as_array
from proxyapp.dialects.contract import Peek
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.call import Call
from proxyapp.engine.counting import count
from proxyapp.engine.embedding import embed
from proxyapp.engine.serve import Story, serve
from proxyapp.errors import PathNotFound

_COLLECTIONS = ("models/", "tunedModels/")


class Verb(Struct, frozen=True):
    """What stands behind the colon."""

    story: Story | None = None
    """What it tells the engine to do; None = inference."""
    stream: bool = False


VERBS: dict[str, Verb] = {
    "generateContent": Verb(),
    "streamGenerateContent": Verb(stream=True),
    "countTokens": Verb(count),
    "embedContent": Verb(embed),
    "batchEmbedContents": Verb(embed),
}


class GeminiView(ModelsView):
    """POST of a verb; GET of a model shares its address."""

    async def post(self, request: HttpRequest, name: str) -> HttpResponseBase:
        model, _, word = name.rpartition(":")
        verb = VERBS.get(word)
        if verb is None or not model:
            raise PathNotFound(f"There is nothing at POST {request.path}. The verbs are {', '.join(VERBS)}.")
        call = Call(
            dialect=DIALECTS["gemini"],
            request_id=self.request_id,
            headers=self.incoming,
            read_body=body_reader(request),
            query_key=query_key(request),
            address=address_of(request, self.incoming.get("x-forwarded-for", "")),
            path=request.path,
            asked=Peek(bare_name(model), verb.stream),
        )
        worker = await wiring.start()
        reply = await serve(worker.engine, call, verb.story)
        if verb.stream and request.GET.get("alt") != "sse":
            reply = as_array(reply)
        return reply_response(reply)


def bare_name(model: str) -> str:
    """`models/x` and `tunedModels/x` are x here."""
    for collection in _COLLECTIONS:
        model = model.removeprefix(collection)
    return model
