"""The console's pages of the history: who may see what, and that nothing of what callers send is ever alive there."""

import re
import time
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proxyapp.engine.record import AttemptRecord, Content
from proxyapp.history.rows import interrupted, to_rows
from proxyapp.history.store import store
from proxyapp.models import RequestContent, RequestLog

pytestmark = pytest.mark.django_db

LIST = "/admin/proxyapp/requestlog/"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"`{{ 7|add:7 }}{% now 'Y' %}&lt;"
ALIVE = ("<script>alert", "<img src=x", "onerror=alert(2)>'\"")


def signed_in(name, *permissions, **flags):
    user = get_user_model().objects.create(username=name, **flags)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def olga(db):
    """May do everything."""
    return signed_in("olga", is_staff=True, is_superuser=True)


@pytest.fixture
def rita(db):
    """May see requests and read bodies."""
    return signed_in("rita", "view_requestlog", "view_requestcontent", is_staff=True)


@pytest.fixture
def victor(db):
    """May see requests, not their bodies."""
    return signed_in("victor", "view_requestlog", is_staff=True)


@pytest.fixture
def sam(db):
    """Staff without rights."""
    return signed_in("sam", is_staff=True)


@pytest.fixture
def carl(db):
    """Signed in, no staff, with permissions that shall not help him."""
    return signed_in("carl", "view_requestlog", "view_requestcontent")


@pytest.fixture
def put(an_exchange):
    """Stores an exchange and gives its row."""

    def stored(number=1, **changes):
        changes.setdefault("begun", {}).setdefault("started", timezone.now().timestamp() - 5 + number / 1000)
        store([to_rows(an_exchange(number, **changes))])
        return RequestLog.objects.get(request_id=f"{number:032x}")

    return stored


def page_of(log):
    return reverse("admin:proxyapp_requestlog_change", args=[log.pk])


def layer_of(log, name="client_request"):
    return reverse("admin:proxyapp_requestlog_layer", args=[log.pk, name])


def test_strangers_see_nothing(put, carl, sam):
    log = put()
    for url in (LIST, page_of(log), layer_of(log)):
        assert Client().get(url).status_code == 302
        assert carl.get(url).status_code == 302
        assert sam.get(url).status_code == 403


def test_bodies_need_a_permission_of_their_own(put, victor, rita, olga):
    log = put(content=Content(client_request=b'{"secret plan": 1}'))
    seen = victor.get(page_of(log)).content.decode()
    assert "secret plan" not in seen
    assert "history-forbidden" in seen
    assert victor.get(layer_of(log)).status_code == 403
    assert victor.get(LIST).status_code == 200
    for reader in (rita, olga):
        assert "secret plan" in reader.get(page_of(log)).content.decode()
        assert reader.get(layer_of(log)).content == b'{"secret plan": 1}'


def test_the_right_to_read_bodies_alone_opens_nothing(put, db):
    only_bodies = signed_in("oscar", "view_requestcontent", is_staff=True)
    log = put()
    for url in (LIST, page_of(log), layer_of(log)):
        assert only_bodies.get(url).status_code == 403


def test_nobody_can_change_add_or_delete(put, olga):
    log = put()
    assert olga.get(f"{LIST}add/").status_code == 403
    assert olga.get(f"{LIST}{log.pk}/delete/").status_code == 403
    olga.post(page_of(log), {"client": "mallory"})
    olga.post(LIST, {"action": "delete_selected", "_selected_action": [log.pk]})
    assert RequestLog.objects.get().client == "alice"


def test_the_list_shows_what_matters(put, victor):
    put(1, begun={"stream": True})
    put(2, outcome="error", status=502, error="upstream_broken", upstream="", upstream_model="", cache_read=None)
    put(3, outcome="partial", fresh_input=None, cache_read=None, output=None, first_byte_ms=None)
    text = victor.get(LIST).content.decode()
    for expected in (">claude-sonnet-4-5<", ">→ anthropic: claude-sonnet-4-5-20250929<", ">15 / 7<", ">5 cached<",
                     ">1.2 s<", ">first byte 321 ms<", ">502<", ">upstream_broken<", ">alice<", ">laptop<", "? / ?",
                     "3 requests", "partial", "bg-red-100", "bg-green-100"):  # fmt: skip
        assert expected in text, expected


def test_a_row_leads_to_its_request_and_a_filter_shows_what_is_chosen(put, victor):
    log = put(1)
    text = victor.get(f"{LIST}?client=alice&upstream=gone").content.decode()
    assert '<option value="alice" selected>alice</option>' in text
    assert '<option value="gone" selected>gone</option>' in text
    text = victor.get(f"{LIST}?client=alice").content.decode()
    link = re.search(rf'href="({LIST}{log.pk}/change/[^"]*)"', text)[1]
    assert "client%3Dalice" in link
    assert victor.get(link).status_code == 200


def test_the_columns_have_names_also_on_small_screens(put, victor):
    put(1)
    text = victor.get(LIST).content.decode()
    for name in ("Time (UTC)", "Outcome", "Client", "Tokens in / out", "Duration", "Status"):
        assert re.search(rf"<th [^>]*>{re.escape(name)}</th>", text), name
        assert f'data-label="{name}"' in text


def rows_in(response):
    return [row.request_id for row in response.context["cl"].result_list]


def test_pages_lead_on_and_back(put, victor):
    for number in range(1, 121):
        put(number)
    url, seen = LIST, []
    for _ in range(3):
        response = victor.get(url)
        seen += rows_in(response)
        assert response.content.decode().count('rel="next"') == (len(seen) < 120)
        older = re.search(r'href="(\?[^"]*before=[^"]*)" rel="next"', response.content.decode())
        url = LIST + older[1].replace("&amp;", "&") if older else None
    assert seen == [f"{number:032x}" for number in range(120, 0, -1)]
    newer = re.search(r'href="(\?[^"]*after=[^"]*)" rel="prev"', response.content.decode())
    assert rows_in(victor.get(LIST + newer[1])) == seen[50:100]
    assert "120 requests" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=error", {2}),
        ("client=bob", {3}),
        ("client=nobody", set()),
        ("model=gpt-5", {2}),
        ("upstream=azure", {3}),
        ("dialect=gemini", {4}),
        ("window=1h", {1, 2, 3}),
        ("window=nonsense", {1, 2, 3, 4}),
        ("outcome=ok&client=alice", {1, 4}),
        ("q=mine-3", {3}),
        ("q=gpt", {2}),
        ("q=SONNET&outcome=ok&client=bob", {3}),
        ("q=000000000000000000000000000000", {1, 2, 3, 4}),
        ("q=00000000000000000000000000000004", {4}),
        ("q=nothing", set()),
        ("client=%00", set()),
        ("model=a%00b", set()),
        ("q=%00", {1, 2, 3, 4}),
        ("before=nonsense", {1, 2, 3, 4}),
        ("before=99999999999999999999-1", {1, 2, 3, 4}),
        ("before=1-99999999999999999999", {1, 2, 3, 4}),
        ("p=7&all=&o=1.2", {1, 2, 3, 4}),
    ],
)
def test_filters_and_search(put, victor, query, expected):
    put(1)
    put(2, outcome="error", begun={"model": "gpt-5"})
    put(3, upstream="azure", begun={"client": "bob", "caller_request_id": "mine-3"})
    put(4, begun={"dialect": "gemini", "started": (timezone.now() - timedelta(days=2)).timestamp()})
    response = victor.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert {int(name, 16) for name in rows_in(response)} == expected


def test_a_filter_keeps_its_place_on_further_pages(put, victor):
    for number in range(1, 61):
        put(number, outcome="error" if number % 60 else "ok")
    response = victor.get(f"{LIST}?outcome=error&q=claude")
    link = response.context["cl"].older_link
    assert "outcome=error" in link
    assert "q=claude" in link
    assert len(rows_in(victor.get(LIST + link))) == 9


def test_unknown_lookups_are_refused(put, victor):
    put()
    response = victor.get(f"{LIST}?content__client_request__contains=x")
    assert response.status_code in (302, 400)


def test_the_list_costs_a_handful_of_queries(put, victor, django_assert_max_num_queries):
    for number in range(1, 60):
        put(number)
    victor.get(LIST)
    with django_assert_max_num_queries(14):
        victor.get(LIST)


def test_the_detail_page_tells_the_whole_story(put, rita):
    log = put(
        5,
        begun={"stream": True, "caller_request_id": "mine", "session": "s-1", "user_agent": "claude-cli/2"},
        attempts=[
            AttemptRecord(upstream="a", key="k1", status=None, error="upstream_timeout", message="Too slow.", ms=300.0),
            AttemptRecord(upstream="anthropic", key="main", model="m2", status=200, ms=900.0, proxy="eu/p1"),
        ],
        notes=[("top_k", "Has no counterpart there.", True), ("messages.0", "Was joined with the next.", False)],
        content=Content(
            client_request=b'{"model":"x","big":123456789012345678901234567890}',
            upstream_answer=b"event: ping\ndata: {}\n\n",
            truncated=True,
        ),
        message="It did not work.",
        usage_estimated=True,
    )
    text = rita.get(page_of(log)).content.decode()
    for expected in (log.request_id, "mine", "s-1", "claude-cli/2", "streamed", "Attempt 1: a", "upstream_timeout",
                     "Too slow.", "no answer", "eu/p1", "First byte to the client", "<code>top_k</code>", "(not sent)",
                     "Was joined with the next.", "123456789012345678901234567890", "event: ping", "It did not work.",
                     "estimates", "Passed on as the upstream answered.", "The same as the client sent", "unpriced",
                     "DRAGOMAN_HISTORY_BODY_KB"):  # fmt: skip
        assert expected in text, expected
    assert "&quot;model&quot;: &quot;x&quot;" in text
    assert rita.get(f"{LIST}{log.request_id}/change/").status_code == 200


def test_a_request_that_went_nowhere_says_that_nothing_was_sent(put, rita):
    log = put(status=400, outcome="error", attempts=[], content=Content(client_request=b"{not json"))
    html = rita.get(page_of(log)).content.decode()
    assert "save for what routing changes" not in html
    assert html.count("Nothing was sent.") == 3


def test_pauses_between_attempts_are_not_called_the_gateways_own(put, rita):
    tries = [AttemptRecord(upstream="a", key="k", status=529, error="upstream_refused", ms=2.0),
             AttemptRecord(upstream="a", key="k", status=200, ms=3.0)]  # fmt: skip
    assert "with pauses between attempts" in rita.get(page_of(put(attempts=tries))).content.decode()
    assert "with pauses between attempts" not in rita.get(page_of(put(2, attempts=tries[1:]))).content.decode()


def test_an_empty_list_says_why(put, rita):
    assert "No request yet." in rita.get(LIST).content.decode()
    put()
    for query in ({"q": "nothing-like-it"}, {"client": "nobody"}):
        assert "No request matches." in rita.get(LIST, query).content.decode()


def test_a_long_client_name_is_cut_with_the_whole_beside_it(put, rita):
    put(begun={"client": "c" * 90})
    assert f'<span title="{"c" * 90}">' in rita.get(LIST).content.decode()


def test_an_interrupted_request_has_a_page_too(a_beginning, rita):
    store([to_rows(interrupted(a_beginning(1)))])
    text = rita.get(page_of(RequestLog.objects.get())).content.decode()
    assert "the process died" in text
    assert "No upstream was asked" in text
    assert "Bodies of this request are not kept." in text


def test_a_request_without_its_content_has_a_page_too(put, rita):
    log = put()
    RequestContent.objects.all().delete()
    text = rita.get(page_of(log)).content.decode()
    assert "past their retention" in text
    assert rita.get(layer_of(log)).status_code == 404


def test_what_is_damaged_says_so(put, rita):
    log = put()
    RequestContent.objects.update(client_request=b"no zstd", notes=[1, ["a"], {"x": 1}])
    assert "cannot be read" in rita.get(page_of(log)).content.decode()


@pytest.mark.parametrize("which", ["0", "99999999999999999999999", "nope", "f" * 32, "1/2", "%00"])
def test_what_is_not_there_is_not_found(put, rita, which):
    put()
    assert rita.get(f"{LIST}{which}/change/").status_code == 404
    assert rita.get(f"{LIST}{which}/layer/client_request/", follow=True).status_code == 404


@pytest.mark.parametrize("name", ["pk", "notes", "layer", "__class__", "upstream_request"])
def test_only_layers_that_are_there_are_handed_out(put, rita, name):
    assert rita.get(layer_of(put(), name)).status_code == 404


@pytest.fixture
def hostile(put):
    """Every string that a caller or an upstream may choose is an attack."""
    return put(
        66,
        begun={"client": EVIL, "key": EVIL, "model": EVIL, "dialect": "d<b>", "caller_request_id": EVIL, "path": EVIL,
               "user_agent": EVIL, "session": EVIL, "address": "<b>"},
        upstream=EVIL, upstream_model=EVIL, upstream_request_id=EVIL, message=EVIL, proxy=EVIL, error="<e>",
        finish="<f>",
        attempts=[AttemptRecord(upstream=EVIL, key=EVIL, model=EVIL, error="<e>", message=EVIL, proxy=EVIL)],
        notes=[(EVIL, EVIL, True)],
        content=Content(
            client_request=f'{{"a": "{EVIL}</pre></details><script>alert(3)</script>"}}'.encode(),
            upstream_request=f"</pre>{EVIL}".encode(), upstream_answer=EVIL.encode() + b"\xff\x00\xfe",
            client_answer=f"data: {EVIL}\n\n".encode(),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("query", ["", "?client=<script>alert(9)</script>", "?q=<script>alert(9)</script>"])
def test_hostile_names_are_dead_in_the_list(hostile, rita, query):
    text = rita.get(LIST + query).content.decode()
    assert not any(piece in text for piece in (*ALIVE, "<script>alert(9)"))
    if not query:
        assert "&lt;script&gt;alert(1)" in text


def test_hostile_bodies_and_names_are_dead_on_the_page(hostile, rita):
    text = rita.get(page_of(hostile)).content.decode()
    assert not any(piece in text for piece in (*ALIVE, "<script>alert(3)", "</pre></details><script"))
    assert "{{ 7|add:7 }}" in text
    assert text.count("<pre") == text.count("</pre>") == 4
    assert "<e>" not in text
    assert "<f>" not in text


def tags_of(page):
    """(tag, attributes) of everything that a browser would take for an element."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(page)
    return found


def test_no_script_of_ours_is_inline(hostile, rita):
    for url in (LIST, page_of(hostile)):
        response = rita.get(url)
        for tag, attributes in tags_of(response.content.decode()):
            assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
            assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        assert "'unsafe-inline'" not in response["Content-Security-Policy"].split("script-src")[1].split(";")[0]


def test_a_downloaded_layer_is_never_shown_by_the_browser(hostile, rita):
    response = rita.get(layer_of(hostile, "upstream_answer"))
    assert response.content.endswith(b"\xff\x00\xfe")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]


def test_long_bodies_are_folded_and_cut_and_still_quick(put, rita):
    big = b'{"messages": [' + b",".join(b'{"role": "user", "content": "%d <b>"}' % n for n in range(8000)) + b"]}"
    line = b'{"text": "' + b"<a>" * 100_000 + b'"}'
    assert len(big) > 300_000
    log = put(
        content=Content(client_request=big, upstream_request=line, upstream_answer=big[:-1], client_answer=b"{}" * 9)
    )
    rita.get(page_of(log))
    began = time.thread_time()
    text = rita.get(page_of(log)).content.decode()
    assert time.thread_time() - began < 1.0
    assert len(text) < 1_000_000
    assert text.count("only the beginning is shown here") == 3
    assert text.count("<details>") == 3
    assert text.count("<details open>") == 1


def test_json_nested_as_deep_as_it_likes_is_shown(put, rita):
    deep = b"[" * 100_000 + b"]" * 100_000
    log = put(content=Content(client_request=deep, upstream_request=b"", client_answer=b"\xf0\x9f"))
    assert rita.get(page_of(log)).status_code == 200
