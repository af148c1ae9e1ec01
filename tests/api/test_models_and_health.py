"""The model lists in three shapes, only what the key may use; health for machines."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from anthropic.types import ModelInfo

from proxyapp import wiring
from proxyapp.engine.identify import digest
from proxyapp.engine.snapshot import Model, Route, Snapshot
from tests.asgi import ask
from tests.engine.conftest import KEY, a_key, an_upstream

AUTH = {"authorization": f"Bearer {KEY}"}


def snapshot(**rights) -> Snapshot:
    route = (Route("up", "x"),)
    models = {f"model-{i:02}": Model(name=f"model-{i:02}", routes=route, created=1700000000) for i in range(30)}
    models["vendor/with/slashes"] = Model(name="vendor/with/slashes", routes=route)
    wild = (Model(name="claude-*", routes=route),)
    return Snapshot(
        keys={digest(KEY): a_key(**rights)},
        models=models,
        wildcards=wild,
        upstreams={"up": an_upstream("up", "http://127.0.0.1:9")},
    )


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
async def test_openais_list(serve_snapshot, app, path):
    serve_snapshot(snapshot())
    got = await ask(app, "GET", path, **AUTH)
    assert got.status == 200
    assert got.json["object"] == "list"
    assert len(got.json["data"]) == 31
    assert got.json["data"][0] == {"id": "model-00", "object": "model", "created": 1700000000, "owned_by": "dragoman"}


async def test_xl_212_anthropics_list_comes_in_pages(serve_snapshot, app):
    serve_snapshot(snapshot())
    version = {"anthropic-version": "2023-06-01"}
    first = (await ask(app, "GET", "/v1/models", x_api_key=KEY, **version)).json
    assert (len(first["data"]), first["has_more"], first["first_id"]) == (20, True, "model-00")
    assert first["data"][0]["created_at"] == "2023-11-14T22:13:20Z"
    second = (await ask(app, "GET", f"/v1/models?after_id={first['last_id']}", x_api_key=KEY, **version)).json
    assert (len(second["data"]), second["has_more"]) == (11, False)
    back = (await ask(app, "GET", f"/v1/models?before_id={second['first_id']}&limit=5", x_api_key=KEY, **version)).json
    assert [item["id"] for item in back["data"]] == [f"model-{i}" for i in range(15, 20)]
    assert (await ask(app, "GET", "/v1/models?limit=1000", x_api_key=KEY, **version)).json["has_more"] is False
    assert (await ask(app, "GET", "/v1/models?limit=0", x_api_key=KEY, **version)).status == 400


async def test_anthropics_items_parse_with_the_newest_sdk_and_say_what_is_known(serve_snapshot, app):
    claude = {
        "claude-opus-4-6": Model(name="claude-opus-4-6", routes=(Route("claude", "claude-opus-4-6"),)),
        "gpt-4o": Model(name="gpt-4o", routes=(Route("up", "gpt-4o"),)),
    }
    ups = {
        "claude": an_upstream("claude", "http://127.0.0.1:9", "anthropic-messages"),
        "up": an_upstream("up", "http://127.0.0.1:9"),
    }
    serve_snapshot(Snapshot(keys={digest(KEY): a_key()}, models=claude, upstreams=ups))
    version = {"anthropic-version": "2023-06-01"}
    page = (await ask(app, "GET", "/v1/models", x_api_key=KEY, **version)).json
    opus, other = (ModelInfo.model_validate(item, strict=False) for item in page["data"])
    assert (opus.max_tokens, opus.lifecycle, opus.line) == (128_000, "active", "opus")
    assert opus.capabilities is not None
    assert opus.capabilities.thinking.types.adaptive.supported
    assert not opus.capabilities.effort.xhigh.supported
    assert (other.capabilities, other.line, other.max_input_tokens) == (None, None, None)
    assert other.created_at.year == 1970  # Anthropic's own word for a time that is not known
    retired = (await ask(app, "GET", "/v1/models?lifecycle[]=retired", x_api_key=KEY, **version)).json
    assert (retired["data"], retired["has_more"]) == ([], False)


def gemini_paths() -> list[tuple[str, dict[str, str]]]:
    return [
        ("/v1beta/models", {"x-goog-api-key": KEY}),
        ("/v1/models", {"x-goog-api-key": KEY}),
        (f"/v1/models?key={KEY}", {}),
        ("/v1beta/models", AUTH),
    ]


@pytest.mark.parametrize(("path", "headers"), gemini_paths())
async def test_xl_211_geminis_list_names_models_as_google_does(serve_snapshot, app, path, headers):
    known = snapshot()
    embed = Model(name="text-embedding-3-small", routes=(Route("up", "text-embedding-3-small"),))
    serve_snapshot(msgspec.structs.replace(known, models={**known.models, embed.name: embed}))
    got = (await ask(app, "GET", path, **headers)).json
    assert len(got["models"]) == 32
    assert "nextPageToken" not in got
    first, last = got["models"][0], got["models"][-2]
    assert first["name"] == "models/model-00"
    assert first["supportedGenerationMethods"] == ["generateContent", "streamGenerateContent", "countTokens"]
    assert (last["name"], last["supportedGenerationMethods"][0]) == ("models/text-embedding-3-small", "embedContent")


async def test_geminis_list_comes_in_pages(serve_snapshot, app):
    serve_snapshot(snapshot())
    first = (await ask(app, "GET", "/v1beta/models?pageSize=20", **AUTH)).json
    assert (len(first["models"]), first["nextPageToken"]) == (20, "model-19")
    second = (await ask(app, "GET", f"/v1beta/models?pageSize=20&pageToken={first['nextPageToken']}", **AUTH)).json
    assert [m["name"] for m in first["models"] + second["models"]][-1] == "models/vendor/with/slashes"
    assert "nextPageToken" not in second
    assert (await ask(app, "GET", "/v1beta/models?pageToken=made-up", **AUTH)).status == 400
    assert (await ask(app, "GET", "/v1beta/models?pageSize=0", **AUTH)).status == 400


async def test_one_model_in_geminis_shape(serve_snapshot, app):
    serve_snapshot(snapshot())
    got = await ask(app, "GET", "/v1beta/models/claude-sonnet-4-5", **AUTH)
    assert got.json["name"] == "models/claude-sonnet-4-5"
    assert (
        (await ask(app, "GET", "/v1/models/vendor/with/slashes", x_goog_api_key=KEY)).json["name"].endswith("slashes")
    )
    assert (await ask(app, "GET", "/v1beta/models/nope", **AUTH)).status == 404


async def test_one_model_also_with_slashes_in_its_name(serve_snapshot, app):
    serve_snapshot(snapshot())
    assert (await ask(app, "GET", "/v1/models/vendor/with/slashes", **AUTH)).json["id"] == "vendor/with/slashes"
    assert (await ask(app, "GET", "/v1/models/claude-opus-5", **AUTH)).json["id"] == "claude-opus-5"
    missing = await ask(app, "GET", "/v1/models/nope", **AUTH)
    assert (missing.status, missing.json["error"]["code"]) == (404, "model_not_found")


async def test_faults_at_the_models_come_in_the_shape_of_their_caller(serve_snapshot, app):
    serve_snapshot(snapshot())
    version = {"anthropic-version": "2026-10-21"}
    missing = await ask(app, "GET", "/v1/models/nope", x_api_key=KEY, **version)
    assert (missing.status, missing.json["type"], missing.json["error"]["type"]) == (404, "error", "not_found_error")
    assert missing.headers["request-id"] == missing.headers["x-request-id"] == missing.json["request_id"]
    nobody = await ask(app, "GET", "/v1/models", **version)
    assert (nobody.status, nobody.json["error"]["type"]) == (401, "authentication_error")
    assert (await ask(app, "GET", "/v1/models")).json["error"]["code"] == "invalid_api_key"


async def test_only_what_the_key_may_use_is_listed(serve_snapshot, app):
    serve_snapshot(snapshot(models=("model-0*",)))
    listed = (await ask(app, "GET", "/v1/models", **AUTH)).json["data"]
    assert [item["id"] for item in listed] == [f"model-0{i}" for i in range(10)]
    assert (await ask(app, "GET", "/v1/models/model-11", **AUTH)).status == 404


async def test_a_stranger_sees_no_list(serve_snapshot, app):
    serve_snapshot(snapshot())
    assert (await ask(app, "GET", "/v1/models")).status == 401


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/health/live"])
async def test_health_is_open_and_says_little(serve_snapshot, app, path):
    serve_snapshot(snapshot())
    got = await ask(app, "GET", path)
    assert got.status == 200
    assert set(got.json) == {"status", "timestamp", "uptime"}
    assert got.json["status"] == "healthy"
    assert got.json["timestamp"].endswith("Z")


async def test_readiness_names_what_fails(serve_snapshot, app):
    serve_snapshot(snapshot())
    assert (await ask(app, "GET", "/health/ready")).status == 200
    wiring._worker.watcher = SimpleNamespace(healthy=False)
    got = await ask(app, "GET", "/health/ready")
    assert (got.status, got.json) == (503, {"status": "unready", "failing": ["database"]})
