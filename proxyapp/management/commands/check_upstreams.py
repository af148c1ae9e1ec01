"""`manage.py check_upstreams`: asks every upstream, with each of its keys, whether it answers and takes the key."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from proxyapp.config.build import build
from proxyapp.engine.exits import Exits
from proxyapp.engine.health import Health
from proxyapp.engine.inquiring import Asked, ask_all
from proxyapp.engine.snapshot import Snapshot, Upstream
from proxyapp.engine.transport import Transport, trusting
from proxyapp.wiring import with_demo

SECONDS = 15.0
MOST_SECONDS = 600.0
HEAD = ("UPSTREAM", "KEY", "STATE", "STATUS", "TIME", "WHAT")


class Command(BaseCommand):
    help = (
        "Ask every upstream that is switched on, with each of its keys and through its proxies, a question that costs "
        "nothing. Exit status 1 if one is down or refuses a key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--upstream", action="append", metavar="NAME", help="only this one; may be repeated")
        parser.add_argument("--seconds", type=float, default=SECONDS, help="patience (default %(default)g)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["seconds"] <= MOST_SECONDS:
            raise CommandError(f"Patience is from 0 to {MOST_SECONDS:g} s.", returncode=2)
        snapshot, findings = build()
        wanted = options["upstream"] or list(snapshot.upstreams)
        left_out = [each for each in findings if any(_is_about(each.what, name) for name in wanted)]
        if not options["upstream"]:
            left_out = findings
        self._refuse_unknown(wanted, snapshot, [each.what for each in left_out])
        upstreams = [snapshot.upstreams[name] for name in wanted if name in snapshot.upstreams]
        asked = asyncio.run(_ask(with_demo(snapshot), [each.name for each in upstreams], options["seconds"]))
        self._table(asked)
        for each in left_out:
            self.stderr.write(f"{each.what}: {each.message}", self.style.ERROR)
        if left_out or not all(each.is_up for each in asked):
            raise SystemExit(1)

    def _refuse_unknown(self, wanted: list[str], snapshot: Snapshot, left_out: list[str]) -> None:
        for name in wanted:
            if name not in snapshot.upstreams and not any(_is_about(what, name) for what in left_out):
                names = ", ".join(snapshot.upstreams) or "none"
                raise CommandError(f'No upstream named "{name}" is switched on (there are: {names}).', returncode=2)

    def _table(self, asked: list[Asked]) -> None:
        if not asked:
            self.stdout.write("There is no upstream that is switched on.")
            return
        rows = [HEAD, *map(_row, asked)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[-1]]).rstrip())


def _is_about(what: str, name: str) -> bool:
    return what == f"upstream {name}" or what.startswith(f"upstream {name},")


def _row(asked: Asked) -> tuple[str, ...]:
    state, status = ("up" if asked.is_up else "DOWN"), str(asked.status or "-")
    return asked.upstream, asked.key or "-", state, status, f"{asked.seconds * 1000:.0f} ms", asked.sentence


async def _ask(snapshot: Snapshot, names: list[str], seconds: float) -> list[Asked]:
    transport = Transport(
        max_answer_bytes=settings.DRAGOMAN_MAX_ANSWER_MB * 2**20, tls=trusting(settings.DRAGOMAN_CA_FILE)
    )
    upstreams: list[Upstream] = [snapshot.upstreams[name] for name in names]
    try:
        return await ask_all(snapshot, upstreams, Exits(transport, Health()), seconds=seconds)
    finally:
        await transport.close()
