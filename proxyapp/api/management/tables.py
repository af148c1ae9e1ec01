"""What programs call, path by path, for the OpenAPI description. Data only."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

Json = dict[str, Any]

TAGS = {
    "Chat Completions": "OpenAI's Chat Completions, for every model whatever serves it.",
    "Responses": "OpenAI's Responses; answers are kept by the gateway itself.",
    "Messages": "Anthropic's Messages.",
    "Gemini": "Google's generateContent and what belongs to it.",
    "More": "Embeddings, model lists and endpoints that are forwarded.",
    "Operations": "Health, metrics and this description.",
    "Management": "Keys. For keys of scope admin, and for staff.",
}
PLACES_OF_KEYS: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A gateway key, `sk-dg-…`."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
}
ERROR: Json = {
    "type": "object",
    "description": "An error in OpenAI's shape. At Messages and Gemini paths it has the shape of their vendors.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


class Told(Struct, kw_only=True, frozen=True):
    """One operation."""

    method: str
    path: str
    tag: str
    summary: str
    text: str = ""
    answer: str = "The answer."
    body: Json | None = None
    media_type: str = "application/json"
    needs_key: bool = True


MODEL: Json = {"type": "string", "description": "A name from the model list.", "examples": ["demo"]}
STREAM: Json = {"type": "boolean", "default": False, "description": "Answer as server-sent events."}


def asks(*required: str, **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": True}


def messages(text: str) -> Json:
    return {"type": "array", "minItems": 1, "items": {"type": "object"}, "description": text}


CHAT = asks("model", "messages", model=MODEL, messages=messages("As OpenAI has them."), stream=STREAM)
RESPONSES = asks(
    "model",
    model=MODEL,
    input={"type": ["string", "array"], "items": {"type": "object"}},
    stream=STREAM,
    previous_response_id={"type": ["string", "null"]},
    store={"type": "boolean", "default": True},
)
MESSAGES = asks(
    "model",
    "max_tokens",
    "messages",
    model=MODEL,
    max_tokens={"type": "integer", "minimum": 1},
    messages=messages("As Anthropic has them."),
    stream=STREAM,
)
CONTENTS = asks("contents", contents=messages("As Google has them."))
EMBEDDING = asks("model", "input", model=MODEL, input={"type": ["string", "array"], "items": {}})
NAMED = asks("model", model=MODEL)
FORM: Json = {"type": "object", "required": ["model"], "properties": {"model": MODEL}, "additionalProperties": True}

_VERBS = (
    ("generateContent", "Answer", CONTENTS),
    ("streamGenerateContent", "Answer as a stream", CONTENTS),
    ("countTokens", "Count the tokens of a prompt", asks()),
    ("embedContent", "Embed one text", asks("content", content={"type": "object"})),
    ("batchEmbedContents", "Embed several texts", asks("requests", requests=messages("One for each text."))),
)
_FORWARDED = (
    ("completions", "Legacy completion", NAMED, "application/json"),
    ("moderations", "Moderation", asks(input={"type": ["string", "array"], "items": {}}), "application/json"),
    ("images/generations", "Make images", NAMED, "application/json"),
    ("images/edits", "Edit images", FORM, "multipart/form-data"),
    ("images/variations", "Vary an image", FORM, "multipart/form-data"),
    ("audio/speech", "Speak a text", NAMED, "application/json"),
    ("audio/transcriptions", "Write down speech", FORM, "multipart/form-data"),
    ("audio/translations", "Write down speech in English", FORM, "multipart/form-data"),
    ("rerank", "Rank documents", NAMED, "application/json"),
)
_AS_IT_IS = "Forwarded as it is to upstreams that offer it; elsewhere a 400."
_KEPT = "Of the asking key's client; another's is a 404."

INFERENCE: tuple[Told, ...] = (
    Told(method="post", path="v1/chat/completions", tag="Chat Completions", summary="Answer a conversation", body=CHAT,
         text="Also at `/chat/completions`.", answer="The answer, or a stream of events."),
    Told(method="post", path="v1/responses", tag="Responses", summary="Answer a conversation", body=RESPONSES,
         text="Also at `/responses`.", answer="The answer, or a stream of events."),
    Told(method="post", path="v1/responses/input_tokens", tag="Responses", summary="Count the tokens of a prompt",
         body=RESPONSES),
    Told(method="get", path="v1/responses/{response_id}", tag="Responses", summary="A kept answer", text=_KEPT),
    Told(method="delete", path="v1/responses/{response_id}", tag="Responses", summary="Delete a kept answer",
         text=_KEPT),
    Told(method="get", path="v1/responses/{response_id}/input_items", tag="Responses", text=_KEPT,
         summary="What the model was given for a kept answer"),
    Told(method="post", path="v1/responses/{response_id}/cancel", tag="Responses", text="Always a 400.",
         summary="Nothing is made in the background, so there is nothing to cancel"),
    Told(method="post", path="v1/messages", tag="Messages", summary="Answer a conversation", body=MESSAGES,
         text="Also at `/messages`.", answer="The answer, or a stream of events."),
    Told(method="post", path="v1/messages/count_tokens", tag="Messages", summary="Count the tokens of a prompt",
         body=asks("model", "messages", model=MODEL, messages=messages("As Anthropic has them."))),
    *(Told(method="post", path=f"v1beta/models/{{model}}:{verb}", tag="Gemini", summary=summary, body=body,
           text=f"Also at `/v1/models/{{model}}:{verb}`.") for verb, summary, body in _VERBS),
    Told(method="post", path="v1/generate", tag="Gemini", summary="Answer, with the model's name in the body",
         text="As droid2api has it.", answer="The answer, or a stream of events.",
         body=asks("model", "contents", model=MODEL, contents=messages("As Google has them."), stream=STREAM)),
    Told(method="get", path="v1beta/models", tag="Gemini", summary="Models that the key may use, in Google's shape"),
    Told(method="get", path="v1beta/models/{name}", tag="Gemini", summary="One model in Google's shape"),
    Told(method="get", path="v1/models", tag="More", summary="Models that the key may use",
         text="OpenAI's shape; Anthropic's with `anthropic-version`, Google's with `x-goog-api-key` or `?key=`."),
    Told(method="get", path="v1/models/{name}", tag="More", summary="One model"),
    Told(method="post", path="v1/embeddings", tag="More", summary="Embed texts", body=EMBEDDING,
         text="Also at `/embeddings`."),
    *(Told(method="post", path=f"v1/{name}", tag="More", summary=summary, body=body, media_type=media_type,
           text=_AS_IT_IS) for name, summary, body, media_type in _FORWARDED),
    Told(method="get", path="health", tag="Operations", summary="The process answers", needs_key=False),
    Told(method="get", path="health/ready", tag="Operations", needs_key=False,
         summary="The process can serve; 503 when the configuration cannot be read"),
    Told(method="get", path="metrics", tag="Operations", summary="Numbers for Prometheus",
         text="An admin key or staff, unless `DRAGOMAN_METRICS_PUBLIC=1`.", answer="Prometheus's text format."),
)  # fmt: skip
