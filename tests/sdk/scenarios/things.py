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
