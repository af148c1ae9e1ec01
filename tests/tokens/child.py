"""What runs in the processes that the tests kill: `manage.py refresh_tokens`, in a fork of a process that has Django
loaded already. Starting it anew each time would cost two seconds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django

if os.environ.get("DRAGOMAN_TESTS_CHILD"):  # in the fork server, whose environment the tests have made
    django.setup()
    import proxyapp.management.commands.refresh_tokens  # noqa: F401 - loaded, not run


def run(arguments: list[str], data: str, output: str) -> None:
    """The command with its two outputs in one file; ends with the command's exit status."""
    from django.conf import settings
    from django.core.management import CommandError, call_command

    settings.DATA_DIR = Path(data)
    with Path(output).open("w", buffering=1) as out:
        try:
            call_command("refresh_tokens", *arguments, stdout=out, stderr=out)
        except CommandError as exc:
            out.write(str(exc))
            sys.exit(exc.returncode)
