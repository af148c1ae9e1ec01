"""One model in the words of each dialect's model list (reference/translation.md 9.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from proxyapp.engine.prepare import profile_of
from proxyapp.engine.routing import Target
from proxyapp.engine.snapshot import Model, Snapshot
from proxyapp.ir.profile import Profile
from proxyapp.upstreams.registry import KINDS

_GENERATES = ["generateContent", "streamGenerateContent", "countTokens"]
_EMBEDS = ["embedContent", "batchEmbedContents"]


class Listed(Struct, frozen=True):
    """A model as its callers name it, with what is known of it."""

    name: str
    created: int
    """Unix seconds; 0 = not known."""
    profile: Profile
    embeds: bool = False
    """Makes embeddings, as far as its name tells."""


def listed(snapshot: Snapshot, name: str, model: Model, matched: str = "") -> Listed:
    """What is known of `model` under `name`: the profile is that of its first route."""
    profile, upstream_name = Profile(), ""
    for route in sorted(model.routes, key=lambda route: route.priority):
        upstream = snapshot.upstreams.get(route.upstream)
        kind = KINDS.get(upstream.kind) if upstream is not None else None
        if upstream is not None and kind is not None:
            upstream_name = route.model.replace("*", matched)
            profile = profile_of(kind, Target(upstream, upstream_name, ()), model)
            break
    return Listed(name, model.created, profile, embeds="embed" in f"{name} {upstream_name}".lower())


def openai_item(model: Listed) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "dragoman"}


def gemini_item(model: Listed) -> dict[str, Any]:
    """`name` as Google writes it: with `models/` before it."""
    item: dict[str, Any] = {"name": f"models/{model.name}", "version": "", "displayName": model.name}
    if model.profile.max_input is not None:
        item["inputTokenLimit"] = model.profile.max_input
    if model.profile.max_output is not None and not model.embeds:
        item["outputTokenLimit"] = model.profile.max_output
    item["supportedGenerationMethods"] = _EMBEDS if model.embeds else _GENERATES
    return item


def anthropic_item(model: Listed) -> dict[str, Any]:
    """With the fields of the newest SDK; what is not known is null there, and a time that is not known the epoch."""
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": created,
        "max_input_tokens": model.profile.max_input,
        "max_tokens": model.profile.max_output,
        "capabilities": _capabilities(model.profile),
        "lifecycle": "active",
        "line": next((line for line in _LINES if line in model.name), None),
        "deprecated_at": None,
        "retires_at": None,
    }


_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
_BUDGETS, _ADAPTS = ("budget", "both"), ("adaptive", "both")


def _capabilities(profile: Profile) -> dict[str, Any] | None:
    """All known keys must be there, so it is said of Claude models alone: of others too little is known. Hosted tools
    and citations come from Anthropic's servers; batches are not served here."""
    if profile.model_group != "claude":
        return None
    thinks = profile.thinking != "none"
    efforts = profile.efforts if profile.thinking in _ADAPTS else ()
    return {
        "batch": _is(False),
        "citations": _is(True),
        "code_execution": _is(thinks),
        "context_management": _is(thinks),
        "effort": {**_is(bool(efforts)), **{word: _is(word in efforts) for word in _EFFORTS}},
        "image_input": _is(True),
        "pdf_input": _is(True),
        "server_tools": {**_is(thinks), "code_execution": _is(thinks), "web_search": _is(thinks)},
        "structured_outputs": _is(profile.structured_output),
        "thinking": {
            **_is(thinks),
            "types": {
                "adaptive": _is(profile.thinking in _ADAPTS),
                "between_tools": _is(profile.thinking in _ADAPTS),
                "disabled": _is(profile.thinking_can_be_off),
                "enabled": _is(profile.thinking in _BUDGETS),
            },
        },
    }


_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def _is(supported: bool) -> dict[str, bool]:
    return {"supported": supported}
