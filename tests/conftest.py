"""The tests' own surroundings: a data directory that is thrown away, fixed keys, and no variable of the operator's.

Set here, before Django reads its settings; pyproject.toml names no DJANGO_SETTINGS_MODULE because pytest-django would
read them before this file. DATABASE_URL is kept, so that the suite also runs on PostgreSQL.
"""

import os
import tempfile
from pathlib import Path

import django
import hypothesis
import pytest
from django.conf import settings

from tests.fakes.gateway import RunningGateway

OPERATORS = (
    "SECRET_KEY", "SECRET_KEY_FILE", "DRAGOMAN_ENCRYPTION_KEYS_FILE", "REDIS_URL", "REDIS_URL_FILE", "HOST", "PORT",
    "WEB_CONCURRENCY", "LOG_LEVEL", "LOG_FORMAT", "LOG_FILE_PATH", "LOG_RETENTION_DAYS", "HISTORY_BODIES",
    "ENABLE_CLIENT_AUTH", "ALLOW_ANONYMOUS_ACCESS", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS",
    "TRUSTED_PROXIES", "ADMIN_USERNAME", "ADMIN_PASSWORD", "ADMIN_PASSWORD_FILE", "DRAGOMAN_DEBUG",
    "DRAGOMAN_METRICS_PUBLIC", "DRAGOMAN_REFRESH_TOKENS", "DRAGOMAN_SECURE_COOKIES",
)  # fmt: skip

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a server of their module stay on one worker: on two, each would start its own."""
    for item in items:
        known = getattr(item, "_fixtureinfo", None)
        shared = known is not None and any(
            found[-1].scope == "module" for found in known.name2fixturedefs.values() if found
        )
        if shared and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
