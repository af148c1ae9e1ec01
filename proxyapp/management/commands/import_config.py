"""`manage.py import_config FILE`: takes over the configuration of another gateway, and says what it could not take."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from proxyapp.config.importing.applying import FORMATS, LARGEST, Applied, UnknownFile, apply_imported, convert, load
from proxyapp.config.importing.findings import Sort
from proxyapp.config.reading import DeclarationError

MOST_TOLD = 200
"""Findings of one sort that are told one by one."""


class Command(BaseCommand):
    help = (
        "Take over droid2api's config.json, LiteLLM's config.yaml, or channels of one-api or new-api "
        "(- is standard input). Says what was taken and what could not be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--format", choices=[known.name for known in FORMATS], help="default: told by the content")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            name, imported = convert(load(self._text(options["file"])), os.environ, options["format"] or "")
            applied = apply_imported(imported, dry_run=options["dry_run"])
        except UnknownFile as exc:
            raise CommandError(f"{exc} Nothing was changed.")
        except DeclarationError as exc:
            raise CommandError("\n".join([*exc.problems, "Nothing was changed."]))
        self._report(name, applied)
        if applied.is_empty:
            raise CommandError("Nothing of this file could be taken.")
        self._tell(applied, dry_run=options["dry_run"])

    def _text(self, name: str) -> str:
        try:
            if name == "-":
                return sys.stdin.read(LARGEST + 1)
            with Path(name).open(encoding="utf-8-sig") as file:
                return file.read(LARGEST + 1)
        except OSError as exc:
            raise CommandError(f"{name} cannot be read ({exc.strerror}).")
        except UnicodeDecodeError:
            raise CommandError(f"{name} is not text in UTF-8.")

    def _report(self, name: str, applied: Applied) -> None:
        """The findings, on standard error: what was taken first, what needs somebody last."""
        self.stderr.write(f"A file of {name}.", lambda text: text)
        for sort in Sort:
            found = [finding for finding in applied.findings if finding.sort is sort]
            style = self.style.WARNING if sort in (Sort.LEFT_OUT, Sort.DECIDE) else None
            for finding in found[:MOST_TOLD]:
                self.stderr.write(f"{sort.value}: {finding}", style or (lambda text: text))
            if len(found) > MOST_TOLD:
                self.stderr.write(f"{sort.value}: and {len(found) - MOST_TOLD} more", style or (lambda text: text))

    def _tell(self, applied: Applied, *, dry_run: bool) -> None:
        for line in applied.result.changes:
            self.stdout.write(line)
        count = len(applied.result.changes)
        summary = f"{count} change{'' if count == 1 else 's'}" if count else "Nothing to change"
        self.stderr.write(f"{summary}{' (dry run, nothing was written)' if dry_run else ''}.", lambda text: text)
