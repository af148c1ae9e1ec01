"""What may be a name of ours: anything on one line."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError

CONTROLS = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of characters, and the separators of lines and paragraphs."""


def validate_name(value: str) -> None:
    """Raises ValidationError unless it is one line of text without outer spaces."""
    if value != value.strip() or any(unicodedata.category(character) in CONTROLS for character in value):
        raise ValidationError("A name is one line of text without spaces around it.")
