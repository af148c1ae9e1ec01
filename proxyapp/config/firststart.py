"""What a first start needs: tables, an admin user, a client with a key, and something that answers.

Idempotent, and safe when several processes do it at once: one goes ahead, the others wait and find everything there.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from msgspec import Struct, field

from accounts.issuing import issue
from accounts.models import Client
from proxyapp.config.address import own_address
from proxyapp.config.dropin.follow import Followed, follow
from proxyapp.models import ModelConfig, Route, Upstream
from proxyapp.models.config import lock_configuration
from proxyapp.models.routes import names_taken

DEMO = "demo"
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""For passwords: no two that look alike, and nothing that ends a double click. Twenty of them are 116 bits."""
ADVISORY_LOCK = 0x647261676F6D616E
"""A number of our own for PostgreSQL's advisory locks ("dragoman" in ASCII)."""


class Created(Struct):
    """What this start made; all None when everything was there. Holds secrets: for the console, never for a log."""

    username: str | None = None
    password: str | None = None
    """None when ADMIN_PASSWORD gave it."""
    key: str | None = None
    demo: bool = False
    followed: Followed = field(default_factory=Followed)
    """What was made of the environment; holds no secrets."""

    def __repr__(self) -> str:
        return "Created(…)"

    @property
    def anything(self) -> bool:
        return bool(self.username or self.key or self.demo)


def first_start(*, afresh: bool = False) -> Created:
    """Make what is missing, and what the environment says anew; with `afresh` all that it says. Raises django.db.Error
    when the database is away, ImproperlyConfigured with a sentence when the environment cannot be followed."""
    with _alone():
        if _migrations_wait():
            call_command("migrate", verbosity=0, interactive=False)
        created = Created()
        with transaction.atomic():
            lock_configuration()
            _admin(created)
            _client(created)
            created.followed = follow(settings.SEEDS, own_address(), afresh=afresh)
            _demo(created)
    return created


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time: a file lock beside the SQLite file, an advisory lock in PostgreSQL."""
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        with path.with_name(f"{path.name}.start").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _migrations_wait() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _admin(created: Created) -> None:
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return
    given = settings.ADMIN_PASSWORD
    password = given or "".join(secrets.choice(LETTERS) for _ in range(20))
    user = users.filter(username=settings.ADMIN_USERNAME).first()
    if user is None:
        users.create_superuser(settings.ADMIN_USERNAME, password=password)
        created.username, created.password = settings.ADMIN_USERNAME, None if given else password


def _client(created: Created) -> None:
    if not Client.objects.exists():
        client = Client.objects.create(name="default", note="Made by the first start.")
        _, created.key = issue(client, "first")


def _demo(created: Created) -> None:
    if any(change.startswith("+ upstream ") for change in created.followed.changes):
        _without_demo(created)
    if Upstream.objects.exists():
        return
    upstream = Upstream.objects.create(name=DEMO, kind="demo")
    created.demo = True
    if names_taken([DEMO], ModelConfig.objects.values_list("name", "aliases")) is None:
        model = ModelConfig.objects.create(name=DEMO)
        Route.objects.create(model=model, upstream=upstream, upstream_model=DEMO)


def _without_demo(created: Created) -> None:
    """The environment has something that answers: the demo goes, unless somebody did something with it."""
    upstream = Upstream.objects.filter(name=DEMO, kind="demo").first()
    routes = list(Route.objects.filter(upstream=upstream).select_related("model")) if upstream else []
    if upstream is None or [route.model.name for route in routes] not in ([], [DEMO]):
        return
    if any(route.model.routes.count() > 1 or route.model.aliases for route in routes):
        return
    for route in routes:
        route.model.delete()
        created.followed.changes.append(f"- model {DEMO}")
    upstream.delete()
    created.followed.changes.append(f"- upstream {DEMO}")
