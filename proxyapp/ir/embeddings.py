"""Texts to vectors, in neutral words. A vector stays as the upstream wrote it until somebody needs the other form."""

from __future__ import annotations

import base64
import binascii
import sys
from array import array

from msgspec import Struct, field

from proxyapp.ir.usage import Usage

Vector = str | list[float]
"""Base64 of little-endian 32 bit floats, or numbers."""


class Embeddable(Struct, kw_only=True):
    """One thing to embed: a text, or tokens of the upstream model's own."""

    text: str = ""
    tokens: list[int] | None = None
    title: str | None = None
    task: str | None = None
    """What the vector is for, in Google's words (`RETRIEVAL_DOCUMENT`)."""
    path: str = ""
    """Where it stood in the caller's body."""


class EmbeddingRequest(Struct, kw_only=True):
    """`None` everywhere means: the caller did not say."""

    model: str
    inputs: list[Embeddable] = field(default_factory=list)
    dimensions: int | None = None
    base64: bool = False
    """The caller wants vectors in base64."""
    user: str | None = None
    single: bool = False
    """The caller used a form for one text alone."""


class EmbeddingResponse(Struct, kw_only=True):
    """`vectors` are in the order of the inputs."""

    vectors: list[Vector]
    model: str = ""
    usage: Usage | None = None


def as_floats(vector: Vector) -> list[float]:
    """Raises ValueError for what is no base64 of whole floats."""
    if not isinstance(vector, str):
        return vector
    try:
        raw = base64.b64decode(vector, validate=True)
    except binascii.Error as exc:
        raise ValueError("no base64") from exc
    numbers = array("f")
    numbers.frombytes(raw)
    _little_endian(numbers)
    return numbers.tolist()


def as_base64(vector: Vector) -> str:
    if isinstance(vector, str):
        return vector
    numbers = array("f", vector)
    _little_endian(numbers)
    return base64.b64encode(numbers).decode()


def _little_endian(numbers: array[float]) -> None:
    if sys.byteorder == "big":
        numbers.byteswap()
