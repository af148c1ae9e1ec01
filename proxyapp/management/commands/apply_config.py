"""`manage.py apply_config FILE`: makes the database match a declarative file, all or nothing."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from proxyapp.config.declare import Result, apply
from proxyapp.config.reading import DeclarationError, read


class Command(BaseCommand):
    help = "Make the database match a declarative file (YAML or JSON; - is standard input)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--prune", action="store_true", help="remove what the file's sections do not name")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        text, directory = self._text(options["file"])
        try:
            document = read(text, environ=os.environ, directory=directory)
            result = apply(document, prune=options["prune"], dry_run=options["dry_run"])
        except DeclarationError as exc:
            raise CommandError("\n".join([*exc.problems, "Nothing was changed."]))
        self._tell(result, dry_run=options["dry_run"])

    def _text(self, name: str) -> tuple[str, Path]:
        if name == "-":
            return sys.stdin.read(), Path.cwd()
        try:
            return Path(name).read_text(encoding="utf-8"), Path(name).resolve().parent
        except OSError as exc:
            raise CommandError(f"{name} cannot be read ({exc.strerror}).")
        except UnicodeDecodeError:
            raise CommandError(f"{name} is not text in UTF-8.")

    def _tell(self, result: Result, *, dry_run: bool) -> None:
        for sentence in result.warnings:
            self.stderr.write(f"WARNING {sentence}")
        for line in result.changes:
            self.stdout.write(line)
        for made in result.made:
            self.stdout.write(f"key {made.name} of client {made.client}, shown this once: {made.key}")
        count = len(result.changes)
        summary = f"{count} change{'' if count == 1 else 's'}" if count else "Nothing to change"
        self.stderr.write(f"{summary}{' (dry run, nothing was written)' if dry_run else ''}.")
