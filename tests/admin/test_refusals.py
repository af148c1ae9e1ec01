"""What the console refuses, in words at the field."""

import pytest

from proxyapp.models import ModelConfig, Route, Upstream
from tests.admin.conftest import ADD_MODEL, ADD_UPSTREAM, MODEL, UPSTREAM


def a_route(upstream, model, number=0):
    row = {"upstream": upstream.pk, "upstream_model": model, "priority": "0", "weight": "1", "enabled": "on"}
    return {"routes-TOTAL_FORMS": str(number + 1), **{f"routes-{number}-{name}": value for name, value in row.items()}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"retries": "101"}, "less than or equal to 100"),
        ({"timeout_total": "1e300"}, "less than or equal to 604800"),
        ({"keys-TOTAL_FORMS": "1", "keys-0-name": "a\x07b", "keys-0-value": "sk-1", "keys-0-weight": "1"},
         "A name is one line of text"),
        ({"keys-TOTAL_FORMS": "1", "keys-0-name": "a", "keys-0-value": "sk-1\nsk-2", "keys-0-weight": "1"},
         "A key is one line of text"),
        ({"base_url": "http://[::1"}, "The base URL cannot be read."),
        ({"headers": "[" * 100_000}, "Give a JSON object"),
    ],
)  # fmt: skip
def test_an_upstream_out_of_bounds_is_refused(olga, changes, sentence):
    assert sentence in olga.post(ADD_UPSTREAM, {**UPSTREAM, **changes}).content.decode()
    assert not Upstream.objects.exists()


@pytest.mark.parametrize("field", ["profile", "prices"])
def test_what_is_nested_too_deeply_is_refused(olga, field):
    answer = olga.post(ADD_MODEL, {**MODEL, field: "[" * 100_000})
    assert "Give a JSON object" in answer.content.decode()
    assert not ModelConfig.objects.exists()


@pytest.mark.parametrize("prices", ['{"input": Infinity}', '{"input": NaN}', '{"input": 1e12}', "[1]", "{"])
def test_prices_that_are_none_are_refused(olga, prices):
    html = olga.post(ADD_MODEL, {**MODEL, "prices": prices}).content.decode()
    assert any(words in html for words in ("A price is a number", "Prices are an object", "Give a JSON object"))
    assert not ModelConfig.objects.exists()


@pytest.mark.parametrize("names", [{"name": "plain"}, {"name": "claude-*", "aliases": "sonnet"}])
def test_a_star_in_a_route_needs_one_in_every_name_of_its_model(olga, rows, names):
    form = {**MODEL, **names, **a_route(rows["upstream"], "claude-*")}
    html = olga.post(ADD_MODEL, form).content.decode()
    assert "A * stands for what the one in the model&#x27;s name matched" in html
    assert Route.objects.count() == 1
    assert olga.post(ADD_MODEL, {**form, "name": "claude-*", "aliases": ""}).status_code == 302


def test_an_alias_may_not_take_a_routes_star_away_later(olga, rows):
    model = ModelConfig.objects.create(name="gpt-*")
    route = Route.objects.create(model=model, upstream=rows["upstream"], upstream_model="gpt-*")
    form = {**MODEL, "name": "gpt-*", "aliases": "best", **a_route(rows["upstream"], "gpt-*")}
    form |= {"routes-INITIAL_FORMS": "1", "routes-0-id": route.pk, "routes-0-model": model.pk}
    page = f"/admin/proxyapp/modelconfig/{model.pk}/change/"
    assert "has none." in olga.post(page, form).content.decode()
    assert olga.post(page, {**form, "aliases": ""}).status_code == 302


def test_a_clients_name_is_one_line(olga):
    form = {"name": "a\nb", "enabled": "on", "budget_per": "month", "history_bodies": "default"}
    assert "A name is one line of text" in olga.post("/admin/accounts/client/add/", form).content.decode()
