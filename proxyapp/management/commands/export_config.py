"""`manage.py export_config`: the configuration as a declarative file on standard output, the rest on standard error."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from proxyapp.config.exporting import Export, export, rendered


class Command(BaseCommand):
    help = "Write the configuration as a declarative file. Secrets are references to the environment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--with-secrets", action="store_true", help="write the secrets themselves")
        parser.add_argument("--format", choices=["yaml", "json"], default="yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        made = export(with_secrets=options["with_secrets"])
        self.stdout.write(rendered(made.document, options["format"]), ending="")
        self._tell(made)
        if made.unreadable:
            raise SystemExit(1)

    def _tell(self, made: Export) -> None:
        if made.references:
            self.stderr.write("Set these where the file is applied:", lambda text: text)
        for reference in made.references:
            self.stderr.write(f"  {reference.name}   {reference.what}", lambda text: text)
        for note in made.notes:
            self.stderr.write(note, self.style.WARNING)
        for what in made.unreadable:
            self.stderr.write(f"{what} cannot be read: none of DRAGOMAN_ENCRYPTION_KEYS fits.", self.style.ERROR)
