"""Deletes history that is past its retention."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from proxyapp.conversations.prune import prune_kept
from proxyapp.history.prune import BATCH, prune

MOST_DAYS = 36500
"""As LOG_RETENTION_DAYS."""


class Command(BaseCommand):
    help = (
        "Deletes requests older than LOG_RETENTION_DAYS, in small batches while the gateway serves. Safe from cron, "
        "and twice at once. With 0 days no request is ever deleted. "
        "What is kept for callers goes when its time is over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.LOG_RETENTION_DAYS, help="instead of the setting")
        parser.add_argument("--content-days", type=int, help="delete the bodies sooner, after so many days")
        parser.add_argument("--batch", type=int, default=BATCH, help="rows deleted at once (default %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        days, content_days = options["days"], options["content_days"]
        if min(days, content_days or 0) < 0 or max(days, content_days or 0) > MOST_DAYS or options["batch"] < 1:
            self.stderr.write(f"Days are from 0 to {MOST_DAYS}, and a batch has at least one row.")
            raise SystemExit(2)
        now = timezone.now()
        requests_before = now - timedelta(days=days) if days else now.min.replace(tzinfo=now.tzinfo)
        contents_before = now - timedelta(days=content_days) if content_days else None
        done = prune(requests_before, contents_before, batch=options["batch"])
        kept = prune_kept(now, batch=options["batch"])
        self.stdout.write(f"Deleted {done.requests} requests, {done.attempts} attempts and {done.contents} contents.")
        if kept:
            self.stdout.write(f"Deleted {kept} entries kept for callers, whose time was over.")
