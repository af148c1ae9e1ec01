"""Paths that programs call. Each is served by the lean handler (see `gateway.asgi`)."""

from django.urls import path

from proxyapp.api.demo import DemoView
from proxyapp.api.gemini import GeminiView
from proxyapp.api.health import HealthView, ReadyView
from proxyapp.api.inference import InferenceView
from proxyapp.api.models import ModelsView
from proxyapp.api.responses import CancelView, InputItemsView, ResponseView
from proxyapp.engine.counting import count
from proxyapp.engine.embedding import embed
from proxyapp.engine.forwarding import ENDPOINTS, forward

chat = InferenceView.as_view(dialect="openai-chat")
messages = InferenceView.as_view(dialect="anthropic-messages")
kept, inputs, cancel = ResponseView.as_view(), InputItemsView.as_view(), CancelView.as_view()
responses = InferenceView.as_view(dialect="openai-responses")
count_messages = InferenceView.as_view(dialect="anthropic-messages", story=count)
count_responses = InferenceView.as_view(dialect="openai-responses", story=count)
embeddings = InferenceView.as_view(dialect="openai-chat", story=embed)
models = ModelsView.as_view()
gemini = GeminiView.as_view()
generate = InferenceView.as_view(dialect="gemini")  # as droid2api had it: model and `stream` stand in the body
health = HealthView.as_view()

urlpatterns = [
    path("v1/chat/completions", chat),
    path("chat/completions", chat),
    path("v1/responses", responses),
    path("responses", responses),
    path("v1/responses/input_tokens", count_responses),
    path("v1/responses/<str:response_id>", kept),
    path("responses/<str:response_id>", kept),
    path("v1/responses/<str:response_id>/input_items", inputs),
    path("responses/<str:response_id>/input_items", inputs),
    path("v1/responses/<str:response_id>/cancel", cancel),
    path("responses/<str:response_id>/cancel", cancel),
    path("v1/generate", generate),
    path("v1/messages", messages),
    path("messages", messages),
    path("v1/messages/count_tokens", count_messages),
    path("messages/count_tokens", count_messages),
    path("v1/embeddings", embeddings),
    path("embeddings", embeddings),
    path("v1/models", models),
    path("models", models),
    path("v1/models/<path:name>", gemini),
    path("models/<path:name>", models),
    path("v1beta/models", models),
    path("v1beta/models/<path:name>", gemini),
    path("v1beta/tunedModels/<path:name>", gemini),
    path("health", health),
    path("v1/health", health),
    path("health/live", health),
    path("health/ready", ReadyView.as_view()),
    *(path(f"v1/{name}", InferenceView.as_view(dialect="openai-chat", story=forward(name))) for name in ENDPOINTS),
    path("_demo/v1/messages", DemoView.as_view()),
]
