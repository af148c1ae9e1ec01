"""Pages, counts and names: right at their edges, and never by reading the whole table."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from proxyapp.history import queries
from proxyapp.history.queries import About, Cursor
from proxyapp.models import RequestLog

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def fill():
    def rows(count, **changes):
        """`count` rows; three in a row share their moment, so that the number decides."""
        RequestLog.objects.bulk_create(
            RequestLog(
                **{
                    "request_id": f"{changes.get('first', 0) + number:032x}",
                    "created_at": NOON + timedelta(seconds=number // 3),
                    "outcome": "ok",
                    **{name: value for name, value in changes.items() if name != "first"},
                }
            )
            for number in range(count)
        )

    return rows


def numbers(page):
    return [int(row.request_id, 16) for row in page.rows]


def test_pages_forwards_and_back_hold_every_row_once(fill):
    fill(23)
    query = RequestLog.objects.all()
    page = queries.page(query, 5)
    assert page.newer is None
    seen, pages = numbers(page), [page]
    while page.older:
        page = queries.page(query, 5, before=page.older)
        seen += numbers(page)
        pages.append(page)
    assert seen == list(range(22, -1, -1))
    assert len(pages[-1].rows) == 3
    back = pages[-1]
    for expected in reversed(pages[:-1]):
        back = queries.page(query, 5, after=back.newer)
        assert numbers(back) == numbers(expected)
    assert back.newer is None
    assert back.older == pages[0].older


def test_a_page_does_not_shift_when_new_rows_come_in(fill):
    fill(10)
    first = queries.page(RequestLog.objects.all(), 4)
    fill(6, first=100, created_at=NOON + timedelta(hours=1))
    assert numbers(queries.page(RequestLog.objects.all(), 4, before=first.older)) == [5, 4, 3, 2]


def test_in_front_of_the_first_page_is_the_newest_page_in_full(fill):
    fill(6)
    newest = queries.page(RequestLog.objects.all(), 4)
    cursor = Cursor.of(newest.rows[2])
    assert numbers(queries.page(RequestLog.objects.all(), 4, after=cursor)) == [5, 4, 3, 2]


def test_empty_pages_lead_nowhere():
    page = queries.page(RequestLog.objects.all(), 5, before=Cursor(NOON, 1))
    assert (page.rows, page.newer, page.older) == ([], None, None)
    assert queries.page(RequestLog.objects.all(), 5, after=Cursor(NOON, 1)).rows == []


def test_several_queries_are_one_in_order(fill):
    fill(4, first=0, model="a")
    fill(4, first=10, model="b")
    fill(4, first=20, model="c")
    both = [RequestLog.objects.by_model("a"), RequestLog.objects.by_model("b"), RequestLog.objects.by_model("a")]
    first = queries.page(both, 5)
    second = queries.page(both, 5, before=first.older)
    assert numbers(first) == [13, 3, 12, 11, 10]
    assert numbers(second) == [2, 1, 0]
    assert numbers(queries.page(both, 5, after=second.newer)) == numbers(first)


def test_a_cursor_comes_back_from_its_text():
    cursor = Cursor(NOON, 42)
    assert Cursor.parse(str(cursor)) == cursor
    for strange in ("", "-", "x-1", "1-x", "1", "9" * 40 + "-1", "1-2-3"):
        assert Cursor.parse(strange) is None


def test_a_search_knows_ids_callers_ids_and_models(fill):
    fill(3, first=0xABCDEF01 << 96, model="claude-sonnet", caller_request_id="")
    fill(2, first=500, model="gpt-5", caller_request_id="mine-1")

    def found(text):
        return {row.request_id for row in queries.page(queries.search(RequestLog.objects.all(), text), 10).rows}

    assert len(found("abcdef01")) == 3
    assert len(found("ABCDEF01" + "0" * 23)) == 3
    assert len(found("abcdef01" + "0" * 24)) == 1
    assert found("abcdef0") == set()
    assert len(found("mine-1")) == 2
    assert len(found("SONNET")) == 3
    assert len(found(" claude-sonnet ")) == 3
    assert found("nothing of the sort") == found("%") == found("'") == set()


def test_names_are_found_by_jumping(fill):
    for place, name in enumerate(["b", "a", "a", "", "Ünïcode", "c'; --"]):
        fill(3, first=10 * place, client=name)
    assert sorted(queries.names("client")) == sorted(["a", "b", "c'; --", "Ünïcode"])
    assert len(queries.names("client", most=2)) == 2
    assert queries.names("upstream") == []
    with pytest.raises(ValueError, match="no index"):
        queries.names("error")


def test_counts_say_how_sure_they_are(fill):
    assert str(queries.about_all()) == "0"
    fill(12, model="m")
    assert str(queries.about_all()) == "12"
    assert queries.about(RequestLog.objects.by_model("m"), most=12) == About(12)
    assert str(queries.about(RequestLog.objects.by_model("m"), most=11)) == "more than 11"
    RequestLog.objects.filter(request_id=f"{0:032x}").update(id=10**6)
    assert str(queries.about_all()).startswith("about ")


def test_questions_with_names(fill):
    fill(3, client="alice", upstream="u", dialect="d")
    fill(1, first=50, outcome="error")
    fill(1, first=60, outcome="client_closed")
    every = RequestLog.objects
    assert every.by_client("alice").by_upstream("u").by_dialect("d").by_outcome("ok").count() == 3
    assert every.failed().count() == 1
    assert every.since(NOON).count() == 5
    assert every.until(NOON).count() == 0


@pytest.mark.parametrize("column", ["client", "model", "upstream", "outcome", "dialect"])
def test_a_filtered_page_follows_one_index_in_its_order(fill, column):
    fill(50)
    if connection.vendor == "postgresql":  # its planner takes a small table whole, rightly
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    query = RequestLog.objects.filter(**{column: "ok"}).before(NOON, 5).newest_first()[:51]
    plan = query.explain()
    assert f"requestlog_{column}" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_a_row_is_under_400_bytes(fill):
    """On disk, without its indexes; with the names, ids and counts of a coding agent's request."""
    fill(
        2000, caller_request_id="6f1c2c6e-3a4e-4be7-9d0b-1f9c7f2b8a11", client_id=17, client="platform-team",
        key_id=42, key="ci-runner", dialect="anthropic-messages", model="claude-sonnet-4-5-20250929",
        upstream="anthropic-main", upstream_model="claude-sonnet-4-5-20250929", stream=True, status=200,
        fresh_input=1234, cache_read=98765, cache_write_5m=4321, cache_write_1h=0, output=2345, reasoning=1200,
        duration_ms=12345.678, first_byte_ms=834.25, overhead_ms=0.412, proxy="eu/p1",
        session="0b0c2b2e-6f6e-4f07-a0ae-6bd3b1f1d0f5",
    )  # fmt: skip
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT AVG(pg_column_size(r.*)) FROM proxyapp_requestlog r")
        else:
            cursor.execute("SELECT SUM(pgsize) / 2000 FROM dbstat WHERE name = 'proxyapp_requestlog'")
        assert cursor.fetchone()[0] < 400
