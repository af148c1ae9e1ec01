"""The console's history at a million rows: server time of each kind of page, on the database in DATABASE_URL.

    python bench/history_rows.py [--rows 1000000] [--runs 40]
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python bench/history_rows.py

Makes a database of its own, fills it, measures whole requests through Django's handler (middleware, session, templates)
and drops it. The machine must be idle otherwise: a page is mostly template work. SQLite is measured without ANALYZE, as
it runs; PostgreSQL after it, as autovacuum would. Then the cost of keeping one exchange: journal, redaction, writer.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 5_000
NEWEST = datetime.now(UTC) - timedelta(seconds=1)
DAYS = 30

CLIENTS = [f"team-{n:02d}" for n in range(40)]
MODELS = [
    "claude-sonnet-4-5-20250929",
    "gpt-5.1",
    "claude-haiku-4-5",
    "gemini-3-pro",
    *(f"model-{n}" for n in range(36)),
]
UPSTREAMS = ["anthropic", "openai", "azure-eu", "gemini", "local-vllm"]
DIALECTS = ["anthropic-messages", "openai-chat", "openai-responses"]
OUTCOMES = ["ok"] * 960 + ["error"] * 25 + ["client_closed"] * 10 + ["partial"] * 5
TARGET_P95_MS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as directory:
        prepare(directory)
        from django.db import connection
        from django.test.utils import setup_test_environment, teardown_test_environment

        setup_test_environment()
        before = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            print(f"{connection.vendor}, {options.rows:,} rows, {options.runs} runs of each page")
            fill(options.rows)
            measure_pages(options.rows, options.runs)
            measure_keeping(Path(directory))
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)
            teardown_test_environment()


def prepare(directory: str) -> None:
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        os.environ["DATABASE_URL"] = f"sqlite:///{directory}/history.sqlite3"
    else:
        os.environ["DATABASE_URL"] = f"{url.rsplit('/', 1)[0]}/dragoman_bench_{os.getpid()}"
    os.environ.update(
        DJANGO_SETTINGS_MODULE="gateway.settings",
        DRAGOMAN_ENV_FILE=os.devnull,
        DRAGOMAN_DATA_DIR=directory,
        SECRET_KEY="bench-only-5c1a37e0b8d94f62a1c7-not-for-a-server",
        DRAGOMAN_ENCRYPTION_KEYS="dGVzdHMtb25seS1rZXktMzItYnl0ZXMtbG9uZy0tLS0=",
        LOG_LEVEL="ERROR",
    )
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()


def moment(number: int, rows: int) -> datetime:
    return NEWEST - timedelta(days=DAYS) * ((rows - number) / rows)


def request_id(number: int, rows: int) -> str:
    """Time-ordered, as the gateway's: milliseconds, then what makes it unique."""
    return f"{int(moment(number, rows).timestamp() * 1000):012x}{number:020x}"


def an_exchange(number: int, rows: int, source: random.Random):
    from proxyapp.engine.record import AttemptRecord, Begun, Ended

    model = source.choices(MODELS, [40, 20, 10, 5, *[25 / 36] * 36])[0] if number % 9973 else "rare-model"
    client = source.choice(CLIENTS) if number % 10_007 else "rare-client"
    upstream = source.choice(UPSTREAMS)
    outcome = source.choice(OUTCOMES) if number % 50_021 else "interrupted"
    begun = Begun(
        request_id=request_id(number, rows), started=moment(number, rows).timestamp(), client_id=3, client=client,
        key_id=7, key="ci-runner", dialect=source.choice(DIALECTS), model=model, stream=bool(number % 3),
        caller_request_id=f"mine-{number}" if number % 4 == 0 else "", path="/v1/messages", address="10.1.2.3",
        user_agent="claude-cli/2.0.14 (external, cli)", session=f"{number // 40:032x}",
    )  # fmt: skip
    return Ended(
        begun=begun, outcome=outcome, status=200 if outcome == "ok" else 502, upstream=upstream, upstream_model=model,
        error="" if outcome == "ok" else "upstream_broken", finish="stop", fresh_input=number % 5000,
        cache_read=number % 90_000, output=number % 3000, duration_ms=source.lognormvariate(8, 1),
        first_byte_ms=source.lognormvariate(6, 1), overhead_ms=0.4,
        attempts=[AttemptRecord(upstream=upstream, key="main", model=model, status=200, ms=900.0)],
    )  # fmt: skip


def fill(rows: int) -> None:
    from django.db import connection

    from proxyapp.history.rows import to_rows
    from proxyapp.history.store import store

    source, began = random.Random(1), time.perf_counter()
    for start in range(0, rows, CHUNK):
        numbers = range(start, min(start + CHUNK, rows))
        for first in range(0, len(numbers), 500):
            store([to_rows(an_exchange(n, rows, source)) for n in numbers[first : first + 500]])
        if start % 100_000 == 0:
            print(f"\rfilled {start:,}", end="", flush=True)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            cursor.execute("SELECT pg_relation_size('proxyapp_requestlog'), pg_indexes_size('proxyapp_requestlog')")
            table, indexes = cursor.fetchone()
        else:
            cursor.execute(
                "SELECT SUM(CASE WHEN name = 'proxyapp_requestlog' THEN pgsize END), "
                "SUM(CASE WHEN name LIKE 'requestlog_%' OR name LIKE 'sqlite_autoindex_proxyapp_requestlog%' "
                "THEN pgsize END) FROM dbstat"
            )
            table, indexes = cursor.fetchone()
    print(f"\rfilled in {time.perf_counter() - began:.0f} s: {table / rows:.0f} bytes a row, "
          f"{indexes / rows:.0f} in its indexes")  # fmt: skip


def big_request(rows: int) -> int:
    """A request with four bodies of 300 KB; its number."""
    from proxyapp.engine.record import Content
    from proxyapp.history.rows import to_rows
    from proxyapp.history.store import store
    from proxyapp.models import RequestLog

    body = b'{"messages": [' + b",".join(b'{"role": "user", "content": "turn %06d"}' % n for n in range(7500)) + b"]}"
    exchange = an_exchange(rows + 1, rows, random.Random(2))
    exchange.content = Content(client_request=body, upstream_request=body, upstream_answer=body, client_answer=body)
    (stored,) = store([to_rows(exchange)])
    return RequestLog.objects.get(request_id=stored.request_id).pk


def measure_pages(rows: int, runs: int) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client

    from proxyapp.history.queries import Cursor
    from proxyapp.models import RequestLog

    client = Client()
    client.get("/admin/login/")  # templates and URLs are loaded once
    client.force_login(get_user_model().objects.create(username="bench", is_staff=True, is_superuser=True))
    source = random.Random(3)

    def somewhere() -> int:
        return source.randrange(rows)

    def deep() -> str:
        number = somewhere()
        log = RequestLog.objects.get(request_id=request_id(number, rows))
        return f"?before={Cursor.of(log)}"

    big = big_request(rows)
    pages = {
        "list, first page": lambda: "",
        "list, a page anywhere": deep,
        "client (1 in 40)": lambda: f"?client={source.choice(CLIENTS)}",
        "client (1 in 10,000)": lambda: "?client=rare-client",
        "client, a page anywhere": lambda: deep() + f"&client={source.choice(CLIENTS)}",
        "outcome error (1 in 40)": lambda: "?outcome=error",
        "outcome interrupted (1 in 50,000)": lambda: "?outcome=interrupted",
        "model (2 in 5)": lambda: f"?model={MODELS[0]}",
        "model (1 in 10,000)": lambda: "?model=rare-model",
        "upstream": lambda: "?upstream=azure-eu",
        "dialect": lambda: "?dialect=openai-chat",
        "dialect that never occurs": lambda: "?dialect=gemini",
        "the last hour": lambda: "?window=1h",
        "the last 7 days, one client": lambda: f"?window=7d&client={source.choice(CLIENTS)}",
        "client and outcome error": lambda: f"?client={source.choice(CLIENTS)}&outcome=error",
        "rare client and rare outcome": lambda: "?client=rare-client&outcome=partial",
        "search: id": lambda: f"?q={request_id(somewhere(), rows)}",
        "search: 8 digits of an id": lambda: f"?q={request_id(somewhere(), rows)[:8]}",
        "search: caller's id": lambda: f"?q=mine-{somewhere() // 4 * 4}",
        "search: part of a model's name": lambda: "?q=claude",
        "search: nothing found": lambda: "?q=no-such-thing",
        "detail": lambda: f"{request_id(somewhere(), rows)}/change/",
        "detail, four bodies of 300 KB": lambda: f"{big}/change/",
    }
    print(f"{'page':38} {'p50 ms':>8} {'p95 ms':>8} {'CPU p50':>8} {'in the database, p50':>22} {'p95':>6}")
    for name, url in pages.items():
        times, cpu, database = [], [], []
        for _ in range(runs):
            address = "/admin/proxyapp/requestlog/" + url()
            stopwatch = Stopwatch()
            began, worked = time.perf_counter(), time.thread_time()
            with connection.execute_wrapper(stopwatch):
                response = client.get(address)
            times.append((time.perf_counter() - began) * 1000)
            cpu.append((time.thread_time() - worked) * 1000)
            database.append(stopwatch.seconds * 1000)
            assert response.status_code == 200, (address, response.status_code)
        p50, p95 = median_and_p95(times)
        db50, db95 = median_and_p95(database)
        verdict = "ok" if p95 < TARGET_P95_MS else "TOO SLOW"
        print(
            f"{name:38} {p50:8.1f} {p95:8.1f} {statistics.median(cpu):8.1f} {db50:22.1f} {db95:6.1f}  {verdict}",
            flush=True,
        )


class Stopwatch:
    """Adds up the time inside database calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, execute, *arguments):
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            self.seconds += time.perf_counter() - began


def median_and_p95(values: list[float]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]


def measure_keeping(directory: Path) -> None:
    import msgspec
    from django.db import connection

    from proxyapp.engine.journal import Journal
    from proxyapp.engine.record import Content
    from proxyapp.history.redaction import redact
    from proxyapp.history.writer import Writer

    text = b"".join(path.read_bytes() for path in sorted((ROOT / "proxyapp" / "models").glob("*.py"))) * 3
    print("what keeping an exchange costs, CPU microseconds (event loop: begin + end; writer: its thread)")
    for label, size in (("no bodies", 0), ("1 KB", 1_000), ("48 KB", 48_000), ("100 KB", 100_000)):
        journal = Journal(directory / f"journal-{size}", redact)
        exchanges = [an_exchange(n, 10**7, random.Random(n)) for n in range(2000 if size < 10_000 else 500)]
        for exchange in exchanges:
            exchange.begun.request_id = f"{size:012x}{exchange.begun.request_id[12:]}"
            exchange.content = Content(client_request=text[:size], upstream_answer=b'{"ok": 1}') if size else None
        began = time.thread_time()
        for exchange in exchanges:
            journal.begin(msgspec.structs.replace(exchange.begun))
            journal.end(exchange)
        loop = (time.thread_time() - began) / len(exchanges) * 1e6
        body = json_of(text[:size])
        began = time.thread_time()
        for _ in range(200):
            redact(body)
        scan = (time.thread_time() - began) / 200 * 1e6
        began = time.thread_time()
        assert Writer(directory / f"journal-{size}", journal).flush()
        writer = (time.thread_time() - began) / len(exchanges) * 1e6
        print(f"  {label:10} event loop {loop:6.0f}  (redaction of the body alone {scan:5.0f})  writer {writer:6.0f}"
              f"  [{connection.vendor}]")  # fmt: skip
        journal.close()


def json_of(data: bytes) -> bytes:
    import json

    return json.dumps({"messages": [{"role": "user", "content": data.decode("utf-8", "replace")}]}).encode()


if __name__ == "__main__":
    main()
