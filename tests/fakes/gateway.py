"""The real server as a process of its own, with a data directory of its own, configured by its own commands."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from tests.fakes.upstream import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "sk-dg-test-0123456789abcdefghijklmnopqrstuvwxyz"
PLAIN = frozenset({"DRAGOMAN_SHUTDOWN_SECONDS", "HISTORY_BODIES", "WEB_CONCURRENCY", "LOG_FILE_PATH", "LOG_FORMAT"})
"""Variables that make no difference to what a first start leaves behind."""
ADMIN_KEY = "sk-dg-admin-0123456789abcdefghijklmnopqrstuvwxyz"


class RunningGateway:
    """`start` it, talk to `url`, `stop` it. `manage(...)` runs a command against the same data."""

    shared: ClassVar[Path | None] = None
    """A directory of this test run, the same for all of its processes; `tests/conftest.py` sets it."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {
            k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "COVERAGE_PROCESS_START", "VIRTUAL_ENV")
        }
        self.directory = ROOT
        """Where its commands are started, and look for a config.json."""
        self.environment = {
            **inherited,
            "HOME": str(data),
            "DRAGOMAN_DATA_DIR": str(data),
            "DRAGOMAN_ENV_FILE": str(data / "no.env"),
            "PORT": str(self.port),
            **environment,
        }
        self._given = set(environment)
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def apply(self, document: dict[str, Any]) -> str:
        return self.manage("apply_config", "-", stdin=json.dumps(document)).stdout

    def start(self, *arguments: str, bootstrap: bool = True) -> RunningGateway:
        if bootstrap:
            self.bootstrap()
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "serve", *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_until_ready()
        return self

    def bootstrap(self) -> str:
        """A first start costs seconds, and leaves the same behind each time: where nothing special is asked for, its
        files are made once a test run and copied. Where something is, only the tables are, which cost the most. What
        it printed, "" for a copy."""
        elsewhere = not self.environment.get("DATABASE_URL", "dragoman.sqlite3").endswith("dragoman.sqlite3")
        if self.shared is None or elsewhere or (self.data / "dragoman.sqlite3").exists():
            return self.manage("bootstrap").stdout
        is_plain = self._given <= PLAIN and self.directory == ROOT
        shutil.copytree(self._made("bootstrap" if is_plain else "migrate"), self.data, dirs_exist_ok=True)
        return "" if is_plain else self.manage("bootstrap").stdout

    def _made(self, command: str) -> Path:
        """The files that a command leaves behind in an empty data directory."""
        assert self.shared is not None
        template = self.shared / f"first-{command}"
        with Path(f"{template}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                (making := template.with_name(f"{template.name}.making")).mkdir()
                RunningGateway(making).manage(command)
                making.rename(template)
        return template

    def wait_until_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process is not None and self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def log(self) -> str:
        return (self.data / "server.log").read_text(errors="replace")

    def stop(self, how: int = signal.SIGTERM, wait: float = 30) -> int:
        """The exit status. SIGKILL kills the whole process group, as a machine's end would."""
        assert self.process is not None
        if how == signal.SIGKILL:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        return self.process.wait(wait)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
