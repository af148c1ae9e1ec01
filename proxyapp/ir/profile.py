"""What a model can do, as one value. The values live in `upstreams/profiles.py`; dialects only read them."""

from __future__ import annotations

from msgspec import Struct


class Profile(Struct, kw_only=True, frozen=True):
    """What one upstream model can do. Data, from `upstreams/profiles.py`, overridable per model."""

    max_input: int | None = None
    """The most prompt tokens the model takes, for model lists; None = unknown."""
    max_output: int | None = None
    """The most output tokens the model can make; None = unknown."""
    default_max_output: int = 16384
    """Sent where the dialect requires a limit, the caller gave none and `max_output` is unknown."""
    max_tokens_field: str = "max_tokens"
    """Chat servers: `max_tokens` or `max_completion_tokens`."""
    sampling: bool = True
    """False: temperature, top_p and top_k are refused by the model."""
    temperature_and_top_p: bool = True
    """False: only one of the two may be sent."""
    thinking: str = "none"
    """Anthropic form: `none`, `budget` (enabled + budget_tokens), `adaptive` (adaptive + effort), `both`."""
    thinking_can_be_off: bool = True
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """Effort words the model takes, from least to most."""
    reasoning_effort: bool = True
    """Chat servers: takes `reasoning_effort`."""
    reasoning_field: str = "reasoning_content"
    """Chat servers: the field that carries reasoning text back in history (`reasoning_content`, `reasoning`)."""
    reasoning_back: str = "strip"
    """Chat servers: reasoning text in history: `strip`, `keep`, `tool_turns` (only turns with calls)."""
    prefill: bool = True
    """A trailing assistant turn continues the answer."""
    mid_system: bool = False
    """System turns in the middle of the conversation are understood."""
    structured_output: bool = True
    """Takes a JSON schema for the answer natively."""
    json_object: bool = True
    strict_tools: bool = True
    developer_role: bool = False
    """Chat servers: knows role `developer` (else it is sent as `system`)."""
    custom_tools: bool = False
    image_urls: bool = True
    """Chat servers: load images from an address themselves."""
    parallel_flag: bool = True
    """Chat servers: takes `parallel_tool_calls`."""
    user_after_tool: bool = True
    """Chat servers: a user message may follow tool messages (media of tool results move there)."""
    cache_points: bool = False
    """Chat servers: takes `prompt_cache_breakpoint`; Anthropic always does."""
    tool_name_limit: int = 64
    call_id_limit: int = 64
    stop_max: int | None = None
    top_k: bool = False
    """Chat servers that take `top_k`."""
    usage_in_stream: bool = True
    """Chat servers: takes `stream_options.include_usage`."""
    safety_identifier: bool = False
    """Chat servers: takes `safety_identifier` (else `user`)."""
    metadata: bool = False
    """Chat servers: takes `metadata`, `service_tier`, `prompt_cache_key`, `verbosity` (OpenAI's own hosts)."""
    model_group: str = ""
    """Models that accept each other's reasoning proofs."""
