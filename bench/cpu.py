"""CPU milliseconds per request of one gateway worker: `make bench`.

The gateway's worker is pinned to core 0; the upstream and the load share core 1. Cases are interleaved over rounds and
the median is printed beside the target of reference/performance.md ("Targets"; the first bar is twice that) and as a
multiple of the floor of the same run: a bare ASGI application over aiohttp (`bench/floor.py`), which took 0.146 ms on
the machine of the targets. On another machine, or a busy one, the multiple says more than the milliseconds.
Options: --rounds N, --seconds S, --concurrency C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fakes.gateway import KEY, RunningGateway  # noqa: E402
from tests.fakes.upstream import free_port  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
FILLER = "The quick brown fox jumps over the lazy dog. " * 20


def chat_body(model: str, *, stream: bool = False, big: bool = False) -> bytes:
    messages = [{"role": "user", "content": "Say hello."}]
    if big:
        turns = [{"role": "user" if i % 2 == 0 else "assistant", "content": FILLER} for i in range(53)]
        messages = [*turns[:53], {"role": "user", "content": "Go on."}] if len(turns) % 2 == 0 else turns
    return json.dumps({"model": model, "messages": messages, "stream": stream, "max_tokens": 100}).encode()


# name: (path, body, target in ms)
CASES = {
    "chat to OpenAI": ("/v1/chat/completions", chat_body("to-chat"), 0.25),
    "chat to Anthropic": ("/v1/chat/completions", chat_body("to-messages"), 0.30),
    "messages to OpenAI": ("/v1/messages", chat_body("to-chat"), 0.35),
    "messages to Anthropic": ("/v1/messages", chat_body("to-messages"), 0.25),
    "chat to OpenAI, 48 KB body": ("/v1/chat/completions", chat_body("to-chat", big=True), 0.50),
    "chat to Anthropic, 48 KB body": ("/v1/chat/completions", chat_body("to-messages", big=True), 0.50),
    "chat to OpenAI, 64-delta stream": ("/v1/chat/completions", chat_body("to-chat", stream=True), 1.0),
    "chat to Anthropic, 64-delta stream": ("/v1/chat/completions", chat_body("to-messages", stream=True), 1.0),
    "messages to OpenAI, 64-delta stream": ("/v1/messages", chat_body("to-chat", stream=True), 1.0),
    "chat to Anthropic, paced, per event": ("/v1/chat/completions", chat_body("paced", stream=True), 0.07),
}


class Load(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it has its answer."""

    def __init__(self, request: bytes, counter: list[int], stop: asyncio.Event) -> None:
        self.request, self.counter, self.stop = request, counter, stop
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        assert head.startswith(b"http/1.1 200"), self.buffer[:600]
        at = head.find(b"content-length:")
        if at >= 0:
            complete = len(self.buffer) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        else:
            complete = self.buffer.endswith(b"0\r\n\r\n")
        if complete:
            self.buffer = b""
            self.counter[0] += 1
            if self.stop.is_set():
                self.transport.close()
            else:
                self.transport.write(self.request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def worker_of(master: int) -> int:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return int(children[0])


async def drive(port: int, path: str, body: bytes, seconds: float, concurrency: int) -> int:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
    )
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    counter, stop = [0], asyncio.Event()
    loop = asyncio.get_running_loop()
    links = [
        (await loop.create_connection(lambda: Load(request, counter, stop), "127.0.0.1", port))[1]
        for _ in range(concurrency)
    ]
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.wait_for(asyncio.gather(*(link.done for link in links)), 20)
    return counter[0]


def configuration(port: int) -> dict:
    url = f"http://127.0.0.1:{port}/v1"
    return {
        "upstreams": [
            {
                "name": "chat",
                "kind": "openai_compatible",
                "base_url": url,
                "keys": [{"name": "k", "value": "sk-x-upstream"}],
            },
            {
                "name": "messages",
                "kind": "anthropic",
                "base_url": url,
                "keys": [{"name": "k", "value": "sk-x-upstream"}],
            },
        ],
        "models": [
            {"name": "to-chat", "routes": [{"upstream": "chat", "model": "bench"}]},
            {"name": "to-messages", "routes": [{"upstream": "messages", "model": "bench"}]},
            {"name": "paced", "routes": [{"upstream": "messages", "model": "paced"}]},
        ],
        "clients": [{"name": "bench", "keys": [{"name": "k", "value": KEY}]}],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=16)
    options = parser.parse_args()
    port = free_port()
    upstream = subprocess.Popen(
        [sys.executable, str(ROOT / "bench/upstream.py"), str(port), "1"], stdout=subprocess.PIPE
    )
    assert upstream.stdout is not None
    upstream.stdout.readline()
    with tempfile.TemporaryDirectory() as data:
        gateway = RunningGateway(Path(data))
        try:
            gateway.manage("bootstrap")
            gateway.apply(configuration(port))
            gateway.start(bootstrap=False)
            assert gateway.process is not None
            os.sched_setaffinity(0, {1})
            worker = worker_of(gateway.process.pid)
            for task in Path(f"/proc/{worker}/task").iterdir():
                os.sched_setaffinity(int(task.name), {0})
            with a_floor(port) as (floor_port, floor_pid):
                measure((gateway.port, worker), (floor_port, floor_pid), options)
        finally:
            gateway.kill()
            upstream.kill()


@contextlib.contextmanager
def a_floor(upstream_port: int) -> Iterator[tuple[int, int]]:
    """The bare application on core 0 as well: its port and process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.floor:app", "--port", str(port), "--no-access-log"]
    environment = {**os.environ, "UPSTREAM_PORT": str(upstream_port)}
    process = subprocess.Popen([*command, "--log-level", "error"], cwd=ROOT, env=environment)
    try:
        os.sched_setaffinity(process.pid, {0})
        time.sleep(2)
        yield port, process.pid
    finally:
        process.kill()


def measure(gateway: tuple[int, int], bare: tuple[int, int], options: argparse.Namespace) -> None:
    port, worker = gateway
    floors: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in CASES}
    rate: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(options.rounds + 1):
        before = cpu_seconds(bare[1])
        count = asyncio.run(drive(bare[0], "/", chat_body("bench"), options.seconds, options.concurrency))
        if number:
            floors.append((cpu_seconds(bare[1]) - before) * 1000 / count)
        for name, (path, body, _) in CASES.items():
            seconds = 0.5 if number == 0 else options.seconds
            before, began = cpu_seconds(worker), time.perf_counter()
            count = asyncio.run(drive(port, path, body, seconds, options.concurrency))
            spent = cpu_seconds(worker) - before
            if number:  # the first round warms up
                found[name].append(spent * 1000 / count / (68 if "per event" in name else 1))
                rate[name].append(count / (time.perf_counter() - began))
    floor = statistics.median(floors)
    print(f"floor: {floor:.3f} ms per request")
    print(f"{'case':<40}{'CPU ms':>8}{'min-max':>16}{'target':>8}{'x':>6}{'x floor':>9}{'per s':>8}")
    for name, (_, _, target) in CASES.items():
        median = statistics.median(found[name])
        spread = f"{min(found[name]):.3f}-{max(found[name]):.3f}"
        per_s = statistics.median(rate[name])
        print(
            f"{name:<40}{median:>8.3f}{spread:>16}{target:>8.2f}{median / target:>6.2f}"
            f"{median / floor:>9.1f}{per_s:>8.0f}"
        )
    status = Path(f"/proc/{worker}/status").read_text()
    print("worker RSS:", next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith("VmRSS")))


if __name__ == "__main__":
    main()
