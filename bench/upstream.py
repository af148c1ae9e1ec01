"""The measured gateway's upstream: canned answers in both dialects, as cheaply as asyncio can."""

from __future__ import annotations

import asyncio
import json
import os
import sys

WORDS = 64


def chat_answer() -> bytes:
    message = {"role": "assistant", "content": "hello " * 20, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40},
        }
    ).encode()


def messages_answer() -> bytes:
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "bench",
            "content": [{"type": "text", "text": "hello " * 20}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 20, "output_tokens": 20},
        }
    ).encode()


def chat_stream() -> list[bytes]:
    def chunk(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "bench",
            "choices": [choice],
        }
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    usage = {"prompt_tokens": 20, "completion_tokens": WORDS, "total_tokens": 20 + WORDS}
    last = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "choices": [],
        "usage": usage,
    }
    return [
        chunk({"role": "assistant", "content": ""}),
        *[chunk({"content": f"word{i} "}) for i in range(WORDS)],
        chunk({}, "stop"),
        b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n",
    ]


def messages_stream() -> list[bytes]:
    def event(body: dict) -> bytes:
        return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()

    start = {**json.loads(messages_answer()), "content": [], "stop_reason": None}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        event({"type": "message_start", "message": start}),
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *[
            event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"word{i} "}})
            for i in range(WORDS)
        ],
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": WORDS}}),
        event({"type": "message_stop"}),
    ]


def whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = {b"chat": whole(chat_answer()), b"messages": whole(messages_answer())}
STREAMS = {b"chat": chat_stream(), b"messages": messages_stream()}


def chunked(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


BURST = {name: STREAM_HEAD + chunked(b"".join(pieces)) + b"0\r\n\r\n" for name, pieces in STREAMS.items()}


class Upstream(asyncio.Protocol):
    """Answers by path and by the body's `stream`; `paced` in the model's name spaces the events 5 ms apart."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            name = b"messages" if b"/messages" in head.split(b"\r\n", 1)[0] else b"chat"
            self.answer(name, body)

    def answer(self, name: bytes, body: bytes) -> None:
        tail = body[-400:] + body[:400]
        if b'"stream":true' not in tail.replace(b" ", b""):
            self.transport.write(WHOLE[name])
        elif b"paced" in tail:
            self.pacing = asyncio.ensure_future(self.pace(STREAMS[name]))
        else:
            self.transport.write(BURST[name])

    async def pace(self, pieces: list[bytes]) -> None:
        self.transport.write(STREAM_HEAD)
        for piece in pieces:
            self.transport.write(chunked(piece))
            await asyncio.sleep(0.005)
        self.transport.write(b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    asyncio.run(main(int(sys.argv[1])))
