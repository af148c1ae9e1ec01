"""`manage.py create_key CLIENT`: a new key, alone on standard output; everything else goes to standard error."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.issuing import free_name, issue, parse_expiry
from accounts.models import Client


class Command(BaseCommand):
    help = "Make a key for a client and print it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", help="name of the client")
        parser.add_argument("--name", default="key", help="name of the key (default: key, key-2, …)")
        parser.add_argument("--scope", choices=["inference", "admin"], default="inference")
        parser.add_argument(
            "--models", nargs="+", default=[], metavar="PATTERN", help="models it may use (default: all)"
        )
        parser.add_argument("--expires", metavar="WHEN", help="2027-01-31, 2027-01-31T12:00:00Z, or 90m, 12h, 30d, 4w")
        parser.add_argument("--create-client", action="store_true", help="make the client when there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        expires_at = self._expiry(options["expires"])
        models = [name for word in options["models"] for name in word.split(",") if name]
        with transaction.atomic():
            client = self._client(options["client"], create=options["create_client"])
            name = free_name(client, options["name"])
            try:
                row, key = issue(client, name, scope=options["scope"], models=models, expires_at=expires_at)
            except ValidationError as exc:
                raise CommandError(_sentences(exc))
        self.stderr.write(f"Key {row.name} of {client.name}, scope {row.scope}. It is shown this once:")
        self.stdout.write(key)

    def _client(self, name: str, *, create: bool) -> Client:
        client = Client.objects.filter(name=name).first()
        if client is None and create:
            client = Client(name=name)
            try:
                client.full_clean()
            except ValidationError as exc:
                raise CommandError(f"The client cannot be made. {_sentences(exc)}")
            client.save()
        if client is None:
            names = ", ".join(Client.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise CommandError(f'No client named "{name}" (there are: {names}). Add --create-client to make it.')
        return client

    def _expiry(self, text: str | None) -> Any:
        try:
            expires_at = parse_expiry(text, timezone.now()) if text else None
        except (ValueError, OverflowError):
            raise CommandError(f"--expires: {text!r} is no time. Give 2027-01-31, 2027-01-31T12:00:00Z, or 30d.")
        if expires_at is not None and expires_at <= timezone.now():
            raise CommandError(f"--expires: {text!r} is in the past.")
        return expires_at


def _sentences(exc: ValidationError) -> str:
    """`name: This field cannot be blank.`, one a line."""
    return "\n".join(f"{name}: {sentence}" for name, found in exc.message_dict.items() for sentence in found)
