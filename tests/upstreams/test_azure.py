"""Azure's addresses as people write them, its two forms of a credential, and what is known of a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.errors import NoHealthyUpstream
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.registry import KINDS

AZURE = KINDS["azure"]
HOST = "https://res.openai.azure.com"
FOUNDRY = "https://res.services.ai.azure.com"
DATED = "?api-version=2025-04-01-preview"
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2FpLmF6dXJlLmNvbSJ9.c2ln-_bmF0dXJl"


def an_azure(base_url: str | None, **more: Any) -> Upstream:
    return Upstream(name="az", kind="azure", base_url=base_url, **more)


def url(base_url: str, version: str | None = None, dialect: str = "openai-chat", model: str = "my-gpt") -> str:
    return AZURE.url(an_azure(base_url, api_version=version), model, dialect=dialect, stream=False)


@pytest.mark.parametrize(
    ("base", "version", "expected"),
    [
        (HOST, None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1/", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1/chat/completions", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1/responses", None, f"{HOST}/openai/v1/chat/completions"),
        (HOST, "v1", f"{HOST}/openai/v1/chat/completions"),
        (HOST, "preview", f"{HOST}/openai/v1/chat/completions?api-version=preview"),
        (f"{HOST}/openai/v1?api-version=preview", None, f"{HOST}/openai/v1/chat/completions?api-version=preview"),
        (f"{HOST}/openai/v1", "2024-10-21", f"{HOST}/openai/v1/chat/completions"),
        (HOST, "2024-10-21", f"{HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"),
        (f"{HOST}/openai", "2024-10-21", f"{HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"),
        (f"{HOST}/openai/deployments", None, f"{HOST}/openai/deployments/my-gpt/chat/completions{DATED}"),
        (f"{HOST}/openai/deployments/d1", None, f"{HOST}/openai/deployments/d1/chat/completions{DATED}"),
        (f"{HOST}/openai/deployments/d1/", "2024-06-01", f"{HOST}/openai/deployments/d1/chat/completions"
         "?api-version=2024-06-01"),
        (f"{HOST}/openai/deployments/d1/chat/completions?api-version=2025-01-01-preview", None,
         f"{HOST}/openai/deployments/d1/chat/completions?api-version=2025-01-01-preview"),
        (f"{HOST}/openai/responses?api-version=2025-03-01-preview", None,
         f"{HOST}/openai/deployments/my-gpt/chat/completions?api-version=2025-03-01-preview"),
        (f"{FOUNDRY}/api/projects/p", None, f"{FOUNDRY}/api/projects/p/openai/v1/chat/completions"),
        (f"{FOUNDRY}/models", None, f"{FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview"),
        (f"{FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview", None,
         f"{FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview"),
        (f"https://relay.example/{HOST}/openai/deployments/d1", None,
         f"https://relay.example/{HOST}/openai/deployments/d1/chat/completions{DATED}"),
    ],
)  # fmt: skip
def test_an_address_of_azure_is_taken_as_people_write_it(base, version, expected):
    assert url(base, version) == expected


@pytest.mark.parametrize(
    ("base", "version", "expected"),
    [
        (HOST, None, f"{HOST}/openai/v1/responses"),
        (HOST, "2025-03-01-preview", f"{HOST}/openai/responses?api-version=2025-03-01-preview"),
        (f"{HOST}/openai/deployments/d1", None, f"{HOST}/openai/responses{DATED}"),
    ],
)
def test_responses_are_at_the_resource_and_not_at_a_deployment(base, version, expected):
    assert url(base, version, dialect="openai-responses") == expected


def test_a_deployment_with_odd_letters_stays_one_segment_of_the_path():
    assert "/deployments/team%2Fgpt%204o/chat" in url(HOST, "2024-10-21", model="team/gpt 4o")


@pytest.mark.parametrize(
    ("base", "api", "caller", "expected"),
    [
        (HOST, None, "openai-chat", "openai-chat"),
        (HOST, None, "openai-responses", "openai-responses"),
        (HOST, None, "anthropic-messages", "openai-chat"),
        (HOST, "responses", "openai-chat", "openai-responses"),
        (HOST, "chat", "openai-responses", "openai-chat"),
        (f"{HOST}/openai/deployments/d1", None, "openai-responses", "openai-chat"),
        (f"{HOST}/openai/deployments/d1", "responses", "openai-chat", "openai-responses"),
        (f"{FOUNDRY}/models", None, "openai-responses", "openai-chat"),
    ],
)
def test_which_of_its_two_dialects_azure_speaks(base, api, caller, expected):
    assert AZURE.dialect(an_azure(base, api=api), "d1", caller) == expected


def test_a_version_with_a_date_speaks_chat_unless_told_otherwise():
    dated = an_azure(HOST, api_version="2024-10-21")
    assert AZURE.dialect(dated, "d1", "openai-responses") == "openai-chat"
    assert AZURE.dialect(an_azure(HOST, api_version="preview"), "d1", "openai-responses") == "openai-responses"


def test_azure_has_no_address_of_its_own():
    with pytest.raises(NoHealthyUpstream):
        AZURE.url(an_azure(None), "m", dialect="openai-chat", stream=False)


def test_a_key_goes_out_as_api_key_and_a_token_as_bearer():
    key = "0123456789abcdef0123456789abcdef"
    assert AZURE.headers(an_azure(HOST), key, Sending()) == {"api-key": key}
    assert AZURE.headers(an_azure(HOST), TOKEN, Sending()) == {"authorization": f"Bearer {TOKEN}"}
    assert AZURE.headers(an_azure(HOST), None, Sending(caller={"idempotency-key": "1"})) == {"idempotency-key": "1"}


@pytest.mark.parametrize(
    ("deployment", "effort", "sampling", "schema"),
    [
        ("gpt-4o", False, True, True),
        ("team-GPT-4o-eu", False, True, True),
        ("gpt-35-turbo", False, True, False),
        ("gpt-4", False, True, False),
        ("gpt-4.1-mini", False, True, True),
        ("o3-mini", True, False, True),
        ("prod-o4-mini", True, False, True),
        ("gpt-5", True, False, True),
        ("gpt-5.2-codex", True, False, True),
        ("gpt-6", True, False, True),
        ("foo4", False, True, True),
        ("production", False, True, True),
    ],
)
def test_a_deployments_name_tells_what_it_can_do_when_it_can(deployment, effort, sampling, schema):
    profile = AZURE.profile(an_azure(HOST), deployment)
    assert (profile.reasoning_effort, profile.sampling, profile.structured_output) == (effort, sampling, schema)
    assert profile.max_tokens_field == "max_completion_tokens"
    assert not profile.developer_role
    assert not profile.safety_identifier


def test_the_deployment_in_the_address_tells_too():
    in_address = f"{HOST}/openai/deployments/my-o3"
    assert AZURE.profile(an_azure(in_address), "anything").reasoning_effort
    assert AZURE.profile(an_azure(in_address), "gpt-4").reasoning_effort, "the route's model is what callers ask for"
    assert AZURE.profile(an_azure(f"{HOST}/openai/deployments/prod"), "o3-mini").reasoning_effort


def test_addresses_with_a_date_get_no_fields_that_came_later():
    assert AZURE.profile(an_azure(HOST), "gpt-4o").metadata
    dated = AZURE.profile(an_azure(HOST, api_version="2024-10-21"), "gpt-5")
    assert (dated.metadata, dated.custom_tools, dated.usage_in_stream) == (False, False, True)
    assert not AZURE.profile(an_azure(HOST, api_version="2024-06-01"), "gpt-4o").usage_in_stream


def test_models_of_other_makers_at_foundrys_address_take_the_older_limit():
    inference = an_azure(f"{FOUNDRY}/models")
    assert AZURE.profile(inference, "Llama-3.3-70B-Instruct").max_tokens_field == "max_tokens"
    assert AZURE.profile(inference, "gpt-4o").max_tokens_field == "max_completion_tokens"


def test_other_operations_stand_where_inference_does():
    def address(base: str, operation: str) -> str | None:
        return KINDS["azure"].operation_url(Upstream(name="u", kind="azure", base_url=base), "small", operation)

    resource = "https://r.openai.azure.com"
    dated = "?api-version=2025-04-01-preview"
    assert address(resource, "embeddings") == f"{resource}/openai/v1/embeddings"
    assert address(f"{resource}/openai/deployments{dated}", "embeddings") == (
        f"{resource}/openai/deployments/small/embeddings{dated}"
    )
    assert address(f"{resource}/openai/deployments/big/chat/completions{dated}", "audio/speech") == (
        f"{resource}/openai/deployments/big/audio/speech{dated}"
    )
    assert address(f"{resource}/models", "embeddings") == f"{resource}/models/embeddings?api-version=2024-05-01-preview"
    assert address(f"{resource}/models", "audio/speech") is None
    assert address(resource, "moderations") is None
