"""Plays the commands of other programs' documents, as they stand there, with the curl of this machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway


def curl(gateway: RunningGateway, command: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in small letters) and body of a command, whose own address becomes the gateway's."""
    if shutil.which("curl") is None:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail("curl is not on the path")
        pytest.skip("curl is not on the path")
    one_line = re.sub(r"\\{1,2}\n", " ", command)  # one of the documents writes two
    words = shlex.split(re.sub(r"http://(?:localhost|127\.0\.0\.1):\d+", gateway.url, one_line))
    done = subprocess.run(
        [*words, "-sS", "-i", "--no-buffer", "--max-time", "30", "--noproxy", "*"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def events(body: bytes) -> list[tuple[str, Any]]:
    """(name, data) of each event of a stream; data that is no JSON, such as [DONE], as text."""
    found = []
    for frame in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line and not line.startswith(":"))
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event", ""), json.loads(data) if data.startswith("{") else data))
    return found
