"""Real forward proxies on loopback, each a process of its own: squid, tinyproxy and microsocks, with a password."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fakes.upstream import free_port

USER, PASSWORD = "dragoman", "pr0xy:p@ss/w%rd"
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")
"""Beside the path: Debian keeps servers where users do not look."""


@dataclass
class RunningProxy:
    scheme: str
    port: int
    process: subprocess.Popen[bytes]
    tls_port: int = 0

    def url(self, *, user: str = USER, password: str = PASSWORD, scheme: str = "", host: str = "127.0.0.1") -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        scheme = scheme or self.scheme
        return f"{scheme}://{login}{host}:{self.tls_port if scheme == 'https' else self.port}"


def program(name: str) -> str:
    """Skips the test that needs a program which is not there; fails it with REQUIRE_SERVICES=1."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(PLACES))
    if found:
        return found
    missing = f"{name} is not installed (Debian's package of that name)"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@contextlib.contextmanager
def running(command: list[str], *, scheme: str, port: int) -> Iterator[RunningProxy]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_for(port, process)
        yield RunningProxy(scheme, port, process)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        assert process.stderr is not None
        process.stderr.close()


def _helper() -> str:
    """squid's own program that looks into a file of passwords."""
    for library in ("/usr/lib/squid", "/usr/lib64/squid", "/usr/libexec/squid", "/usr/local/libexec/squid"):
        if Path(library, "basic_ncsa_auth").exists():
            return f"{library}/basic_ncsa_auth"
    return program("basic_ncsa_auth")


def _wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(f"{process.args!r} ended: {process.stderr.read()!r}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} does not listen")


@contextlib.contextmanager
def tinyproxy(directory: Path) -> Iterator[RunningProxy]:
    port = free_port()
    config = directory / "tinyproxy.conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 300\nBasicAuth {USER} {TINY_PASSWORD}\n"
        f'LogFile "{directory}/tinyproxy.log"\nLogLevel Critical\n'
    )
    with running([program("tinyproxy"), "-d", "-c", str(config)], scheme="http", port=port) as proxy:
        yield proxy


TINY_PASSWORD = "t1ny-pass"
"""tinyproxy's file takes letters, digits and a few signs."""


@contextlib.contextmanager
def microsocks() -> Iterator[RunningProxy]:
    port = free_port()
    command = [program("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", USER, "-P", PASSWORD]
    with running(command, scheme="socks5", port=port) as proxy:
        yield proxy


PASSWORD_HASH = "$6$Xk3fQ9$rAD3onRi4JF7Yn./m/jCnzNHJ5wZvfSOavS2/i4OhRQXEcjmtZOgf8KNXSieCjAQQidJne9v6YHUJ2Tw1NjxB."
"""Of PASSWORD, as crypt(3) writes it."""


@contextlib.contextmanager
def squid(directory: Path, certificate: Path | None = None) -> Iterator[RunningProxy]:
    """`certificate`: a PEM file with key and certificate, for a second port that speaks TLS. `directory` must be open
    to others: started by root, squid runs as somebody else."""
    port, tls_port = free_port(), free_port()
    (directory / "passwords").write_text(f"{USER}:{PASSWORD_HASH}\n")
    squid, user = program("squid"), getpass.getuser()
    tls = f"https_port 127.0.0.1:{tls_port} tls-cert={certificate}\n" if certificate else ""
    config = directory / "squid.conf"
    config.write_text(
        f"http_port 127.0.0.1:{port}\n{tls}"
        f"auth_param basic program {_helper()} {directory}/passwords\n"
        "auth_param basic children 1 startup=1\nacl known proxy_auth REQUIRED\n"
        "acl forbidden dstdomain forbidden.test\nhttp_access deny forbidden\n"
        "http_access allow known\nhttp_access deny all\ncache deny all\n"
        f"cache_effective_user {'proxy' if user == 'root' else user}\npid_filename none\nvisible_hostname squid.test\n"
        f"cache_log /dev/null\naccess_log none\ncoredump_dir {directory}\nnetdb_filename none\n"
        "dns_nameservers 127.0.0.1\nshutdown_lifetime 0 seconds\npinger_enable off\n"
    )
    with running([squid, "-N", "-n", f"dragoman{port}", "-f", str(config)], scheme="http", port=port) as proxy:
        proxy.tls_port = tls_port
        yield proxy
