"""What each level must send to each sort of model, written down by hand from the vendors' documents: nothing here is
reckoned by the code under test.

A cell is what the upstream's body says of thinking, in its own words; `{}`: nothing. Callers ask with 5 000 output
tokens, so that budgets above that show how room is made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

LEVELS = ("auto", "off", "low", "medium", "high", "xhigh")
INTERLEAVED = "interleaved-thinking-2025-05-14"
ASKED = 5_000

Cell = dict[str, Any]


class Sort(NamedTuple):
    """One sort of model at one sort of server."""

    name: str
    kind: str
    model: str
    fixed: dict[str, Cell]
    """Level -> cell, for every caller, whatever it says itself."""
    own: dict[str, Cell]
    """Caller's dialect -> cell for its own setting (`OWN`) under `auto`."""
    api: str | None = None
    base_url: str | None = None
    profile: dict[str, Any] = {}
    betas: bool = False
    """Do the levels from low to xhigh bring the beta of interleaved thinking?"""


CALLERS = ("openai-chat", "openai-responses", "anthropic-messages", "gemini")
OWN: dict[str, dict[str, Any]] = {
    "openai-chat": {"reasoning_effort": "medium"},
    "openai-responses": {"reasoning": {"effort": "medium", "summary": "detailed"}},
    "anthropic-messages": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    "gemini": {"generationConfig": {"maxOutputTokens": ASKED, "thinkingConfig": {"thinkingBudget": 2000}}},
}
"""What a caller says that has a wish of its own."""


def on(budget: int, limit: int = ASKED) -> Cell:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": limit}


def adaptive(effort: str) -> Cell:
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}


def effort(word: str) -> Cell:
    return {"reasoning_effort": word}


def reasoning(word: str) -> Cell:
    return {"reasoning": {"effort": word, "summary": "auto"}}


def level(word: str) -> Cell:
    return {"thinkingConfig": {"thinkingLevel": word}}


def budget(tokens: int) -> Cell:
    return {"thinkingConfig": {"thinkingBudget": tokens}}


def four(*cells: Cell) -> dict[str, Cell]:
    return dict(zip(CALLERS, cells, strict=True))


def levels(off: Cell, low: Cell, medium: Cell, high: Cell, xhigh: Cell) -> dict[str, Cell]:
    return dict(zip(LEVELS[1:], (off, low, medium, high, xhigh), strict=True))


NOTHING: Cell = {}
NEVER = levels(*[NOTHING] * 5)
DISABLED: Cell = {"thinking": {"type": "disabled"}}

MESSAGES = (
    Sort(
        "Claude by budget", "anthropic", "claude-sonnet-4-5",
        levels(NOTHING, on(4096), on(12288, 16288), on(24576, 28576), on(40960, 44960)),
        four(on(4999), on(4999), on(2000), on(2000)),
        betas=True,
    ),
    Sort(
        "Claude by budget, 32 000 tokens at most", "anthropic", "claude-opus-4-1-20250805",
        levels(NOTHING, on(4096), on(12288, 16288), on(24576, 28576), on(28000, 32000)),
        four(on(4999), on(4999), on(2000), on(2000)),
        betas=True,
    ),
    Sort(
        "Claude 4.6", "anthropic", "claude-sonnet-4-6",
        levels(NOTHING, adaptive("low"), adaptive("medium"), adaptive("high"), adaptive("high")),
        four(adaptive("medium"), adaptive("medium"), on(2000), on(2000)),
    ),
    Sort(
        "Claude 4.7 and 4.8", "anthropic", "claude-opus-4-8",
        levels(NOTHING, adaptive("low"), adaptive("medium"), adaptive("high"), adaptive("xhigh")),
        four(adaptive("medium"), adaptive("medium"), on(2000), adaptive("medium")),
    ),
    Sort(
        "Claude Opus 5", "anthropic", "claude-opus-5",
        levels(DISABLED, adaptive("low"), adaptive("medium"), adaptive("high"), adaptive("xhigh")),
        four(adaptive("medium"), adaptive("medium"), on(2000), adaptive("medium")),
    ),
    Sort(
        "Claude that always thinks", "anthropic", "claude-fable-5",
        levels(
            {"output_config": {"effort": "low"}},
            adaptive("low"), adaptive("medium"), adaptive("high"), adaptive("xhigh"),
        ),
        four(adaptive("medium"), adaptive("medium"), on(2000), adaptive("medium")),
    ),
    Sort(
        "Claude that does not think", "anthropic", "claude-3-5-haiku-latest", NEVER,
        four(NOTHING, NOTHING, on(2000), NOTHING),
    ),
    Sort(
        "others' models behind Messages", "anthropic", "glm-4.6",
        levels(DISABLED, on(4096), on(12288, 16288), on(24576, 28576), on(40960, 44960)),
        four(on(4999), on(4999), on(2000), on(2000)),
        betas=True,
    ),
)  # fmt: skip

CHAT = (
    Sort(
        "GPT-5.2", "openai", "gpt-5.2",
        levels(effort("none"), effort("low"), effort("medium"), effort("high"), effort("xhigh")),
        four(effort("medium"), effort("medium"), effort("medium"), effort("medium")),
        api="chat",
    ),
    Sort(
        "GPT-5", "openai", "gpt-5-2025-08-07",
        levels(effort("minimal"), effort("low"), effort("medium"), effort("high"), effort("high")),
        four(effort("medium"), effort("medium"), effort("medium"), effort("medium")),
        api="chat",
    ),
    Sort(
        "OpenAI's o series", "openai", "o4-mini",
        levels(effort("low"), effort("low"), effort("medium"), effort("high"), effort("high")),
        four(effort("medium"), effort("medium"), effort("medium"), effort("medium")),
        api="chat",
    ),
    Sort(
        "OpenAI's that do not think", "openai", "gpt-4o", NEVER,
        four(effort("medium"), NOTHING, NOTHING, NOTHING),
        api="chat",
    ),
    Sort(
        "a server that nobody knows", "openai_compatible", "some-model",
        levels(NOTHING, effort("low"), effort("medium"), effort("high"), effort("high")),
        four(effort("medium"), effort("medium"), effort("medium"), effort("medium")),
        base_url="https://llm.example.org",
    ),
    Sort(
        "Grok 3 mini", "openai_compatible", "grok-3-mini",
        levels(effort("low"), effort("low"), effort("low"), effort("high"), effort("high")),
        four(effort("medium"), effort("low"), effort("low"), effort("low")),
        base_url="https://api.x.ai",
    ),
    Sort(
        "DeepSeek", "openai_compatible", "deepseek-chat",
        levels(
            DISABLED,
            {"thinking": {"type": "enabled"}, **effort("low")},
            {"thinking": {"type": "enabled"}, **effort("medium")},
            {"thinking": {"type": "enabled"}, **effort("high")},
            {"thinking": {"type": "enabled"}, **effort("xhigh")},
        ),
        four(effort("medium"), *[{"thinking": {"type": "enabled"}, **effort("medium")}] * 3),
        base_url="https://api.deepseek.com",
    ),
    Sort(
        "OpenRouter", "openai_compatible", "z-ai/glm-4.6",
        levels(*({"reasoning": {"effort": word}} for word in ("none", "low", "medium", "high", "xhigh"))),
        four(
            effort("medium"), {"reasoning": {"effort": "medium"}},
            {"reasoning": {"max_tokens": 2000}}, {"reasoning": {"max_tokens": 2000}},
        ),
        base_url="https://openrouter.ai/api/v1",
    ),
    Sort(
        "vLLM by the template", "openai_compatible", "qwen3",
        levels(
            {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
            *[{"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}] * 4,
        ),
        four(effort("medium"), *[{"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}] * 3),
        base_url="http://127.0.0.1:8000",
        profile={"reasoning_form": "template", "reasoning_effort": False},
    ),
    Sort(
        "a server that takes no word", "openai_compatible", "mistral-large-latest", NEVER,
        four(effort("medium"), NOTHING, NOTHING, NOTHING),
        base_url="https://api.mistral.ai",
    ),
)  # fmt: skip

RESPONSES = (
    Sort(
        "GPT-5.2 by Responses", "openai", "gpt-5.2",
        levels(
            {"reasoning": {"effort": "none"}},
            reasoning("low"), reasoning("medium"), reasoning("high"), reasoning("xhigh"),
        ),
        four(
            {"reasoning": {"effort": "medium"}}, {"reasoning": {"effort": "medium", "summary": "detailed"}},
            reasoning("medium"), {"reasoning": {"effort": "medium"}},
        ),
        api="responses",
    ),
    Sort(
        "GPT-5 by Responses", "openai", "gpt-5",
        levels(
            {"reasoning": {"effort": "minimal"}},
            reasoning("low"), reasoning("medium"), reasoning("high"), reasoning("high"),
        ),
        four(
            {"reasoning": {"effort": "medium"}}, {"reasoning": {"effort": "medium", "summary": "detailed"}},
            reasoning("medium"), {"reasoning": {"effort": "medium"}},
        ),
        api="responses",
    ),
    Sort(
        "GPT-4o by Responses", "openai", "gpt-4o", NEVER,
        four(NOTHING, {"reasoning": {"effort": "medium", "summary": "detailed"}}, NOTHING, NOTHING),
        api="responses",
    ),
)  # fmt: skip

GEMINI = (
    Sort(
        "Gemini 3", "gemini", "gemini-3-flash-preview",
        levels(level("MINIMAL"), level("LOW"), level("MEDIUM"), level("HIGH"), level("HIGH")),
        four(level("MEDIUM"), level("MEDIUM"), level("MEDIUM"), budget(2000)),
    ),
    Sort(
        "Gemini 3 Pro", "gemini", "gemini-3-pro-preview",
        levels(level("LOW"), level("LOW"), level("MEDIUM"), level("HIGH"), level("HIGH")),
        four(level("MEDIUM"), level("MEDIUM"), level("MEDIUM"), budget(2000)),
    ),
    Sort(
        "Gemini 2.5 Flash", "gemini", "gemini-2.5-flash",
        levels(budget(0), budget(4096), budget(12288), budget(24576), budget(24576)),
        four(budget(8192), budget(8192), budget(2000), budget(2000)),
    ),
    Sort(
        "Gemini 2.5 Pro", "gemini", "gemini-2.5-pro",
        levels(budget(128), budget(4096), budget(12288), budget(24576), budget(32768)),
        four(budget(8192), budget(8192), budget(2000), budget(2000)),
    ),
    Sort(
        "Gemini that does not think", "gemini", "gemini-2.0-flash", NEVER,
        four(NOTHING, NOTHING, NOTHING, budget(2000)),
    ),
)  # fmt: skip

COZE = (Sort("a bot at Coze", "coze", "bot-7", NEVER, four(*[NOTHING] * 4)),)

SORTS = (*MESSAGES, *CHAT, *RESPONSES, *GEMINI, *COZE)
