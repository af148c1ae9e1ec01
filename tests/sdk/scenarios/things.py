"""Things that scenarios show and hand over."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.fakes.mind import CITIES

CAT = "https://example.com/cat.png"
PNG_BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF_BASE64 = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF").decode()

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
FOUND = "Then: Paris: 21; Zürich: 7."
"""The answer to both results."""


def roles(body: dict[str, Any]) -> list[str]:
    """Of the turns that reached the upstream, in its dialect; neighbours of one role are one turn."""
    turns = body.get("messages") or body.get("contents") or body["input"]
    said = [turn["role"].replace("model", "assistant") for turn in turns if "role" in turn]
    return [role for number, role in enumerate(said) if not number or role != said[number - 1]]


def settings_of(body: dict[str, Any]) -> tuple[Any, Any]:
    """Temperature and output limit, in whatever dialect."""
    config = body.get("generationConfig") or body
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    return config.get("temperature"), next((config[name] for name in limits if name in config), None)


def run_tool(name: str, arguments: dict[str, Any]) -> str:
    if name == "get_time":
        assert arguments == {}, arguments
        return "12:30"
    assert name == "get_weather", name
    assert arguments["unit"] == "celsius", arguments
    return f"{arguments['city']}: {CITIES[arguments['city']]}"


def parsed(words: str) -> dict[str, Any]:
    """Tool arguments; a call without any may have an empty text."""
    value = json.loads(words or "{}")
    assert isinstance(value, dict), value
    return value
