"""`manage.py refresh_tokens`: renews the OAuth tokens that are due, once or for ever."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from proxyapp.models import Upstream
from proxyapp.tokens import rows
from proxyapp.tokens.keeping import Keeper, refresh_all
from proxyapp.tokens.refreshing import Manner, Outcome, Result


class Command(BaseCommand):
    help = (
        "Refresh the OAuth tokens of upstreams that are due. Safe from cron and on several hosts at once. "
        "Exit status 1 if any failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="also those that are not due yet")
        parser.add_argument("--loop", action="store_true", help="go on until Ctrl-C or SIGTERM")
        parser.add_argument("--upstream", metavar="NAME", help="only the tokens of this upstream")

    def handle(self, *args: Any, force: bool, loop: bool, upstream: str | None, **options: Any) -> None:
        if upstream is not None and not Upstream.objects.filter(name=upstream).exists():
            raise CommandError(f"There is no upstream named {upstream!r}.", returncode=2)
        keeper = Keeper(self._tell, upstream=upstream)
        # A refresh under way is brought to its end: the answer to a request that was sent must not be lost.
        with _on_stop(keeper.stop):
            failed = self._once(keeper, force, upstream) if force or not loop else False
            if loop:
                self._say("Keeping tokens fresh. Ctrl-C stops.")
                keeper.run()
            elif failed:
                raise SystemExit(1)

    def _once(self, keeper: Keeper, force: bool, upstream: str | None) -> bool:
        """Did any fail?"""
        outcomes = []
        for outcome in refresh_all(Manner(began=rows.database_now(), force=force), upstream=upstream):
            outcomes.append(outcome)
            self._tell(outcome)
            if keeper.is_stopping:
                break
        if not outcomes:
            self._say("There is no token to refresh.")
        return any(outcome.is_failure for outcome in outcomes)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.is_failure:
            self.stderr.write(f"{outcome.name}: {outcome.sentence}")
        elif outcome.result is not Result.HELD:
            self._say(f"{outcome.name}: {outcome.sentence}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@contextmanager
def _on_stop(act: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM; a command that is called from another thread leaves the signals alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: act()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
