"""What the server asks of the system: its sockets, its files."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.lifespan.off import LifespanOff

from gateway.server import MOST_FILES, DrainingServer, allow_many_connections, give_up_on_the_silent
from proxyapp import wiring
from proxyapp.tokens.keeping import Keeper


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no TCP_USER_TIMEOUT")
def test_a_caller_who_takes_nothing_for_long_loses_its_connection():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        give_up_on_the_silent(listening, 1)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            accepted.settimeout(30)
            with pytest.raises(TimeoutError) as caught:
                accepted.sendall(b"x" * 2**26)
            assert caught.value.errno == errno.ETIMEDOUT


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(before[1], MOST_FILES), before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_no_refresh_of_a_token_begins_once_a_stop_has_begun(monkeypatch):
    """It would still wait for its answer when the worker's time is over, and the new token be lost."""
    parts: dict[str, Any] = dict.fromkeys(wiring.Worker.__struct_fields__)
    keeper = Keeper()
    worker = wiring.Worker(**{**parts, "pid": os.getpid(), "keeper": keeper})
    monkeypatch.setattr(wiring, "_worker", worker)
    config = Config(app="", lifespan="off", log_config=None)
    server = DrainingServer(config)
    server.servers, server.lifespan = [], LifespanOff(config)
    assert not keeper.is_stopping
    await server.shutdown()
    assert keeper.is_stopping
