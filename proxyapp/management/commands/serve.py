"""The server in the foreground: gunicorn's process manager over uvicorn workers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Serves the gateway and its console on HOST:PORT until Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []  # run below, so that a refusal is a sentence and not a traceback

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=int, default=settings.WEB_CONCURRENCY, help="worker processes")
        parser.add_argument("--reload", action="store_true", help="restart on changes of the code (development)")

    def handle(self, *args: Any, workers: int, reload: bool, **options: Any) -> None:
        from django.core.checks import run_checks
        from django.core.checks.messages import ERROR

        from gateway.server import run
        from proxyapp.config.address import own_address

        if workers < 1:
            raise CommandError("--workers must be 1 or more.")
        settings.WEB_CONCURRENCY = workers  # the checks speak of what will run
        findings = run_checks(tags=["dragoman"])
        for finding in findings:
            self.stderr.write(str(finding))
        if any(finding.level >= ERROR for finding in findings):
            raise CommandError("The server does not start with these errors.")
        self._find_database()
        address = own_address()
        welcome = f"Serving on {address} (console: {address}/admin/), worker processes: {workers}. Ctrl-C stops."
        run(workers=workers, reload=reload, when_ready=lambda: self.stdout.write(welcome))

    def _find_database(self) -> None:
        """Raises django.db.Error when it is away or without its tables: once and here, not in every worker. Leaves
        nothing open, because the workers are forks of this process."""
        from django.db import connection

        from proxyapp.models.config import current_version

        try:
            current_version()
        finally:
            connection.close()
            getattr(connection, "close_pool", lambda: None)()  # PostgreSQL's
