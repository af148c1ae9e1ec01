"""`manage.py bootstrap`: what a first start needs, and what the environment says. Prints what it made, once, to the
console and to no log."""

from __future__ import annotations

import json
import shlex
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from proxyapp.config.address import own_address
from proxyapp.config.firststart import DEMO, Created, first_start

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


class Command(BaseCommand):
    help = (
        "Create what a first start needs: tables, an admin user, a client with a key; upstreams and models from the "
        "variables of earlier gateways (docs/drop-in.md), else the demo model. Idempotent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--afresh",
            action="store_true",
            help="set everything that the environment says once more, also what was changed or removed in the console",
        )

    def handle(self, *args: Any, afresh: bool = False, **options: Any) -> None:
        created = first_start(afresh=afresh)
        if created.anything:
            self.stdout.write(welcome(created, own_address()))
        elif created.followed.changes:
            self.stdout.write("\n".join(["From the environment:", *_indented(created.followed.changes)]))
        for sentence in created.followed.told:
            self.stderr.write(sentence)


def welcome(created: Created, address: str) -> str:
    """The text of a first start. Holds secrets."""
    lines = ["", "Dragoman is set up. What follows is shown this once and kept nowhere.", ""]
    lines.append(f"  Console   {address}/admin/")
    if created.username:
        lines.append(f"  User      {created.username}")
        lines.append(f"  Password  {created.password or '(the one in ADMIN_PASSWORD)'}")
    if created.key:
        lines.append(f"  Key       {created.key}   (client default)")
    if created.followed.changes:
        lines += ["", "Taken from the environment:", "", *_indented(created.followed.changes)]
    example = (CHAT, DEMO) if created.demo else created.followed.example
    if created.key and example:
        lines += ["", "Try it, once the server runs:", "", curl(address, created.key, *example)]
    return "\n".join([*lines, ""])


def _indented(changes: list[str]) -> list[str]:
    return [f"  {change}" for change in changes]


def curl(address: str, key: str, path: str = CHAT, model: str = DEMO) -> str:
    """One line for a POSIX shell, quoted so that it works as pasted."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    words = ["curl", f"{address}{path}", "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
    if path == MESSAGES:
        words += ["-H", "anthropic-version: 2023-06-01"]
        body["max_tokens"] = 100
    return shlex.join([*words, "-d", json.dumps(body, ensure_ascii=False)])
