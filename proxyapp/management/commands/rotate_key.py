"""`manage.py rotate_key CLIENT KEY`: the new key, alone on standard output; everything else goes to standard error."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.issuing import parse_overlap, rotate
from accounts.models import ApiKey


class Command(BaseCommand):
    help = "Renew a key: make another in its place and print it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", help="name of the client")
        parser.add_argument("key", help="name of the key")
        parser.add_argument("--overlap", default="0", metavar="TIME", help="how long the old key goes on: 90m, 24h, 7d")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            overlap = parse_overlap(options["overlap"])
        except (ValueError, OverflowError):
            raise CommandError(f"--overlap: {options['overlap']!r} is no time up to 366 days. Give seconds, or 24h.")
        row = (
            ApiKey.objects.filter(client__name=options["client"], name=options["key"]).select_related("client").first()
        )
        if row is None:
            known = ApiKey.objects.filter(client__name=options["client"]).values_list("name", flat=True)[:20]
            raise CommandError(
                f'No key "{options["key"]}" of a client "{options["client"]}" (it has: {", ".join(known) or "none"}).'
            )
        key = rotate(row, timezone.now(), overlap)
        until = row.overlap_until
        old = f"goes on until {until:%Y-%m-%d %H:%M} UTC" if until else "is refused within a second"
        self.stderr.write(f"Key {row} has a new value; the old one {old}. The new one is shown this once:")
        self.stdout.write(key)
