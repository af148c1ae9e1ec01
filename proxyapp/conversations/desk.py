"""Database work for the event loop: in a few threads of its own, with a time limit, and never a failed request.

The only door from the inference path to the database. It is used by requests alone that ask for what is kept between
requests, and by answers that leave something there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import Error, connection

T = TypeVar("T")

THREADS = 2
"""Each holds a connection while it works."""

REST_SECONDS = 2.0
"""After work that was not done in time nothing is tried for so long: every request would wait in vain."""

log = logging.getLogger("dragoman.conversations")


class Away(Exception):
    """The database could not be asked, or did not answer in time."""


class Desk:
    """`await run(...)` for one piece of work; `close` once, when the worker ends."""

    def __init__(self, seconds: float = 3.0) -> None:
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="conversations")
        self._is_away = False
        self._rests_until = 0.0
        """Loop time."""

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Raises Away; work that came too late to be waited for is still done."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            raise Away("It did not answer in time a moment ago.")
        try:
            future = loop.run_in_executor(self._threads, _in_thread, work)
            done = await asyncio.wait_for(asyncio.shield(future), self._seconds)
        except (Error, TimeoutError, RuntimeError) as error:  # RuntimeError: the threads have ended
            if not self._is_away:
                log.error("What is kept between requests cannot be reached: %s: %s", type(error).__name__, error)
            self._is_away = True
            if isinstance(error, TimeoutError):
                self._rests_until = loop.time() + REST_SECONDS
            raise Away(str(error)) from error
        if self._is_away:
            log.info("What is kept between requests can be reached again.")
        self._is_away = False
        return done

    def close(self) -> None:
        """Waits for what has begun."""
        self._threads.shutdown(wait=True)


def _in_thread(work: Callable[[], T]) -> T:
    try:
        return work()
    except Error:
        connection.close()  # whatever state it is in
        raise
    finally:
        if connection.vendor != "sqlite":
            connection.close()  # back to the pool
