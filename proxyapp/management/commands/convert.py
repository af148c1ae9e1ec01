"""`manage.py convert --from DIALECT --to DIALECT`: standard input translated to standard output, in pipes too.

Needs no server, no database and no setting: `manage.py` runs it before any of these is looked at.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from proxyapp.engine.convert import Converter, Plan
from proxyapp.errors import GatewayError, Unsupported, UpstreamBroken, UpstreamRefused

CANNOT_BE_SAID, BAD_INPUT = 1, 2
"""Exit statuses."""
_PIECE = 64 * 1024


class Command(BaseCommand):
    help = "Translate a request, or with --response an answer, from one dialect to another: standard input to output."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", required=True, dest="source", metavar="DIALECT", help="what comes in")
        parser.add_argument("--to", required=True, dest="target", metavar="DIALECT", help="what goes out")
        parser.add_argument("--response", action="store_true", help="an upstream's answer comes in, not a request")
        parser.add_argument("--model", default="", help="the upstream's model: its name goes out, its limits are kept")
        parser.add_argument("--kind", default="", help="kind of the upstream (default: the dialect's own maker)")
        parser.add_argument("--lenient", action="store_true", help="drop what cannot be said instead of refusing it")
        parser.add_argument("--request", metavar="FILE", help="the caller's request that the answer is for")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--stream", action="store_true", default=None, help="a streamed answer goes out, or is asked")
        form.add_argument("--whole", action="store_false", dest="stream", default=None, help="a whole one")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _convert(_plan(options), response=options["response"])
        except BrokenPipeError:  # whoever reads has enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plan(options: dict[str, Any]) -> Plan:
    names = ("source", "target", "model", "kind", "lenient", "stream")
    return Plan(
        **{name: options[name] for name in names},
        request=_read(options["request"]) if options["request"] else b"",
        now=int(time.time()),
    )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}.", returncode=BAD_INPUT) from exc


def _convert(plan: Plan, *, response: bool) -> None:
    """Raises CommandError with the exit status."""
    converter = None
    try:
        converter = Converter(plan)
        source = sys.stdin.buffer
        _write(converter.answer(_pieces(source)) if response else iter([converter.request(source.read())]))
        if isinstance(converter.error, UpstreamBroken):
            raise converter.error
    except GatewayError as error:
        where = f"{error.param}: " if error.param and f"'{error.param}'" not in error.message else ""
        status = CANNOT_BE_SAID if isinstance(error, Unsupported) else BAD_INPUT
        raise CommandError(where + error.message, returncode=status) from error
    except RecursionError as error:  # read just so, and too deep to be written again
        raise CommandError("The body is nested too deeply.", returncode=BAD_INPUT) from error
    finally:
        if converter is not None:
            _tell(converter)


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    """As they come, so that a live stream is translated while it runs."""
    while piece := source.read1(_PIECE):  # type: ignore[attr-defined]
        yield piece


def _write(pieces: Iterator[bytes]) -> None:
    last = b""
    for piece in pieces:
        if piece:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            last = piece
    if last and not last.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _tell(converter: Converter) -> None:
    """What is no part of the output: what was lost (`-`) or changed (`~`), where a request goes, what an error says."""
    for note in converter.notes.items:
        sys.stderr.write(f"{'-' if note.dropped else '~'} {note.path}: {note.sentence}\n")
    if converter.address:
        sys.stderr.write(f"POST {converter.address}\n")
    if isinstance(converter.error, UpstreamRefused):
        sys.stderr.write(f"The answer is an error: {converter.error.message}\n")
