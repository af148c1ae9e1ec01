"""gunicorn as a library: one worker class, graceful stop on Ctrl-C and SIGTERM alike.

On a stop the workers take no new connections and let running requests end for DRAGOMAN_SHUTDOWN_SECONDS; what still
runs then ends with its dialect's own error, and its row is in the history. Exit status 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any

from django.conf import settings
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from gateway.protocol import GuardedProtocol

_LAST_WORDS = 2.0
"""Seconds for streams that were ended by us to say so."""
_SILENT_SECONDS = 300
MOST_FILES = 65536


class DragomanWorker(UvicornWorker):
    """uvicorn with uvloop and httptools; no access log (the request history is the log)."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "auto",
        "http": GuardedProtocol,
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "proxy_headers": False,
        "ws": "none",
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": None,
    }

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        for sock in self.sockets:
            give_up_on_the_silent(sock, _SILENT_SECONDS)
        server = DrainingServer(self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)


def give_up_on_the_silent(listening: socket.socket, seconds: int) -> None:
    """A caller that takes nothing of what it is sent for so long is gone, for all connections to come. While a stream
    waits for its caller no timeout of its upstream runs, and both connections would be held for ever. Linux only."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, option, seconds * 1000)


class DrainingServer(Server):
    """Ends what outlives the shutdown time in words instead of cutting it off."""

    async def shutdown(self, sockets: Any = None) -> None:
        loop, patience = asyncio.get_running_loop(), settings.DRAGOMAN_SHUTDOWN_SECONDS
        _begin_nothing_long()
        last_words = loop.call_later(patience, _abort_all)
        end = loop.call_later(patience + _LAST_WORDS, self._hang_up)
        try:
            await super().shutdown(sockets)
        finally:
            last_words.cancel()
            end.cancel()

    def _hang_up(self) -> None:
        """On those who do not read: they have not taken the last words, and waiting for them would never end."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _begin_nothing_long() -> None:
    from proxyapp import wiring

    wiring.begin_nothing_long()


def _abort_all() -> None:
    from proxyapp import wiring

    worker = wiring.current()
    if worker is not None:
        worker.engine.abort_all()


def allow_many_connections() -> None:
    """A stream holds two files and the usual soft limit is 1,024 of them; what the system allows is more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class GentleArbiter(Arbiter):
    """Ctrl-C is a graceful stop as well; the terminal sends it to the workers too."""

    SIGNALS = Arbiter.SIGNALS

    def handle_int(self) -> None:
        self.handle_term()


class Application(BaseApplication):
    """The gateway under gunicorn."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from gateway.asgi import application

        return application

    def run(self) -> None:
        GentleArbiter(self).run()


def run(*, workers: int, reload: bool = False, when_ready: Callable[[], object]) -> None:
    """Serves until stopped; does not return before. `when_ready` is called once the port is ours."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    allow_many_connections()
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    Application(
        {
            "bind": f"{host}:{settings.PORT}",
            "workers": workers,
            "worker_class": "gateway.server.DragomanWorker",
            "graceful_timeout": settings.DRAGOMAN_SHUTDOWN_SECONDS + int(_LAST_WORDS) + 10,
            "timeout": 120,
            "keepalive": 75,
            "backlog": 2048,
            "reload": reload,
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "proc_name": "dragoman",
            "control_socket_disable": True,
            "when_ready": lambda arbiter: when_ready(),
        }
    ).run()
