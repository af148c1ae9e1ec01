"""Coze v3: bots of coze.com, coze.cn or a Coze Studio of one's own. Facts: reference/upstreams.md 6.

Without a stream an answer takes several requests: the chat is created, asked for until it is over, and then its
messages are fetched. `steps` says which; the engine sends them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct

from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir.profile import Profile
from proxyapp.upstreams.contract import Abandoned, Outbound, Pause, Sending, Steps, Upstream

_ENDPOINT = re.compile(r"/(?:open_api/v2|v3|v1)(?:/chat(?:/.*)?)?$")
_RUNNING = ("created", "in_progress")
_COMPLETED = "completed"
_OVER = tuple(b"conversation.chat." + word for word in (b"completed", b"failed", b"canceled", b"requires_action"))
"""Events after which a stream's chat is over."""
_TRANSIENT = (4013, 5000)
"""Codes for what may be asked again in a moment: too many requests, an internal error."""
_TRIES = 3
"""How often in a row a question about a running chat may fail: to create it anew would pay for it twice."""


class _Chat(Struct):
    """The chat object, as far as it is read here."""

    id: str = ""
    conversation_id: str = ""
    status: str = ""


class _Envelope(Struct):
    code: Any = 0
    data: Raw = Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)
_chat = msgspec.json.Decoder(_Chat)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Coze:
    """Speaks its own dialect. The token goes out as a bearer token."""

    name = "coze"
    default_base_url = "https://api.coze.com"
    poll_seconds = 1.0
    """Between two questions whether a chat is over; more often is not allowed."""

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        return "coze"

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return f"{_root(upstream.base_url or self.default_base_url)}/v3/chat"

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        return None

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        return {"authorization": f"Bearer {secret}"} if secret else {}

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return Profile(structured_output=False, json_object=False, reasoning_effort=False, sampling=False)

    def steps(self, upstream: Upstream, outbound: Outbound, answer: bytes) -> Steps:
        """From a created chat to its messages: `{"create": …, "retrieve": …, "messages": …}`, each as it came."""
        chat = _read(answer)
        if chat is None or not (chat.id and chat.conversation_id):
            return answer  # an error, or nothing that is known: the dialect says so
        asking = _Asking(_root(upstream.base_url or self.default_base_url), outbound.headers, chat)
        told = b"null"
        try:
            while chat.status in _RUNNING:
                yield Pause(self.poll_seconds)
                told = yield from self._asked(asking.get("retrieve"))
                chat = _read(told) or _Chat()
        except (Abandoned, UpstreamFault):
            with suppress(UpstreamFault):
                yield asking.cancel()
            raise
        messages = b"null"
        if chat.status == _COMPLETED:
            messages = yield from self._asked(asking.get("message/list"))
        return msgspec.json.encode({"create": Raw(answer), "retrieve": Raw(told), "messages": Raw(messages)})

    def call_off(self, upstream: Upstream, outbound: Outbound, head: bytes, tail: bytes) -> Outbound | None:
        """A bot goes on answering when its caller hangs up."""
        chat = _begun(head)
        if chat is None or any(mark in tail for mark in (*_OVER, b"[DONE]")):
            return None
        return _Asking(_root(upstream.base_url or self.default_base_url), outbound.headers, chat).cancel()

    def _asked(self, outbound: Outbound) -> Generator[Outbound | Pause, bytes, bytes]:
        """The answer, an object of JSON. Raises UpstreamFault when it failed too often, or for good."""
        for left in reversed(range(_TRIES)):
            try:
                came = yield outbound
                if not _is_passing_fault(came):
                    return came
            except UpstreamFault as error:
                if not left or not error.retryable:
                    raise
            yield Pause(self.poll_seconds)
        return came


class _Asking(Struct):
    """Further requests about one chat."""

    root: str
    headers: Mapping[str, str]
    chat: _Chat

    def get(self, what: str) -> Outbound:
        ids = {"conversation_id": self.chat.conversation_id, "chat_id": self.chat.id}
        headers = {name: value for name, value in self.headers.items() if name != "content-type"}
        headers["accept"] = "application/json"
        return Outbound("GET", f"{self.root}/v3/chat/{what}?{urlencode(ids)}", headers, b"")

    def cancel(self) -> Outbound:
        ids = {"conversation_id": self.chat.conversation_id, "chat_id": self.chat.id}
        headers = {**self.headers, "accept": "application/json"}
        return Outbound("POST", f"{self.root}/v3/chat/cancel", headers, msgspec.json.encode(ids))


def _root(base_url: str) -> str:
    """The address without what people paste behind it: a version, or the whole endpoint."""
    return _ENDPOINT.sub("", base_url.rstrip("/"))


def _read(raw: bytes) -> _Chat | None:
    """The chat of an envelope; None for anything else."""
    try:
        envelope = _envelope.decode(raw)
        return _chat.decode(envelope.data) if envelope.code in (0, "0", None) else None
    except _UNREADABLE:
        return None


def _begun(head: bytes) -> _Chat | None:
    """The chat that a stream tells of first."""
    for line in head.splitlines():
        if line.startswith(b"data:"):
            try:
                chat = _chat.decode(line.removeprefix(b"data:"))
            except _UNREADABLE:
                return None
            return chat if chat.id and chat.conversation_id else None
    return None


def _is_passing_fault(raw: bytes) -> bool:
    """Raises UpstreamBroken for what is no envelope."""
    try:
        return _envelope.decode(raw).code in _TRANSIENT
    except _UNREADABLE as exc:
        raise UpstreamBroken("The upstream's answer about a running chat cannot be read.") from exc
