"""`manage.py login_upstream NAME`: a refresh token by a login that is confirmed in a browser."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from proxyapp.config.declare import OAUTH
from proxyapp.models import OAuthToken, Upstream
from proxyapp.tokens.login import Manner, log_in
from proxyapp.upstreams.oauth import Device, RefreshFailed


class Command(BaseCommand):
    help = "Get a refresh token for an upstream: prints an address and a code, and waits until somebody confirms there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("upstream", help="name of the upstream")
        parser.add_argument("--token", default=OAUTH, metavar="NAME", help="name of its token (default %(default)s)")
        parser.add_argument("--token-url", default="", help="default: as stored, or the kind's own")
        parser.add_argument("--client-id", default="", help="default: as stored, or the kind's own")
        parser.add_argument("--device-url", default="", help="where the login begins; default: the kind's own")

    def handle(self, *args: Any, **options: Any) -> None:
        upstream = Upstream.objects.filter(name=options["upstream"]).first()
        if upstream is None:
            raise CommandError(f"There is no upstream named {options['upstream']!r}.", returncode=2)
        token = upstream.tokens.filter(name=options["token"]).first()
        token = token or OAuthToken(upstream=upstream, name=options["token"])
        token.token_url = options["token_url"] or token.token_url
        token.client_id = options["client_id"] or token.client_id
        try:
            token.clean_fields(exclude=["seed"])
            log_in(token, options["device_url"], Manner(self._tell))
        except ValidationError as exc:
            raise CommandError("\n".join(exc.messages), returncode=2)
        except RefreshFailed as exc:
            raise CommandError(f"{exc.message}.")
        self.stdout.write(f"Logged in. The token {token} is refreshed within seconds, or by refresh_tokens.")

    def _tell(self, device: Device) -> None:
        self.stdout.write(f"Open {device.address} and confirm the code {device.user_code}.")
        self.stdout.flush()
