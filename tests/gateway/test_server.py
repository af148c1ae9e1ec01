"""What the server asks of the system: its sockets, its files."""

from __future__ import annotations

import errno
import resource
import socket

import pytest

from gateway.server import MOST_FILES, allow_many_connections, give_up_on_the_silent


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
