"""Several workers' numbers as one: any of them answers for all, and a dead one's counts are not lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from proxyapp.engine.record import AttemptRecord, Begun, Ended
from proxyapp.metrics import meter as metering
from proxyapp.metrics.exchanges import REQUESTS, CountingBooks
from proxyapp.metrics.exposition import expose
from proxyapp.metrics.families import Family, Merge, Reading, counter, gauge, histogram
from proxyapp.metrics.meter import Meter
from proxyapp.metrics.shares import Counted, Share
from proxyapp.metrics.sources import OF_WORKER, SHARED
from tests.engine.conftest import BooksInAList

SEEN = counter("test_seen", "Seen.", "by")
BUSY = gauge("test_busy", "Busy.")
OLDEST = gauge("test_oldest", "Oldest.", merge=Merge.LEAST)
TIMES = histogram("test_seconds", "Times.", bounds=(1.0, 5.0))


def says(*readings: Reading) -> SimpleNamespace:
    """A worker with these numbers."""
    return SimpleNamespace(readings=list(readings), watcher=SimpleNamespace(is_database_away=False))


@pytest.fixture
def sources(monkeypatch):
    monkeypatch.setattr(metering, "OF_WORKER", {"test": lambda worker: worker.readings})
    monkeypatch.setattr(metering, "SHARED", {})
    monkeypatch.setattr(metering, "EVERY_SECONDS", 0.01)
    return metering


@pytest.fixture
def start(tmp_path, sources):
    meters = []

    def begin(*readings: Reading) -> Meter:
        meter = Meter(tmp_path)
        meter.start(says(*readings))
        meters.append(meter)
        return meter

    yield begin
    for meter in meters:
        meter.stop()


def text(meter: Meter) -> list[str]:
    body, _ = expose(meter.gather(), "")
    return [line for line in body.decode().splitlines() if not line.startswith("#")]


def eventually(meter: Meter, line: str) -> None:
    for _ in range(1000):
        if line in text(meter):
            return
        metering.threading.Event().wait(0.01)
    raise AssertionError(f"{line} not among {text(meter)}")


def test_any_worker_answers_for_all(start):
    one = start(Reading(SEEN, {("a",): 2}), Reading(BUSY, {(): 1}), Reading(OLDEST, {(): 7}))
    other = start(Reading(SEEN, {("a",): 3, ("b",): 1}), Reading(BUSY, {(): 4}), Reading(OLDEST, {(): 9}))
    for meter in (one, other):
        for line in ('test_seen_total{by="a"} 5.0', 'test_seen_total{by="b"} 1.0', "test_busy 5.0", "test_oldest 7.0"):
            eventually(meter, line)


def test_times_of_several_workers_are_one_histogram(start):
    one = start(Reading(TIMES, {(): (1.0, 0.0, 0.0, 0.5)}))
    start(Reading(TIMES, {(): (1.0, 2.0, 1.0, 20.0)}))
    eventually(one, "test_seconds_count 5.0")
    assert [line for line in text(one) if line.startswith("test_seconds")] == [
        'test_seconds_bucket{le="1.0"} 2.0', 'test_seconds_bucket{le="5.0"} 4.0',
        'test_seconds_bucket{le="+Inf"} 5.0', "test_seconds_count 5.0", "test_seconds_sum 20.5",
    ]  # fmt: skip


def test_a_dead_workers_counts_stay_and_its_gauges_go(start, tmp_path):
    one = start(Reading(SEEN, {("a",): 2}), Reading(BUSY, {(): 1}))
    dead = Share(tmp_path)
    dead.write([Counted(SEEN, [(("a",), (10.0,))]), Counted(BUSY, [((), (10.0,))])])
    assert {'test_seen_total{by="a"} 12.0', "test_busy 11.0"} <= set(text(one))
    dead.close()
    assert {'test_seen_total{by="a"} 12.0', "test_busy 1.0"} <= set(text(one))


def test_the_next_worker_goes_on_with_a_dead_ones_file(start, tmp_path):
    one = start(Reading(SEEN, {("a",): 2}))
    for _ in range(3):
        dead = Share(tmp_path)
        dead.write([*dead.inherited, Counted(SEEN, [(("a",), (10.0,))])])
        dead.close()
        assert len(list(tmp_path.glob("*.share"))) == 2
    heir = start(Reading(SEEN, {("a",): 1}))
    eventually(one, 'test_seen_total{by="a"} 33.0')
    eventually(heir, 'test_seen_total{by="a"} 33.0')


def test_a_server_begins_from_nothing(start, tmp_path):
    before = Share(tmp_path)
    before.write([Counted(SEEN, [(("a",), (10.0,))])])
    before.close()
    assert 'test_seen_total{by="a"} 1.0' in text(start(Reading(SEEN, {("a",): 1})))


@pytest.mark.parametrize("torn", [b"", b"\x01", b"\xff" * 8 + b"x", bytes(8) + b"rest"])
def test_a_torn_file_costs_its_own_numbers_alone(start, tmp_path, torn):
    one = start(Reading(SEEN, {("a",): 2}))
    (tmp_path / "odd.share").write_bytes(torn)
    assert 'test_seen_total{by="a"} 2.0' in text(one)


def test_a_directory_that_cannot_be_written_costs_the_siblings_alone(tmp_path, sources):
    (tmp_path / "file").write_text("in the way")
    meter = Meter(tmp_path / "file")
    meter.start(says(Reading(SEEN, {("a",): 2})))
    assert 'test_seen_total{by="a"} 2.0' in text(meter)
    meter.stop()


def test_a_source_that_fails_costs_its_own_numbers_alone(start, sources, monkeypatch):
    def broken():
        raise RuntimeError("no")

    monkeypatch.setattr(sources, "SHARED", {"broken": broken, "well": lambda: [Reading(BUSY, {(): 3})]})
    lines = text(start(Reading(SEEN, {("a",): 2})))
    assert {'test_seen_total{by="a"} 2.0', "test_busy 3.0"} <= set(lines)
    assert {f'dragoman_metrics_failed{{source="{name}"}} {n}.0' for name, n in (("broken", 1), ("well", 0))} <= set(
        lines
    )


def test_a_source_that_fails_again_and_again_is_told_once_until_it_works(start, sources, monkeypatch, caplog):
    works = iter([False, False, True, False])

    def moody():
        if not next(works):
            raise RuntimeError("no")
        return []

    monkeypatch.setattr(sources, "SHARED", {"moody": moody})
    meter = start()
    told = []
    for _ in range(4):
        meter.gather()
        told.append(len([record for record in caplog.records if "moody" in record.getMessage()]))
    assert told == [1, 1, 1, 2]


def test_with_the_database_away_nothing_is_asked_that_may_need_it(tmp_path, sources, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "SHARED", {"rows": lambda: asked.append(1) or []})
    worker = says(Reading(SEEN, {("a",): 2}))
    worker.watcher.is_database_away = True
    meter = Meter(tmp_path)
    meter.start(worker)
    assert {'test_seen_total{by="a"} 2.0', 'dragoman_metrics_failed{source="rows"} 1.0'} <= set(text(meter))
    assert not asked
    worker.watcher.is_database_away = False
    assert 'dragoman_metrics_failed{source="rows"} 0.0' in text(meter)
    meter.stop()


def test_finished_exchanges_are_counted_and_handed_on():
    inner = BooksInAList()
    books = CountingBooks(inner)
    begun = Begun(request_id="r", started=0.0, dialect="openai-chat", model="a caller's text")
    attempts = [AttemptRecord(upstream="up", error="upstream_broken"), AttemptRecord(upstream="up")]
    books.begin(begun)
    ended = Ended(begun=begun, outcome="ok", upstream="up", duration_ms=300.0, first_byte_ms=40.0, fresh_input=7,
                  cache_write_1h=2, output=5, attempts=attempts)  # fmt: skip
    books.end(ended)
    books.end(Ended(begun=begun, outcome="error"))
    assert (inner.begun, len(inner.ended)) == ([begun], 2)
    told = {reading.family: reading.values for reading in books.read()}
    assert told[REQUESTS] == {("openai-chat", "up", "ok"): 1, ("openai-chat", "", "error"): 1}
    lines = expose({f: {k: v if isinstance(v, tuple) else (v,) for k, v in vs.items()} for f, vs in told.items()}, "")
    assert b"a caller's text" not in lines[0]
    for line in (
        'dragoman_upstream_attempts_total{error="upstream_broken",upstream="up"} 1.0',
        'dragoman_upstream_attempts_total{error="",upstream="up"} 1.0',
        'dragoman_tokens_total{kind="input",upstream="up"} 7',
        'dragoman_tokens_total{kind="cache_write",upstream="up"} 2',
        'dragoman_request_seconds_bucket{dialect="openai-chat",le="0.25",upstream="up"} 0.0',
        'dragoman_request_seconds_bucket{dialect="openai-chat",le="0.5",upstream="up"} 1.0',
        'dragoman_first_byte_seconds_count{dialect="openai-chat",upstream="up"} 1.0',
    ):
        assert line in lines[0].decode(), line


def test_who_asks_for_openmetrics_gets_it():
    body, media_type = expose({BUSY: {(): (1.0,)}}, "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_every_metric_of_the_gateway_has_a_row_in_the_documents():
    page = (Path(__file__).parents[2] / "docs/behaviour.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(dragoman_\w+?)(?:_total)?` \|", page, re.MULTILINE))
    ours = {sys.modules[source.__module__] for source in [*OF_WORKER.values(), *SHARED.values()]} | {metering}
    from proxyapp.metrics import exchanges

    ours |= {exchanges}
    found = {value.name for module in ours for value in vars(module).values() if isinstance(value, Family)}
    assert rows == found
