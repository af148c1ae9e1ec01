"""The description of all paths: valid, complete, open, and without a word to other hosts."""

from __future__ import annotations

import re

import pytest
import yaml
from drf_spectacular.validation import validate_schema

import proxyapp.api.management.urls
import proxyapp.api.urls
from proxyapp.api.management.schema import description

UNTOLD = re.compile(r"^(?!v1)|^v1/health$|^health/live$|^_demo/|tunedModels|^v1/models/<path:name>$")
"""Second addresses of the same, which the texts name, and the demo's own."""
PARAMETER = re.compile(r"<\w+:(\w+)>")


def told() -> set[str]:
    return {path.removeprefix("/") for path in description()["paths"]}


def test_the_description_is_valid_openapi():
    validate_schema(description())
    names = [operation["operationId"] for path in description()["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for path in description()["paths"].values() for operation in path.values())


def test_every_path_of_management_is_told():
    routes = {PARAMETER.sub(r"{\1}", str(pattern.pattern)) for pattern in proxyapp.api.management.urls.urlpatterns}
    routes = {route for route in routes if not route.endswith("/")}
    assert routes - told() == {"auth/{rest}", "schema", "docs", "redoc"}


def test_every_path_of_inference_is_told_and_no_other():
    routes = {str(pattern.pattern) for pattern in proxyapp.api.urls.urlpatterns}
    main = {PARAMETER.sub(r"{\1}", route) for route in routes if not UNTOLD.search(route)}
    assert main <= told()
    verbs = {path for path in told() if path.startswith("v1beta/models/{model}:")}
    known = {PARAMETER.sub(r"{\1}", route) for route in routes}
    assert told() - verbs - known == {"metrics", "auth/keys", "auth/keys/{key_id}", "auth/keys/{key_id}/rotate"}


def test_every_shape_that_is_referred_to_is_there():
    text = str(description())
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in description()["components"]["schemas"]


@pytest.mark.parametrize(
    ("query", "headers", "kind"),
    [
        ("", {}, "application/json"),
        ("?format=yaml", {}, "application/vnd.oai.openapi"),
        ("", {"accept": "application/vnd.oai.openapi"}, "application/vnd.oai.openapi"),
    ],
)
def test_programs_get_it_as_json_or_yaml(ask, query, headers, kind):
    answer = ask("GET", f"/schema{query}", **headers)
    assert (answer.status_code, answer["content-type"].partition(";")[0]) == (200, kind)
    assert yaml.safe_load(answer.content)["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", ["/docs", "/docs?script=", "/redoc", "/redoc?script="])
def test_the_pages_are_open_and_refer_to_this_host_alone(ask, path):
    answer = ask("GET", path)
    assert answer.status_code == 200
    assert not re.findall(r"(?:src[=:]|href=)\s*[\"'](?:https?:)?//[^\"']+", answer.content.decode())
    policy = answer["content-security-policy"]
    assert "script-src 'self';" in f"{policy};"
    assert "unsafe-eval" not in policy
