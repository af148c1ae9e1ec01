"""`manage.py rotate_encryption_key`: puts every stored secret under the first of DRAGOMAN_ENCRYPTION_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway import firstkeys
from proxyapp.config.rekeying import BATCH, Table, rekey, waiting_tokens


class Command(BaseCommand):
    help = (
        "Re-encrypt every stored secret under the first of DRAGOMAN_ENCRYPTION_KEYS, in small batches while the "
        "gateway serves. May be cut off and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument(
            "--new", action="store_true", help="put a new key first in the file beside the SQLite database, and stop"
        )
        parser.add_argument("--batch", type=int, default=BATCH, help="secrets in one transaction (default %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("A batch has at least one secret.", returncode=2)
        if options["new"]:
            self._new(dry_run=options["dry_run"])
            return
        tables = rekey(dry_run=options["dry_run"], batch=options["batch"])
        waiting = waiting_tokens()
        self._tell(tables, waiting, dry_run=options["dry_run"])
        if waiting or any(table.unreadable or table.missed for table in tables):
            raise SystemExit(1)

    def _new(self, *, dry_run: bool) -> None:
        """A server that runs does not know the new key yet, so nothing may be encrypted with it in this run."""
        path = settings.ENCRYPTION_KEYS_FILE
        if path is None:
            raise CommandError(
                "--new is for keys in the file beside a SQLite database. Here DRAGOMAN_ENCRYPTION_KEYS is given: "
                "put a new key in front of it, such as this fresh one, then restart and run this command.\n"
                + firstkeys.encryption_key()
            )
        if not dry_run:
            firstkeys.put_first(path, firstkeys.encryption_key())
        told = "would stand" if dry_run else "stands"
        self.stderr.write(f"A new key {told} first in {path}.", lambda text: text)
        self.stderr.write("Restart the server, then run rotate_encryption_key without --new.", lambda text: text)

    def _tell(self, tables: list[Table], waiting: int, *, dry_run: bool) -> None:
        verb = "to re-encrypt" if dry_run else "re-encrypted"
        for table in tables:
            unreadable = f", {len(table.unreadable)} unreadable" if table.unreadable else ""
            self.stdout.write(f"{table.name}: {table.renewed} {verb}, {table.current} under the first key{unreadable}")
        for item in (item for table in tables for item in table.unreadable):
            self.stderr.write(f"{item} cannot be read: none of DRAGOMAN_ENCRYPTION_KEYS fits.", self.style.ERROR)
        if waiting:
            told = (
                f"Refreshed tokens that wait on disk for the database: {waiting}. Run refresh_tokens, then this again."
            )
            self.stderr.write(told, self.style.ERROR)
        if any(table.missed for table in tables):
            self.stderr.write("Some were changed in the meantime. Run this command again.")
        elif any(table.unreadable for table in tables):
            self.stderr.write("Keep the old keys, add the one that is missing, or enter these secrets again.")
        elif not waiting and not dry_run and len(settings.DRAGOMAN_ENCRYPTION_KEYS) > 1:
            self.stderr.write(
                "All are under the first key. The others may go once no backup needs them and every process was "
                "restarted.",
                lambda text: text,
            )
