"""The tests' own surroundings: a data directory that is thrown away, fixed keys, and no variable of the operator's.

Set here, before Django reads its settings; pyproject.toml names no DJANGO_SETTINGS_MODULE because pytest-django would
read them before this file. DATABASE_URL is kept, so that the suite also runs on PostgreSQL.
"""

import functools
import os
import tempfile
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.conf import settings
from xdist.scheduler import LoadScopeScheduling

from tests.fakes.gateway import RunningGateway

OPERATORS = (
    "SECRET_KEY", "SECRET_KEY_FILE", "DRAGOMAN_ENCRYPTION_KEYS_FILE", "REDIS_URL", "REDIS_URL_FILE", "HOST", "PORT",
    "WEB_CONCURRENCY", "LOG_LEVEL", "LOG_FORMAT", "LOG_FILE_PATH", "LOG_RETENTION_DAYS", "HISTORY_BODIES",
    "ENABLE_CLIENT_AUTH", "ALLOW_ANONYMOUS_ACCESS", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS",
    "TRUSTED_PROXIES", "ADMIN_USERNAME", "ADMIN_PASSWORD", "ADMIN_PASSWORD_FILE", "DRAGOMAN_DEBUG",
    "DRAGOMAN_METRICS_PUBLIC", "DRAGOMAN_REFRESH_TOKENS", "DRAGOMAN_SECURE_COOKIES",
)  # fmt: skip

WITHOUT_DATABASE = (
    "browser", "corpus", "dialects", "engine", "ir", "matrix", "properties", "sdk", "server", "upstreams",
)  # fmt: skip
"""Folders of tests that need no Django, or give a server process a database of its own."""

for _name in OPERATORS:
    os.environ.pop(_name, None)

_DIRECTORY = tempfile.TemporaryDirectory(prefix="dragoman-tests-", ignore_cleanup_errors=True)
os.environ.update(
    DJANGO_SETTINGS_MODULE="gateway.settings",
    DRAGOMAN_ENV_FILE=os.devnull,
    DRAGOMAN_DROP_IN="false",
    DRAGOMAN_DATA_DIR=str(Path(_DIRECTORY.name)),
    SECRET_KEY="tests-only-5c1a37e0b8d94f62a1c7-not-for-a-server",
    DRAGOMAN_ENCRYPTION_KEYS="dGVzdHMtb25seS1rZXktMzItYnl0ZXMtbG9uZy0tLS0=",
)
django.setup()

# No test asserts on time, and a busy machine is no fault of the code.
hypothesis.settings.register_profile("dragoman", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("dragoman")

# Each test client would go through all static files at its first request; looked up when asked for they cost nothing.
settings.SERVESTATIC_AUTOREFRESH = True

# Signing in costs half a second each with the real hasher, which is its purpose.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def _shared_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    RunningGateway.shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--only-database", action="store_true", help="only tests that use the database of DATABASE_URL")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collecting thousands of tests only to leave them out takes its time too."""
    if config.getoption("--only-database") and collection_path.parent == Path(__file__).parent:
        return True if collection_path.name in WITHOUT_DATABASE else None
    return None


def _uses_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or not {"db", "transactional_db"}.isdisjoint(
        getattr(item, "fixturenames", ())
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--only-database"):
        left = [item for item in items if not _uses_database(item)]
        items[:] = [item for item in items if _uses_database(item)]
        config.hook.pytest_deselected(items=left)


SHARES = 'scope="module"'


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return SharingTogether(config, log)


class SharingTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share what their module has started stay on one worker: on three, each would start its own. All others
    go wherever there is room. (The groups of xdist's `loadgroup` are without effect under pytest 9.2.)"""

    @functools.cached_property
    def _sharing(self) -> set[str]:
        """Paths below which everything shares: files with such a fixture, and folders whose conftest has one."""
        root = Path(__file__).parent
        files = (path for path in root.rglob("*.py") if path != Path(__file__))
        found = [path for path in files if SHARES in path.read_text(encoding="utf-8")]
        shared = (path.parent if path.name == "conftest.py" else path for path in found)
        return {str(path.relative_to(root.parent)) for path in shared}

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path in self._sharing or str(Path(path).parent) in self._sharing else nodeid
