"""What a model can do, as one value. The values live in `upstreams/profiles.py`; dialects only read them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field


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
    """`none`, `budget` (a number of tokens), `adaptive` (adaptive + effort), `both` of these, or `level` (Gemini 3)."""
    thinking_can_be_off: bool = True
    thinks_unasked: bool = True
    """False: it does not think unless it is told to, so that leaving the settings out is the plainest way of `off`."""
    least_budget: int = 0
    """Gemini: the smallest thinking budget that is not off."""
    most_budget: int | None = None
    """Gemini: the largest thinking budget."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """Effort words the model takes, from least to most."""
    reasoning_effort: bool = True
    """Chat servers: takes `reasoning_effort`."""
    summaries: bool = True
    """Responses servers: `reasoning.summary` may be asked for (OpenAI: by organisations that are verified)."""
    reasoning_field: str = "reasoning_content"
    """Chat servers: the field that carries reasoning text back in history (`reasoning_content`, `reasoning`)."""
    reasoning_back: str = "strip"
    """Chat servers: reasoning text in history: `strip`, `keep`, `tool_turns` (only turns with calls)."""
    reasoning_form: str = "effort"
    """Chat servers, how they are told to think: `effort` (`reasoning_effort`), `switch` (DeepSeek's `thinking`),
    `object` (OpenRouter's `reasoning`), `template` (vLLM's `chat_template_kwargs`)."""
    think_tags: bool = False
    """Chat servers: reasoning may stand at the beginning of the text, between `<think>` and `</think>`."""
    prefill: bool = True
    """A trailing assistant turn continues the answer."""
    mid_system: bool = False
    """System turns in the middle of the conversation are understood."""
    structured_output: bool = True
    """Takes a JSON schema for the answer natively."""
    json_object: bool = True
    strict_tools: bool = True
    plain_schemas: bool = False
    """Chat servers: schemas with keywords of JSON Schema that Gemini does not know are refused; they are cleaned of
    them (and cannot be strict then)."""
    developer_role: bool = False
    """Chat servers: knows role `developer` (else it is sent as `system`)."""
    custom_tools: bool = False
    image_urls: bool = True
    """Servers of OpenAI's and Anthropic's dialects: load images (and documents, where those may be given by address)
    from an address themselves."""
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
    developer_refused: bool = False
    """Chat servers: role `developer` is refused or lost; it is sent as `system`, also where Chat is passed on."""
    exact_call_ids: bool = False
    """Chat servers: call ids are exactly `call_id_limit` letters and digits (Mistral)."""
    forced_word: str = "required"
    """Chat servers: the word of `tool_choice` for "some tool must be called"."""
    named_choice: bool = True
    """Chat servers: `tool_choice` may name a tool."""
    alternate: bool = False
    """Chat servers: user and assistant must take turns; neighbours of one speaker are joined."""
    assistant_after_tool: bool = False
    """Chat servers: no user message may follow a tool's; an assistant's is put between."""
    prefix_mark: bool = False
    """Chat servers: a last assistant message to be continued bears `prefix: true`."""
    untaken: tuple[str, ...] = ()
    """Chat servers: top-level fields that are refused."""
    untaken_in_messages: tuple[str, ...] = ()
    """Chat servers: fields of messages that are refused."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Chat servers: top-level fields that have another name there."""
    added: dict[str, Any] = field(default_factory=dict)
    """Chat servers: top-level fields of every request that does not have them."""
    model_group: str = ""
    """Models that accept each other's reasoning proofs."""
    json_schema: bool = False
    """Gemini: takes JSON Schema for tools and answers (else its own Schema message)."""
    format_with_tools: bool = True
    """Gemini: a schema for the answer may stand beside tools."""
    tool_media: bool = False
    """Gemini: media may stand inside a tool's result (else beside it)."""
    signed_calls: bool = False
    """Gemini: the first call of each step of the current turn must bear its proof."""
    media_urls: bool = False
    """Gemini: reads media from any public address."""
    api: Literal["", "chat", "responses", "messages", "generate_content"] = ""
    """Operators only: which of the kind's dialects this model speaks, as an upstream's `api`; "" = as the upstream's
    setting or the kind says."""
    streaming: bool = True
    """False: it answers whole alone. Callers who want a stream get one made of the whole answer."""
    tools: bool = True
    """False: callers' tools are refused, calls of before are told in words."""
    fast: bool = False
    """The faster service: `service_tier: priority` where Responses are spoken, unless the caller named one;
    at Factory also for Claude."""
    provider: str = ""
    """Factory: who runs the model there (`x-api-provider`)."""
