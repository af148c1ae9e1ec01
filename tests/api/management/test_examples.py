"""docs/management.md: its examples are played in their order and answer what the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from accounts.models import ApiKey
from proxyapp.api.management.key_fields import KeyChanges, NewKey, Rotation, ShownKey

PAGE = (Path(__file__).parents[3] / "docs/management.md").read_text(encoding="utf-8")
CHANGING = {"id", "prefix", "key", "expires", "created_at", "overlap_until"}


def asked(line: str) -> tuple[str, str, str | None]:
    """Method, path and body of a line of curl."""
    words = shlex.split(line)
    body = words[words.index("-d") + 1] if "-d" in words else None
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
    url = next(word for word in words if word.startswith("http://127.0.0.1:8000"))
    return method, url.removeprefix("http://127.0.0.1:8000"), body


def stable(value: Any) -> Any:
    """What is the same each time; of the rest only whether it is there."""
    if isinstance(value, dict):
        return {name: (one is None) if name in CHANGING else stable(one) for name, one in value.items()}
    return [stable(one) for one in value] if isinstance(value, list) else value


def test_the_examples_are_true(ask, admin_key):
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    made = "2"
    for line, said in re.findall(r"^\$ (curl .+)\n(?:([^$\n].*)\n)?", block, re.MULTILINE):
        method, path, body = asked(line)
        answer = ask(method, path.replace("/auth/keys/2", f"/auth/keys/{made}"), body and body.encode(), key=admin_key)
        text = answer.content.decode().replace(f"'{made}'", "'2'")
        assert stable(json.loads(text)) == stable(json.loads(said)) if said else text == "", line
        if answer.status_code == 201:
            made = str(ApiKey.objects.latest("id").pk)


def test_every_field_has_a_row():
    table = PAGE.split("| field | |")[1].split("\n\n")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    shapes = (NewKey, KeyChanges, ShownKey)
    assert rows == {name for shape in shapes for name in shape.__struct_fields__} - {"id", "prefix", "created_at"}
    assert all(f"`{name}`" in PAGE for name in Rotation.__struct_fields__)
