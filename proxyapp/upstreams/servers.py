"""Servers that copy Chat Completions, each a little otherwise: what is known of them, as data.

A server is known by the host of its address. Its rows are tried in order by the model's name, then its default counts;
hosts that nobody knows get `profiles.COMPATIBLE`. Operators override single fields per model. The facts: upstreams.md
5.5-5.7 and 9 of the maintainers' notes, the vendors' documents, the recorded traffic, and the issues named here.
"""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from proxyapp.ir.profile import Profile
from proxyapp.upstreams.profiles import look_up


class Server(Struct, frozen=True):
    """One sort of server."""

    name: str
    host: re.Pattern[str]
    """Found in `host` or `host:port`."""
    default: Profile
    models: tuple[tuple[re.Pattern[str], Profile], ...] = ()
    versioned: bool = True
    """False: its paths have no `/v1`."""


def _server(name: str, host: str, default: Profile, *models: tuple[str, dict[str, Any]], **more: Any) -> Server:
    """`models`: pattern and what differs from the default."""
    rows = tuple((re.compile(pattern), msgspec.structs.replace(default, **changes)) for pattern, changes in models)
    return Server(name, re.compile(host), default, rows, **more)


_NO_REASONING_BACK = ("reasoning_content", "reasoning", "reasoning_details")
_STRICT_MESSAGES = (*_NO_REASONING_BACK, "name", "refusal", "annotations", "audio")
_REFUSED_BY_THINKERS = ("stop", "presence_penalty", "frequency_penalty")
_EFFORTS = ("low", "medium", "high")

DEEPSEEK = _server(
    "DeepSeek",
    r"(^|\.)api\.deepseek\.com$",
    Profile(
        reasoning_form="switch",
        efforts=("minimal", "low", "medium", "high", "xhigh", "max"),  # it maps them itself, medium to high
        reasoning_back="tool_turns",
        structured_output=False,
        developer_refused=True,
    ),
)

OPENROUTER = _server(
    "OpenRouter",
    r"(^|\.)openrouter\.ai$",
    Profile(
        reasoning_form="object",
        efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
        reasoning_field="reasoning",
        top_k=True,
    ),
)

MISTRAL = _server(
    "Mistral",
    r"(^|\.)mistral\.ai$",
    # It refuses every field it does not know: "Extra inputs are not permitted" (crush#1590, eca#231, OpenHands-CLI#83).
    Profile(
        untaken=(
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "user",
            "safety_identifier",
            "stream_options",
            "store",
            "service_tier",
            "verbosity",
            "metadata",
            "modalities",
            "web_search_options",
        ),
        untaken_in_messages=_STRICT_MESSAGES,
        renamed={"seed": "random_seed"},
        usage_in_stream=False,  # comes unasked, in the last chunk (corpus mistral-*)
        reasoning_effort=False,
        developer_refused=True,
        call_id_limit=9,
        exact_call_ids=True,
        forced_word="any",
        assistant_after_tool=True,
        prefix_mark=True,
    ),
    (r"mistral-small-(latest|2[6-9]\d\d)", {"reasoning_effort": True, "efforts": ("none", "high")}),
)

GROQ = _server(
    "Groq",
    r"(^|\.)api\.groq\.com$",
    Profile(
        untaken=("logprobs", "top_logprobs", "logit_bias", "store", "metadata"),
        untaken_in_messages=("reasoning_content", "reasoning_details", "name", "refusal", "annotations", "audio"),
        reasoning_field="reasoning",
        reasoning_effort=False,
        structured_output=False,
        think_tags=True,
    ),
    (r"gpt-oss", {"reasoning_effort": True, "efforts": _EFFORTS, "structured_output": True}),
    (r"qwen3|qwen-3", {"reasoning_effort": True, "efforts": ("none",), "added": {"reasoning_format": "parsed"}}),
    (r"deepseek-r1", {"added": {"reasoning_format": "parsed"}}),
    (r"kimi-k2|llama-4", {"structured_output": True}),
)

XAI = _server(
    "xAI",
    r"(^|\.)api\.x\.ai$",
    Profile(efforts=_EFFORTS, untaken=(*_REFUSED_BY_THINKERS, "logit_bias")),
    (r"non-reasoning|grok-(2|3(?!-mini))", {"reasoning_effort": False, "untaken": ("logit_bias",)}),
    (r"grok-3-mini", {"efforts": ("low", "high")}),
    (r"grok-4\.3", {"efforts": ("none", *_EFFORTS)}),
    (r"grok-4\.[5-9]|grok-([5-9]|\d\d)", {}),
    (r"grok-4|grok-code", {"reasoning_effort": False}),  # which model is asked settles it (opencode-oci-provider 0.2.3)
)

PERPLEXITY = _server(
    "Perplexity",
    r"(^|\.)api\.perplexity\.ai$",
    Profile(
        alternate=True,  # "user and assistant roles should be alternating" (api-discussion#265)
        reasoning_effort=False,
        json_object=False,
        developer_refused=True,
        think_tags=True,
        top_k=True,
    ),
    (r"deep-research", {"reasoning_effort": True, "efforts": _EFFORTS}),
    versioned=False,
)

GOOGLE = _server(
    "Gemini",
    r"(^|\.)generativelanguage\.googleapis\.com$",
    # Its layer for OpenAI's clients makes Schema messages of schemas, and knows no more of them (upstreams.md 5.4.6).
    Profile(plain_schemas=True),
)

OLLAMA = _server(
    "Ollama",
    r":11434$|(^|\.)ollama\.com$",
    # A model that does not think refuses the effort ("does not support thinking").
    # It takes images as bytes alone ("invalid image input", ollama#6753).
    Profile(
        reasoning_effort=False,
        reasoning_field="reasoning",
        developer_refused=True,
        think_tags=True,
        image_urls=False,
    ),
    (r"coder|instruct|embed", {}),
    (
        r"gpt-oss|qwen3|deepseek-(r1|v3\.[1-9]|v[4-9])|magistral|glm-|kimi|minimax|thinking|nemotron",
        {"reasoning_effort": True, "efforts": ("none", *_EFFORTS)},
    ),
)

LM_STUDIO = _server(
    "LM Studio",
    r":1234$",
    Profile(
        image_urls=False,  # "'url' field must be a base64 encoded image"
        named_choice=False,  # "Invalid tool_choice type: 'object'" (lmstudio-bug-tracker#670)
        json_object=False,  # "'response_format.type' must be 'json_schema' or 'text'" (lmstudio-bug-tracker#307)
        reasoning_effort=False,
        developer_refused=True,
        think_tags=True,
        top_k=True,
    ),
    (r"gpt-oss", {"reasoning_effort": True, "efforts": _EFFORTS}),
)

SERVERS = (DEEPSEEK, OPENROUTER, MISTRAL, GROQ, XAI, PERPLEXITY, GOOGLE, OLLAMA, LM_STUDIO)


@functools.lru_cache(maxsize=256)
def known(base_url: str) -> Server | None:
    """The server at an address; of a relay's, the innermost address counts."""
    try:
        parts = urlsplit("//" + base_url.rsplit("://", 1)[-1])
    except ValueError:  # half an IPv6 address
        return None
    host, name = parts.netloc.lower(), parts.hostname or ""
    return next((server for server in SERVERS if server.host.search(host) or server.host.search(name)), None)


def profile(server: Server, model: str) -> Profile:
    """What is known of a model there."""
    return look_up(server.models, model.lower(), server.default)
