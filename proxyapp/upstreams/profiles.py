"""What known models can do, as data. Sources: reference/translation.md appendix B, upstreams.md 5.3.8, 5.5-5.7.

Rows are tried in order, the first pattern that matches the model's name wins; a name nobody knows gets the kind's
default, and an unknown newer Claude is treated as the newest. Operators override single fields per model.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from proxyapp.ir.profile import Profile

_CLAUDE = Profile(
    max_output=128_000,
    thinking="adaptive",
    efforts=("low", "medium", "high", "xhigh", "max"),
    sampling=False,
    prefill=False,
    mid_system=True,
    tool_name_limit=128,
    call_id_limit=128,
    json_object=False,
    model_group="claude",
)


def _claude(
    max_output: int,
    thinking: str,
    *,
    sampling: bool = True,
    both_sampling: bool = True,
    structured: bool = True,
    prefill: bool = True,
    efforts: tuple[str, ...] = ("low", "medium", "high"),
    max_input: int | None = 200_000,
) -> Profile:
    """Of a generation that thinks only when it is told to."""
    return Profile(
        max_input=max_input,
        max_output=max_output,
        thinking=thinking,
        thinks_unasked=False,
        sampling=sampling,
        temperature_and_top_p=both_sampling,
        structured_output=structured,
        strict_tools=structured,
        prefill=prefill,
        efforts=efforts,
        tool_name_limit=128,
        call_id_limit=128,
        json_object=False,
        model_group="claude",
    )


_EFFORTS_46 = ("low", "medium", "high", "max")
_BUDGET_45 = _claude(64_000, "budget", both_sampling=False)
CLAUDE: tuple[tuple[re.Pattern[str], Profile], ...] = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (r"claude-(instant|2|3-opus|3-sonnet|3-haiku)", _claude(4_096, "none", structured=False)),
        (r"claude-3-5", _claude(8_192, "none", structured=False)),
        (r"claude-3-7", _claude(64_000, "budget", structured=False)),
        (r"claude-(sonnet|opus|haiku)-4[-.]5", _BUDGET_45),
        (r"claude-opus-4[-.]1", _claude(32_000, "budget", both_sampling=False)),
        (r"claude-opus-4[-.][78]", msgspec.structs.replace(_CLAUDE, thinks_unasked=False)),
        # They refuse `disabled`: reference/upstreams.md 5.3.8, and Bedrock's page on adaptive thinking.
        (r"claude-(fable|mythos)|claude-opus-5[-.][5-9]", msgspec.structs.replace(_CLAUDE, thinking_can_be_off=False)),
        (r"claude-(sonnet|opus)-4[-.]6", _claude(128_000, "both", prefill=False, efforts=_EFFORTS_46, max_input=None)),
        (r"claude-opus-4(?![-.]?\d?[-.]?[1-9]\b)", _claude(32_000, "budget", structured=False)),
        (r"claude-sonnet-4(?![-.]?\d?[-.]?[1-9]\b)", _claude(64_000, "budget", structured=False)),
        (r"claude", _CLAUDE),
    )
)
CLAUDE_DEFAULT = Profile(
    max_output=None,
    thinking="budget",
    tool_name_limit=128,
    call_id_limit=128,
    json_object=False,
    structured_output=False,
)
"""For servers that speak Messages with models of other makers."""

_OPENAI = Profile(
    max_tokens_field="max_completion_tokens",
    efforts=("minimal", "low", "medium", "high"),
    reasoning_effort=False,
    developer_role=True,
    custom_tools=True,
    stop_max=4,
    metadata=True,
    safety_identifier=True,
    model_group="openai",
)


def _openai(**changes: Any) -> Profile:
    return msgspec.structs.replace(_OPENAI, **changes)


_ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_O_EFFORTS = ("low", "medium", "high")
_GPT_5: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"gpt-?5-pro", ("high",)),
    (r"gpt-?5[.-]?[2-5]-pro", ("medium", "high", "xhigh")),
    (r"gpt-?5[.-]?1-codex-max", (*_O_EFFORTS, "xhigh")),
    (r"gpt-?5(?![.\d])-codex", _O_EFFORTS),
    (r"gpt-?5[.-]?1(?!\d)", ("none", *_O_EFFORTS)),
    (r"gpt-?5[.-]?[2-5](?!\d)", ("none", *_O_EFFORTS, "xhigh")),
    (r"gpt-?5(?![.\d])", ("minimal", *_O_EFFORTS)),
)
"""The words that each of OpenAI's models takes; others are a 400 (`unsupported_value`). Source: the descriptions of
`reasoning_effort` in OpenAI's and Microsoft's SDKs; openai-agents-python#2089."""


def _thinker(efforts: tuple[str, ...]) -> Profile:
    return _openai(reasoning_effort=True, sampling=False, efforts=efforts)


OPENAI: tuple[tuple[re.Pattern[str], Profile], ...] = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (
            r"^(ft:)?gpt-3\.5",
            _openai(structured_output=False, max_output=4_096, developer_role=False, custom_tools=False),
        ),
        (r"^(ft:)?(chatgpt-)?gpt-4(?!\.|o|\d)", _openai(structured_output=False, custom_tools=False)),
        (r"^(ft:)?(chatgpt-)?gpt-4", _openai(custom_tools=False)),
        (r"^o\d", _openai(reasoning_effort=True, sampling=False, efforts=("low", "medium", "high"))),
        (r"^gpt-5-chat", _openai(custom_tools=False)),
        *((f"^{pattern}", _thinker(efforts)) for pattern, efforts in _GPT_5),
        (
            r"^gpt-([6-9]|5\.[6-9])",
            _openai(reasoning_effort=True, sampling=False, efforts=_ALL_EFFORTS, cache_points=True),
        ),
    )
)
OPENAI_DEFAULT = _openai(reasoning_effort=True, efforts=_ALL_EFFORTS)


def _azure(**changes: Any) -> Profile:
    """Azure's servers of the same models: `system` for `developer`, and `user` for `safety_identifier`, are taken by
    all versions of the API."""
    return _openai(developer_role=False, safety_identifier=False, **changes)


AZURE: tuple[tuple[re.Pattern[str], Profile], ...] = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (r"gpt-?3\.?5", _azure(structured_output=False, max_output=4_096, custom_tools=False)),
        (r"gpt-?4(?![.o\d])", _azure(structured_output=False, custom_tools=False)),
        (r"gpt-?4", _azure(custom_tools=False)),
        (r"(?<![a-z0-9])o\d", _azure(reasoning_effort=True, sampling=False, efforts=("low", "medium", "high"))),
        *((pattern, _azure(reasoning_effort=True, sampling=False, efforts=efforts)) for pattern, efforts in _GPT_5),
        (r"gpt-?([6-9]|5\.[6-9])", _azure(reasoning_effort=True, sampling=False, efforts=_ALL_EFFORTS)),
    )
)
"""Found anywhere in a deployment's name, which is the operator's invention (`team-gpt-4o-eu`, `gpt-35-turbo`)."""
AZURE_DEFAULT = _azure()
"""A deployment whose name does not tell: no efforts, which a model without reasoning refuses."""

COMPATIBLE: tuple[tuple[re.Pattern[str], Profile], ...] = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (
            r"deepseek-reasoner|deepseek-r1",
            Profile(reasoning_effort=False, structured_output=False, think_tags=True),
        ),
        (
            r"deepseek",
            Profile(reasoning_back="tool_turns", structured_output=False, think_tags=True, thinks_unasked=False),
        ),
        (r"gemini", Profile(top_k=True, think_tags=True, thinks_unasked=False, plain_schemas=True)),
    )
)
COMPATIBLE_DEFAULT = Profile(top_k=True, think_tags=True, thinks_unasked=False)
"""For servers that nobody knows; see `servers` for the others. Whether a model there thinks is not known either: the
operator's `off` leaves the settings out, since a least effort could begin what was to end."""


_GEMINI = Profile(
    max_output=65_536,
    thinking="level",
    thinking_can_be_off=False,
    efforts=("minimal", "low", "medium", "high"),
    json_schema=True,
    tool_media=True,
    signed_calls=True,
    parallel_flag=False,
    stop_max=5,
    top_k=True,
    prefill=False,
    model_group="gemini-3",
)


def _gemini(**changes: Any) -> Profile:
    return msgspec.structs.replace(_GEMINI, **changes)


_GEMINI_25 = _gemini(
    thinking="budget",
    thinking_can_be_off=True,
    least_budget=0,
    most_budget=24_576,
    tool_media=False,
    signed_calls=False,
    format_with_tools=False,
    model_group="gemini-2.5",
)
_GEMINI_20 = msgspec.structs.replace(
    _GEMINI_25, max_output=8_192, thinking="none", json_schema=False, strict_tools=False, model_group="gemini-2.0"
)
GEMINI: tuple[tuple[re.Pattern[str], Profile], ...] = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (r"gemini-(1|2\.0)", _GEMINI_20),
        (
            r"gemini-2\.5-pro",
            msgspec.structs.replace(_GEMINI_25, thinking_can_be_off=False, least_budget=128, most_budget=32_768),
        ),
        (r"gemini-2\.5-flash-lite", msgspec.structs.replace(_GEMINI_25, least_budget=512)),
        (r"gemini-2\.5-.*image", msgspec.structs.replace(_GEMINI_25, thinking="none", max_output=32_768)),
        (r"gemini-2\.5", _GEMINI_25),
        (r"gemini-(\d[\d.]*-)?pro", _gemini(efforts=("low", "medium", "high"))),
        (r"gemini", _GEMINI),
    )
)
GEMINI_DEFAULT = _GEMINI_20
"""Gemma and whatever else the same API serves. An unknown newer Gemini is treated as the newest."""


def look_up(table: tuple[tuple[re.Pattern[str], Profile], ...], model: str, default: Profile) -> Profile:
    """The first row whose pattern occurs in `model`, else `default`."""
    for pattern, profile in table:
        if pattern.search(model):
            return profile
    return default
