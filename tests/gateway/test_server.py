"""The sockets on which the server listens."""

from __future__ import annotations

import errno
import socket

import pytest

from gateway.server import give_up_on_the_silent


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no TCP_USER_TIMEOUT")
def test_a_caller_who_takes_nothing_for_long_loses_its_connection():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        give_up_on_the_silent(listening, 1)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            accepted.settimeout(30)
            with pytest.raises(TimeoutError) as caught:
                accepted.sendall(b"x" * 2**26)
            assert caught.value.errno == errno.ETIMEDOUT
