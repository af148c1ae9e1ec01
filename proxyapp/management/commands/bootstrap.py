"""`manage.py bootstrap`: what a first start needs. Prints what it made, once, to the console and to no log."""

from __future__ import annotations

import json
import shlex
from typing import Any

from django.core.management.base import BaseCommand

from proxyapp.config.address import own_address
from proxyapp.config.firststart import DEMO, Created, first_start


class Command(BaseCommand):
    help = "Create what a first start needs: tables, an admin user, a client with a key, the demo model. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        created = first_start()
        if created.anything:
            self.stdout.write(welcome(created, own_address()))


def welcome(created: Created, address: str) -> str:
    """The text of a first start. Holds secrets."""
    lines = ["", "Dragoman is set up. What follows is shown this once and kept nowhere.", ""]
    lines.append(f"  Console   {address}/admin/")
    if created.username:
        lines.append(f"  User      {created.username}")
        lines.append(f"  Password  {created.password or '(the one in ADMIN_PASSWORD)'}")
    if created.key:
        lines.append(f"  Key       {created.key}   (client default)")
    if created.key and created.demo:
        lines += ["", "Try it, once the server runs:", "", curl(address, created.key)]
    return "\n".join([*lines, ""])


def curl(address: str, key: str) -> str:
    """One line for a POSIX shell, quoted so that it works as pasted."""
    body = json.dumps({"model": DEMO, "messages": [{"role": "user", "content": "Hello"}]})
    words = ["curl", f"{address}/v1/chat/completions", "-H", f"Authorization: Bearer {key}"]
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", body])
