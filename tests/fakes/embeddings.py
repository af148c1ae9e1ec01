"""An OpenAI embeddings endpoint, strict about its parameters; the numbers tell what was embedded."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tests.fakes.strict import Refused, only, require
from tests.fakes.upstream import Script, Seen, answer_json

MODELS = ("text-embedding-3-small", "text-embedding-3-large")
_KEYS = {"model", "input", "dimensions", "encoding_format", "user"}


def vector(text: str, dimensions: int) -> list[float]:
    """Exact in 32 bits, so that base64 and JSON agree."""
    return [float(len(text)), *[float(ord(char) % 64) / 64 for char in text[: dimensions - 1].ljust(dimensions - 1)]]


def answer_embeddings(seen: Seen) -> Script:
    """Raises Refused."""
    body = only(seen.body, _KEYS, "")
    if body.get("model") not in MODELS:
        raise Refused(f"The model `{body.get('model')}` does not exist", 404, code="model_not_found")
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    require(isinstance(texts, list) and 1 <= len(texts) <= 2048, "'$.input' is invalid.")
    require(all(isinstance(text, str) and text for text in texts), "'$.input' is invalid.")
    shape = body.get("encoding_format", "float")
    require(shape in ("float", "base64"), "'$.encoding_format' is invalid.")
    dimensions = body.get("dimensions", 8)
    require(isinstance(dimensions, int) and 0 < dimensions <= 3072, "'$.dimensions' is invalid.")
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector(text, dimensions), shape)}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": len(texts) * 3, "total_tokens": len(texts) * 3}
    return answer_json({"object": "list", "data": data, "model": body["model"], "usage": usage})


def _written(numbers: list[float], shape: str) -> Any:
    if shape == "base64":
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    return numbers
