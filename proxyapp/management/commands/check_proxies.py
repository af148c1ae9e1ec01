"""Looks through each proxy once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from proxyapp.config.build import build
from proxyapp.engine.probing import SECONDS
from proxyapp.health.looks import look
from proxyapp.wiring import with_demo


class Command(BaseCommand):
    help = (
        "Looks through each proxy that is switched on: asks for the pool's check URL, or for the servers that are "
        "reached through the pool, without any key; any answer counts. Exit status 1 if a proxy is down."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pools", nargs="*", metavar="POOL", help="only these pools")
        parser.add_argument("--seconds", type=float, default=SECONDS, help="patience (default %(default)g)")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot, findings = build()
        wanted = options["pools"] or list(snapshot.pools)
        unknown = [name for name in wanted if name not in snapshot.pools]
        if unknown or not 0 < options["seconds"] <= 600:
            self.stderr.write(f"There is no proxy pool {unknown[0]}." if unknown else "Patience is from 0 to 600 s.")
            raise SystemExit(2)
        pools = [snapshot.pools[name] for name in wanted]
        verdicts = look(with_demo(snapshot), pools, options["seconds"])
        rows = [
            (
                pool.name,
                proxy.name,
                "up" if verdict.is_up else "DOWN",
                f"{verdict.seconds * 1000:.0f} ms",
                verdict.words,
            )
            for pool, proxy, verdict in verdicts
        ]
        unreadable = [found for found in findings if any(found.what.startswith(f"proxy pool {n}, ") for n in wanted)]
        self._print(rows)
        for finding in unreadable:
            self.stderr.write(f"{finding.what}: {finding.message}")
        if unreadable or any(not verdict.is_up for _, _, verdict in verdicts):
            raise SystemExit(1)

    def _print(self, rows: list[tuple[str, ...]]) -> None:
        if not rows:
            self.stdout.write("There is no proxy that is switched on.")
            return
        table = [("POOL", "PROXY", "STATE", "TIME", "WHAT"), *rows]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        for row in table:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[4]]).rstrip())
