"""How much to think, in the form that the server takes it (`Profile.reasoning_form`). Facts: upstreams.md 5.5-5.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.settings import effort
from proxyapp.ir.request import ReasoningSettings, Request

Fields = dict[str, Any]


def render_reasoning(request: Request, side: UpstreamSide) -> Fields:
    """The fields that tell it; none where the caller did not say, or the model cannot be told."""
    wanted = request.reasoning
    if wanted is None:
        return {}
    return _FORMS.get(side.profile.reasoning_form, _effort)(wanted, request, side)


def _effort(wanted: ReasoningSettings, request: Request, side: UpstreamSide) -> Fields:
    """OpenAI's `reasoning_effort`."""
    word = effort(request, side)
    return {} if word is None else {"reasoning_effort": word}


def _object(wanted: ReasoningSettings, request: Request, side: UpstreamSide) -> Fields:
    """OpenRouter's `reasoning`: an effort or a budget, not both."""
    spec: Fields = {}
    if wanted.mode == "budget" and wanted.budget:
        spec["max_tokens"] = wanted.budget
    elif (word := effort(request, side)) is not None:
        spec["effort"] = word
    elif wanted.mode == "adaptive":
        spec["enabled"] = True
    if wanted.show is False:
        spec["exclude"] = True
    return {"reasoning": spec} if spec else {}


def _switch(wanted: ReasoningSettings, request: Request, side: UpstreamSide) -> Fields:
    """DeepSeek's `thinking`, on by default, with the effort beside it."""
    if wanted.mode == "off":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled"}, **_beside(request, side)}


def _template(wanted: ReasoningSettings, request: Request, side: UpstreamSide) -> Fields:
    """vLLM's and SGLang's way to the model's own template: Qwen and GLM call it `enable_thinking`, DeepSeek and
    Granite `thinking`; a template passes over a word that it does not know."""
    on = wanted.mode != "off"
    kwargs = {"chat_template_kwargs": {"enable_thinking": on, "thinking": on}}
    return {**kwargs, **(_beside(request, side) if on else {})}


def _beside(request: Request, side: UpstreamSide) -> Fields:
    """The effort of a server that has a switch: without a word for it the switch alone says what is wanted."""
    if not side.profile.reasoning_effort:
        return {}
    word = effort(request, side)
    return {} if word is None else {"reasoning_effort": word}


_FORMS: dict[str, Callable[[ReasoningSettings, Request, UpstreamSide], Fields]] = {
    "effort": _effort,
    "object": _object,
    "switch": _switch,
    "template": _template,
}
