"""The database follows the environment: what it says anew is set, what it leaves out goes, an operator's work stays."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.keys import digest
from accounts.models import ApiKey, Client
from gateway.seeds import Factory, Relay, Seeds, Unified
from proxyapp.config.build import build_snapshot
from proxyapp.config.dropin.follow import follow
from proxyapp.config.dropin.wishes import wish_for
from proxyapp.models import AppliedEnvironment, ModelConfig, Route, Upstream, UpstreamKey
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db

HERE = "http://127.0.0.1:8000"
BASE = "http://127.0.0.1:9/v1"


def seeds(**more):
    return Seeds(**more)


def unified(**more):
    return Seeds(unified=Unified(**{"api_key": "sk-1", "base_url": BASE, "actual_name": "gpt-4", **more}))


def relay(**more):
    return Seeds(relay=Relay(**{"base_url": BASE, "api_key": "sk-1", **more}))


def after(found, **more):
    return follow(found, HERE, **more)


def test_nothing_said_makes_nothing_not_even_a_memory():
    assert after(Seeds()).changes == []
    assert not AppliedEnvironment.objects.exists()


def test_the_second_time_nothing_changes_and_no_worker_reads_anew():
    after(unified())
    before = current_version()
    assert after(unified()).changes == []
    assert current_version() == before


def test_any_name_becomes_the_one_model():
    after(unified(max_tokens=100, headers={"x-team": "blue"}, timeout=30.0, cost_input=0.003, cost_output=0.015))
    snapshot = build_snapshot()
    assert list(snapshot.models) == ["gpt-4"]
    assert [model.aliases for model in snapshot.wildcards] == [("*",)]
    model, upstream = snapshot.models["gpt-4"], snapshot.upstreams["env-unified"]
    assert (model.routes[0].model, model.max_output_tokens) == ("gpt-4", 100)
    assert (upstream.kind, upstream.base_url, upstream.credentials[0].secret) == ("openai_compatible", BASE, "sk-1")
    assert (upstream.timeouts.first_byte, upstream.timeouts.idle, upstream.timeouts.total) == (30.0, 30.0, 3600.0)
    assert upstream.headers == {"x-team": "blue"}
    assert ModelConfig.objects.get().prices == {"input": 3.0, "output": 15.0}


@pytest.mark.parametrize(
    ("said", "kind", "base_url"),
    [
        ({"type": "openai", "base_url": ""}, "openai", None),
        ({"type": "openai", "base_url": "https://api.openai.com/v1"}, "openai", "https://api.openai.com/v1"),
        ({"type": "custom", "base_url": "http://localhost:11434/v1"}, "openai_compatible", "http://localhost:11434/v1"),
        (
            {"type": "anthropic", "base_url": "https://api.anthropic.com/v1"},
            "anthropic",
            "https://api.anthropic.com/v1",
        ),
        ({"type": "google", "base_url": "https://generativelanguage.googleapis.com/v1"}, "gemini", None),
        ({"type": "google", "base_url": BASE}, "gemini", BASE),
        ({"type": "coze", "base_url": BASE}, "coze", BASE),
        ({"type": "cohere", "base_url": ""}, "openai_compatible", "https://api.cohere.ai/compatibility/v1"),
        (
            {"type": "azure_openai", "base_url": "https://r.openai.azure.com/openai/deployments/d"},
            "azure",
            "https://r.openai.azure.com/openai/deployments/d",
        ),
    ],
)
def test_each_type_has_its_kind(said, kind, base_url):
    after(unified(**said))
    upstream = build_snapshot().upstreams["env-unified"]
    assert (upstream.kind, upstream.base_url) == (kind, base_url)


def test_a_model_that_is_off_is_there_and_not_served():
    after(unified(enabled=False))
    assert build_snapshot().models == {}
    assert not ModelConfig.objects.get().enabled


def test_names_with_haiku_go_to_their_own_server():
    after(relay(haiku_model="small", haiku_base_url="http://127.0.0.1:10/v1", haiku_api_key="sk-2"))
    snapshot = build_snapshot()
    assert [model.name for model in snapshot.wildcards] == ["*haiku*", "*"]
    assert snapshot.wildcards[0].routes[0].model == "small"
    haiku = snapshot.upstreams["env-haiku"]
    assert (haiku.base_url, haiku.credentials[0].secret) == ("http://127.0.0.1:10/v1", "sk-2")
    assert not haiku.allow_caller_keys


def test_names_with_haiku_go_there_also_beside_a_program_that_serves_claude():
    after(Seeds(relay=Relay(base_url=BASE, haiku_model="small"), factory=Factory(api_key="fk")))
    names = [model.name for model in build_snapshot().wildcards]
    assert names == ["*haiku*", "claude-*", "gpt-*", "*"]


@pytest.mark.parametrize(
    ("said", "upstream", "model", "base_url", "key"),
    [
        ({"haiku_model": "small"}, "env-openai", "small", BASE, "sk-1"),
        ({"haiku_api_key": "sk-2"}, "env-haiku", "*", BASE, "sk-2"),
        ({"haiku_base_url": "http://127.0.0.1:10/v1"}, "env-haiku", "*", "http://127.0.0.1:10/v1", "sk-1"),
        ({"base_url": "", "haiku_base_url": BASE, "api_key": ""}, "env-haiku", "*", BASE, None),
    ],
)
def test_what_haiku_leaves_out_is_as_of_the_main_server(said, upstream, model, base_url, key):
    after(relay(**said))
    snapshot = build_snapshot()
    route = snapshot.wildcards[0].routes[0]
    found = snapshot.upstreams[upstream]
    assert (route.upstream, route.model, found.base_url) == (upstream, model, base_url)
    assert [credential.secret for credential in found.credentials] == ([key] if key else [])


def test_without_a_key_the_callers_own_goes_out():
    after(relay(api_key=""))
    assert build_snapshot().upstreams["env-openai"].allow_caller_keys
    after(relay(api_key="sk-1"))
    assert not build_snapshot().upstreams["env-openai"].allow_caller_keys


def test_a_gateway_is_not_made_to_ask_itself():
    for url in ("http://127.0.0.1:8000/v1", "http://localhost:8000"):
        found = after(relay(base_url=url))
        assert found.changes == []
        assert "own address" in found.told[0]


def test_two_programs_that_want_every_name_are_refused():
    with pytest.raises(ImproperlyConfigured, match="OPENAI_BASE_URL and ACTUAL_NAME"):
        after(Seeds(unified=Unified(), relay=Relay(base_url=BASE)))
    assert not Upstream.objects.exists()


# --- the operator's work ---------------------------------------------------------------------------------------------


def test_a_changed_variable_changes_its_column_and_no_other():
    after(unified())
    Upstream.objects.filter(name="env-unified").update(retries=7)
    UpstreamKey.objects.update(weight=5)
    assert after(unified(api_key="sk-2", base_url="http://127.0.0.1:10/v1")).changes == [
        "~ upstream env-unified: base_url",
        "~ upstream env-unified key API_KEY: value (changed)",
    ]
    upstream, key = Upstream.objects.get(), UpstreamKey.objects.get()
    assert (upstream.retries, upstream.base_url, key.weight, key.value.reveal()) == (
        7,
        "http://127.0.0.1:10/v1",
        5,
        "sk-2",
    )


def test_what_was_changed_in_the_console_stays_while_the_variable_does():
    after(unified(max_tokens=100))
    ModelConfig.objects.update(max_output_tokens=50, lenient=True)
    Upstream.objects.update(enabled=False)
    assert after(unified(max_tokens=100)).changes == []
    assert ModelConfig.objects.get().max_output_tokens == 50
    assert after(unified(max_tokens=200)).changes == ["~ model gpt-4: max_output_tokens"]
    assert ModelConfig.objects.get().lenient
    assert not Upstream.objects.get().enabled


def test_what_was_removed_in_the_console_stays_away_until_the_variable_changes():
    after(unified())
    UpstreamKey.objects.all().delete()
    assert after(unified()).changes == []
    assert after(unified(api_key="sk-2")).changes == ["+ upstream env-unified key API_KEY"]
    ModelConfig.objects.get().delete()
    Upstream.objects.get().delete()
    assert after(unified(api_key="sk-2")).changes == []
    assert not Upstream.objects.exists()


def test_afresh_sets_everything_again():
    after(unified(max_tokens=100))
    ModelConfig.objects.update(max_output_tokens=50)
    UpstreamKey.objects.all().delete()
    assert after(unified(max_tokens=100), afresh=True).changes == [
        "+ upstream env-unified key API_KEY",
        "~ model gpt-4: max_output_tokens",
    ]


def test_further_keys_and_routes_of_an_operator_stay():
    after(unified())
    upstream, model = Upstream.objects.get(), ModelConfig.objects.get()
    UpstreamKey.objects.create(upstream=upstream, name="mine", value="sk-mine")
    Route.objects.create(model=model, upstream=upstream, upstream_model="gpt-4-mini", priority=1)
    after(unified(api_key="sk-2", actual_name="gpt-5"))
    assert sorted(UpstreamKey.objects.values_list("name", flat=True)) == ["API_KEY", "mine"]
    assert sorted(Route.objects.values_list("upstream_model", flat=True)) == ["gpt-4-mini", "gpt-5"]


def test_a_renamed_model_keeps_what_was_done_to_it():
    after(unified())
    ModelConfig.objects.update(system_prompt="Be brief.")
    found = after(unified(actual_name="gpt-5"))
    assert found.changes[0] == "~ model gpt-4: is now gpt-5"
    model = ModelConfig.objects.get()
    assert (model.name, model.aliases, model.system_prompt) == ("gpt-5", ["*"], "Be brief.")
    assert [route.upstream_model for route in model.routes.all()] == ["gpt-5"]
    assert after(unified(actual_name="gpt-5")).changes == []


def test_an_operators_rows_of_the_same_name_are_left_alone_and_told():
    mine = Upstream.objects.create(name="env-unified", kind="anthropic")
    found = after(unified())
    mine.refresh_from_db()
    assert (mine.kind, mine.keys.count()) == ("anthropic", 0)
    assert "upstream env-unified was there before and stays as it is" in found.told


def test_a_name_that_an_operator_uses_is_not_taken_from_him():
    ModelConfig.objects.create(name="mine", aliases=["*"])
    found = after(unified())
    assert found.told == ["ACTUAL_NAME: the name * already belongs to the model mine"]
    assert ModelConfig.objects.get(name="gpt-4").aliases == []
    ModelConfig.objects.filter(name="mine").update(aliases=["*", "gpt-4"])
    ModelConfig.objects.get(name="gpt-4").delete()
    after(unified(), afresh=True)
    assert list(ModelConfig.objects.values_list("name", flat=True)) == ["mine"]


# --- variables that are gone -----------------------------------------------------------------------------------------


def test_what_is_no_longer_said_goes_while_it_is_as_it_was_made():
    after(Seeds(relay=Relay(base_url=BASE, api_key="sk-1", haiku_base_url=BASE), proxy_key="program-key"))
    assert after(Seeds()).changes == [
        "- model *",
        "- model *haiku*",
        "- upstream env-openai",
        "- upstream env-haiku",
        "- client env-proxy",
    ]
    assert [model.objects.count() for model in (Upstream, ModelConfig, Client)] == [0, 0, 0]
    assert after(Seeds()).changes == []


def test_what_was_changed_is_left_to_the_operator_and_no_longer_followed():
    after(relay())
    ModelConfig.objects.update(system_prompt="Be brief.")
    found = after(Seeds())
    assert found.changes == []
    assert found.told == [
        "model * is no longer in the environment; it was changed here, and is left to you",
        "upstream env-openai is no longer in the environment; something here still uses it, and it is left to you",
    ]
    assert after(Seeds()).told == []
    assert ModelConfig.objects.get().routes.get().upstream.name == "env-openai"


def test_an_upstream_with_an_operators_key_is_left_to_him():
    after(relay())
    UpstreamKey.objects.create(upstream=Upstream.objects.get(), name="mine", value="sk-mine")
    after(Seeds())
    assert Upstream.objects.get().keys.count() == 2


def test_another_program_takes_over_every_name_at_once():
    after(relay())
    assert "- model *" in after(unified()).changes
    assert build_snapshot().wildcards[0].name == "gpt-4"


# --- PROXY_API_KEY ---------------------------------------------------------------------------------------------------


def test_the_proxys_key_is_a_clients_key_as_it_is():
    after(Seeds(proxy_key="program-key"))
    assert build_snapshot().keys[digest("program-key")].client == "env-proxy"
    assert after(Seeds(proxy_key="another-key")).changes == ["~ client env-proxy key PROXY_API_KEY: value (changed)"]
    assert list(build_snapshot().keys) == [digest("another-key")]


def test_a_revoked_one_stays_revoked_while_it_is_the_same():
    after(Seeds(proxy_key="program-key"))
    ApiKey.objects.update(enabled=False)
    after(Seeds(proxy_key="program-key"))
    assert build_snapshot().keys[digest("program-key")].revoked


@pytest.mark.parametrize("key", ["short", "with a space in it", "schlüssel-und-mehr"])
def test_a_key_nobody_could_send_or_anybody_could_guess_is_refused_without_showing_it(key):
    with pytest.raises(ImproperlyConfigured, match="PROXY_API_KEY must have at least 8") as told:
        after(Seeds(proxy_key=key))
    assert key not in str(told.value)


def test_a_key_that_somebody_has_stays_his():
    row = ApiKey(client=Client.objects.create(name="alice"), name="laptop")
    row.take("program-key")
    row.save()
    assert after(Seeds(proxy_key="program-key")).told == ["PROXY_API_KEY is already a key here: alice/laptop"]
    assert build_snapshot().keys[digest("program-key")].client == "alice"


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_the_memory_holds_no_secret():
    after(Seeds(unified=Unified(actual_name="x", api_key="sk-canary", headers={"x-key": "canary-too"})))
    memory = AppliedEnvironment.objects.get()
    assert "canary" not in repr((memory.applied, memory.rows, memory.slots))
    assert memory.applied["upstream env-unified key API_KEY"]["weight"] == 1


def test_a_secret_nobody_can_read_any_more_is_replaced_when_it_changes(settings):
    after(unified())
    settings.DRAGOMAN_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    assert after(unified()).changes == []
    assert after(unified(api_key="sk-2")).changes == ["~ upstream env-unified key API_KEY: value (changed)"]
    assert UpstreamKey.objects.get().value.reveal() == "sk-2"


def test_what_the_database_refuses_is_told_with_the_variable():
    with pytest.raises(ImproperlyConfigured, match=r"BASE_URL cannot be used\. A base URL has no query"):
        after(unified(base_url="http://127.0.0.1:9/v1?key=1"))
    with pytest.raises(ImproperlyConfigured, match="ACTUAL_NAME cannot be used"):
        after(unified(actual_name="a*b*"))


def test_the_wish_for_nothing_names_nothing():
    assert wish_for(Seeds(), HERE).names() == []
