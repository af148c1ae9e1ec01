"""One inference request in neutral words. Filled by a client dialect's `parse_request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from proxyapp.ir.parts import Part, Text

Role = Literal["system", "user", "assistant"]


class Turn(Struct, kw_only=True):
    """One message. Tool results are ToolResult parts of user turns; tool calls are parts of assistant turns."""

    role: Role
    parts: list[Part] = field(default_factory=list)
    name: str | None = None
    """The participant's name (Chat only)."""
    author: str | None = None
    """For system turns: the role word used, `system` or `developer`."""
    meta: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    """Where it stood in the caller's body, e.g. `messages.3`, for error messages and Notes."""


class Tool(Struct, kw_only=True):
    """A tool the caller runs itself."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    """JSON Schema of the arguments; None = no parameters. For custom tools: None."""
    strict: bool | None = None
    """None = not said."""
    kind: Literal["function", "custom"] = "function"
    grammar: dict[str, Any] | None = None
    """For custom tools: the format object `{type, syntax, definition}`."""
    namespace: str | None = None
    cache: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


class ServerTool(Struct, kw_only=True):
    """A tool the provider runs (web search, code execution ...), kept apart from the caller's own."""

    kind: str
    """Neutral word: web_search, web_fetch, code_execution, computer, mcp, ...; or the vendor's own."""
    dialect: str
    raw: dict[str, Any]
    path: str = ""
    optional: bool = False
    """The caller offers it by default and can do without: where it has no counterpart it is dropped, not refused."""


class ToolChoice(Struct, kw_only=True):
    mode: Literal["auto", "none", "any", "named", "allowed"] = "auto"
    names: list[str] = field(default_factory=list)
    """For `named` one name; for `allowed` the subset."""
    required: bool = False
    """With `allowed`: a call is required (else auto)."""


class Format(Struct, kw_only=True):
    """The shape the answer's text must have."""

    kind: Literal["text", "json_object", "json_schema"]
    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    always_held: bool = False
    """The caller's dialect has no `strict`: it always holds the model to the schema."""


class ReasoningSettings(Struct, kw_only=True):
    """How much to think, in the form the caller used; converted only when the target lacks that form."""

    mode: Literal["off", "adaptive", "budget", "effort", "between_tools"]
    effort: str | None = None
    """none, minimal, low, medium, high, xhigh, max. May stand beside mode adaptive or budget."""
    budget: int | None = None
    show: bool | None = None
    """Does the caller want to see the thinking: None = not said."""
    display: str | None = None
    """Anthropic's own word (`summarized`, `omitted`, ...), kept as said."""
    by_operator: bool = False
    """A level that the operator has set (`ir.levels`): `effort` is its word, and `budget` what that means in tokens."""


class Request(Struct, kw_only=True):
    """`None` everywhere means: the caller did not say."""

    client_dialect: str
    model: str
    words: Mapping[str, str] = field(default_factory=dict)
    """What the caller's dialect calls a setting, for Notes and errors: neutral word -> its own. See `word`."""
    stream: bool = False
    include_usage: bool = False
    """Chat's `stream_options.include_usage`."""
    system: list[Text] = field(default_factory=list)
    """The leading system/developer texts, in order, one Text a block (author in `meta["author"]`)."""
    turns: list[Turn] = field(default_factory=list)
    """A system turn here stands in the middle of the conversation, at its own place."""
    tools: list[Tool] = field(default_factory=list)
    server_tools: list[ServerTool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    """False = at most one call a turn."""
    max_output: int | None = None
    stop: list[str] = field(default_factory=list)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int = 1
    format: Format | None = None
    verbosity: str | None = None
    reasoning: ReasoningSettings | None = None
    end_user: str | None = None
    """Chat `safety_identifier` or `user`; Anthropic `metadata.user_id`."""
    cache_key: str | None = None
    cache_auto: str | None = None
    """Anthropic's top-level `cache_control`: the lifetime."""
    metadata: dict[str, str] = field(default_factory=dict)
    service_tier: str | None = None
    store: bool | None = None
    legacy_functions: bool = False
    """The caller used Chat's old `functions`; its answers carry `function_call`."""
    extras: dict[str, Any] = field(default_factory=dict)
    """Top-level fields of the caller's dialect that have no place above, by their own names."""
    echo: dict[str, Any] = field(default_factory=dict)
    """What answers in the caller's dialect repeat of its request, as it was sent (Responses)."""

    def word(self, setting: str) -> str:
        """The caller's own name of a setting: `max_tokens`, `reasoning`, `format`, `stop`, `n`, `cache`, `parallel`,
        `tool_choice`, `verbosity`, or a field above; where the dialect has no word of its own, the neutral one."""
        return self.words.get(setting, setting)
