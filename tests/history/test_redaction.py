"""What leaves a body before it is stored, and what must not."""

import base64
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyapp.history.redaction import Redactor, redact

SECRETS = [
    "sk-dg-" + "Zb3_k9-Qw7LmN0pRsTuVwXyZaBcDeFgHiJkLmNoPqRs",
    "sk-proj-4fGh_2kLmN8pQrStUvWxYzAbCdEf",
    "sk-ant-api03-Zk3jH8fQ2mN7pL5rT9vX1yB4dG6wC0sA-AA",
    "sk-abcdefghijklmnopqrstuvwxyz",
    "fk-7Hq2LmN8pQrStUvWxYz",
    "AIzaSyD4f8Gh2JkLm9NpQrStUvWxYz01234567a",
    "gsk_9fGh2kLmN8pQrStUvWxYzAbCdEf",
    "xai-7fGh2kLmN8pQrStUvWxYzAbCdEf",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
]
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo\n4lgOEePzNm0tRgeLezV6ffAt0g==\n"
    "-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around",
    ['{"key": "%s"}', "%s", "use %s.", "/v1/models/%s:generateContent", "a\n%s\nb", "(%s)", "x=%s", "'%s'", "k:%s,"],
)
def test_a_secret_goes_wherever_it_stands(secret, around):
    assert redact((around % secret).encode()) == (around % "[redacted]").encode()


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_goes_also_from_json_inside_json_inside_json(secret):
    text = f"first line\n{secret}\n\t{secret} & more"
    for _ in range(3):
        text = json.dumps({"text": text})
        redacted = redact(text.encode())
        assert secret.encode() not in redacted
        assert json.loads(redacted)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", [rb"\u0026", rb"\u003d", b"%20", b"%3D"])
def test_a_secret_goes_after_an_escape_of_json_or_of_a_url(secret, before):
    assert redact(b'"' + before + secret.encode() + b'"') == b'"' + before + b'[redacted]"'


def test_a_gateway_key_goes_even_when_it_was_cut_or_is_glued_to_a_word():
    assert redact(b'{"model": "sk-dg-Zb3_k9-Q') == b'{"model": "[redacted]'
    assert redact(b"keysk-dg-Zb3_k9-Qw7LmN0pRsTu") == b"key[redacted]"


def test_bearer_tokens_keep_the_word_and_lose_the_token():
    assert redact(b"Authorization: Bearer eyJhbGciOi.J9_x-y~z+/==") == b"Authorization: Bearer [redacted]"
    assert redact(rb'"bearer a1b2\/c3d4\/e5f6"') == b'"bearer [redacted]"'
    assert redact(rb'"\bearer a1b2c3d4e5"') == rb'"\bearer [redacted]"'


def test_the_key_of_a_url_goes():
    assert redact(b"POST /v1beta/models/g:count?alt=sse&key=hello HTTP/1.1") == (
        b"POST /v1beta/models/g:count?alt=sse&key=[redacted] HTTP/1.1"
    )
    assert redact(rb'"https://h/p?key=abc\u0026key=d&amp;key=e"') == (
        rb'"https://h/p?key=[redacted]\u0026key=[redacted]&amp;key=[redacted]"'
    )


def test_private_keys_go_whole_escaped_or_not():
    for text in (PEM, PEM.replace("RSA ", "")):
        assert redact(text.encode()) == b"[redacted]"
        assert json.loads(redact(json.dumps({"a": text, "b": 1}).encode())) == {"a": "[redacted]", "b": 1}
        twice = json.dumps(json.dumps({"a": text, "b": 1}))
        assert json.loads(json.loads(redact(twice.encode()))) == {"a": "[redacted]", "b": 1}
        assert redact(text.replace("\n", "\r\n").replace("/", "\\/").encode()) == b"[redacted]"


def test_a_private_key_that_was_cut_goes_up_to_the_cut():
    cut = PEM[:80].encode()
    assert redact(cut) == b"[redacted]"
    assert b"MIIE" not in redact(json.dumps(PEM[:80]).encode())


@pytest.mark.parametrize(
    "ordinary",
    [
        "sk-learn and scikit-learn, sk-learn-contrib-imbalanced-learn",
        "the task-force-for-international-cooperation-2024-11-30",
        "disk-usage-report-0123456789abcdef, risk-assessment-9876543210ABCDEF",
        "fk-constraint, a fk-to-another-table-in-the-schema",
        "xai-explainability-methods-survey",
        "Bearer authentication with bearer tokens, Bearer $TOKEN",
        "monkey=1, ?monkey=banana, primary_key=True",
        "if line == '': # -----BEGIN CERTIFICATE-----",
        "AIzawa, MAKING, AKIA is a prefix, AKIAXYZ",
        "gsk_test, ghp_, github_pat_ and sk-...",
        "sk-ein, sk-",
    ],
)
def test_ordinary_words_stay(ordinary):
    assert redact(ordinary.encode()) == ordinary.encode()


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_never_damaged(encode):
    source = random.Random(7)
    for _ in range(20):
        data = b'{"data": "' + encode(source.randbytes(300_000)) + b'"}'
        assert redact(data) is data


def test_base64_that_holds_a_beginning_by_chance_is_not_damaged():
    filler = base64.b64encode(random.Random(8).randbytes(60)).replace(b"=", b"")
    for beginning in (b"AIza", b"AKIA", b"/AKIA", b"+AIza", b"/AIza"):
        data = b'"' + filler + beginning + filler.upper() + filler + b'"'
        assert redact(data) == data


def test_exact_secrets_can_be_registered():
    redactor = Redactor(extra=['pa"ss-word', "12345678", "short", b"another-secret"])
    assert redactor(json.dumps({"a": 'x pa"ss-word y', "n": 12345678}).encode()) == (
        b'{"a": "x [redacted] y", "n": 12345678}'
    )
    assert redactor(b'pa"ss-word short another-secret') == b"[redacted] short [redacted]"
    assert redactor(rb'"\another-secret"') == rb'"\a[redacted]"'
    assert redactor(rb'"\\another-secret"') == rb'"\\[redacted]"'
    redactor.register([])
    assert redactor(b"another-secret") == b"another-secret"


def test_overlapping_secrets_leave_nothing_behind():
    redactor = Redactor(extra=["Bearer sk-dg-Zb3_k9-Qw7LmN0pR", "wXyZ-tail"])
    assert redactor(b"Bearer sk-dg-Zb3_k9-Qw7LmN0pRsTuVwXyZ-tail") == b"[redacted]"


_pieces = st.one_of(
    st.sampled_from(
        [*SECRETS, PEM, "Bearer ", "bearer a1b2c3d4", "?key=", "&key=v", "sk-", "fk-", "\\", '"', "\n", "\f"]
    ),
    st.text(max_size=8),
)
_texts = st.lists(_pieces, max_size=6).map("".join)
_values = st.recursive(
    st.one_of(_texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(value=_values, ascii_only=st.booleans(), nested=st.integers(0, 2))
def test_json_stays_json(value, ascii_only, nested):
    text = json.dumps(value, ensure_ascii=ascii_only)
    for _ in range(nested):
        text = json.dumps(text, ensure_ascii=ascii_only)
    redacted = redact(text.encode("utf-8", "surrogatepass"))
    redacted.decode("utf-8", "surrogatepass")
    shape = json.loads(redacted)
    assert type(shape) is type(json.loads(text))
    assert not any(secret.encode() in redacted for secret in SECRETS if secret.startswith("sk-dg-"))


@pytest.mark.parametrize(
    "hostile",
    [
        b"sk-dg-" * 20_000,
        b"sk-a-" * 20_000,
        b"?key=" * 20_000,
        b"earer a" * 15_000,
        b"-----BEGIN PRIVATE KEY-----" * 4_000,
        b"-----BEGIN PRIVATE KEY-----" + b"A" * 50_000 + b"-" * 50_000,
        b"-----BEGIN PRIVATE KEY-----" + b"a b" * 30_000,
        b" sk-" + b"a-" * 50_000,
        b"/AIza" * 20_000,
        b"\\" * 100_000,
        b"-----BEGIN PRIVATE KEY-----" + b"\\" * 70_000,
        b" Bearer " + b"a." * 50_000,
    ],
)
def test_no_input_hangs_the_redactor(hostile):
    # A pattern that backtracks without end would never come back; what a body costs is in bench/.
    assert redact(redact(hostile)) == redact(hostile)
