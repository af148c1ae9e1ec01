"""People who open the console: olga may do everything, sam may look, nobody is signed in."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

# What the console's empty forms send.
MODEL = {
    "name": "new", "aliases": "", "enabled": "on", "reasoning": "auto", "profile": "", "prices": "",
    "routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0",
}  # fmt: skip
UPSTREAM = {
    "name": "new", "kind": "openai", "api": "", "base_url": "", "enabled": "on", "headers": "", "system_prompt": "",
    "api_version": "", "retries": "2", "timeout_connect": "10", "timeout_first_byte": "300", "timeout_idle": "300",
    "timeout_total": "3600", "proxy_pool": "", "keys-TOTAL_FORMS": "0", "keys-INITIAL_FORMS": "0",
}  # fmt: skip
ADD_MODEL, ADD_UPSTREAM = "/admin/proxyapp/modelconfig/add/", "/admin/proxyapp/upstream/add/"

SECRETS = ("sk-ant-secret-main", "blue-secret", "pass-word")


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def olga(db):
    return signed_in(get_user_model().objects.create_superuser("olga", password="olga-password-1"))


@pytest.fixture
def sam(db):
    """Staff with every view permission and no other."""
    user = get_user_model().objects.create_user("sam", password="sam-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return signed_in(user)


@pytest.fixture
def nobody(db):
    return Client()


@pytest.fixture
def rows(db):
    """One of each configuration row, with secrets."""
    from accounts import models as accounts
    from proxyapp import models

    pool = models.ProxyPool.objects.create(name="eu")
    models.Proxy.objects.create(pool=pool, name="p1", url="http://user:pass-word@127.0.0.1:3128")
    upstream = models.Upstream.objects.create(
        name="anthropic", kind="anthropic", proxy_pool=pool, headers={"x-team": "blue-secret"}
    )
    models.UpstreamKey.objects.create(upstream=upstream, name="main", value="sk-ant-secret-main")
    model = models.ModelConfig.objects.create(name="claude", aliases=["sonnet", "opus"])
    models.Route.objects.create(model=model, upstream=upstream, upstream_model="claude-x")
    client = accounts.Client.objects.create(name="alice", models=["claude-*"])
    key = accounts.ApiKey(client=client, name="laptop")
    key.take("sk-dg-known-to-alice-only")
    key.save()
    return {"pool": pool, "upstream": upstream, "model": model, "client": client, "key": key}


PAGES = ("proxyapp/upstream", "proxyapp/modelconfig", "proxyapp/proxypool", "accounts/client", "accounts/apikey",
         "auth/user", "auth/group")  # fmt: skip


@pytest.fixture
def pages(rows):
    """Every list, add and change page of the configuration."""
    ids = {
        "proxyapp/upstream": rows["upstream"].pk,
        "proxyapp/modelconfig": rows["model"].pk,
        "proxyapp/proxypool": rows["pool"].pk,
        "accounts/client": rows["client"].pk,
        "accounts/apikey": rows["key"].pk,
    }
    lists = [f"/admin/{page}/" for page in (*PAGES, "proxyapp/upstreamkey")]
    return lists, [f"/admin/{page}/add/" for page in PAGES], [f"/admin/{page}/{pk}/change/" for page, pk in ids.items()]
