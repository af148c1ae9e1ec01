"""The lean ASGI handler for the inference paths: no middleware, no signals, no thread hops, no ORM.

Django's stock handler costs 0.5-0.8 ms and an OS thread per request in flight; this one about 0.05 ms and none
(reference/performance.md, architecture.md 5). It must stay free of anything synchronous that blocks: all code here
shares the event loop. The body is read by the view, bounded; when the caller hangs up, the view's task is cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, get_resolver

from proxyapp.engine.call import AnswerCut, ClientGone
from proxyapp.errors import BodyTooLarge, BodyTooSlow, MediaTypeRefused

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
logger = logging.getLogger("dragoman.handler")

BODY_SILENCE = 60.0
"""Seconds without a further piece of a request's body after which the request is given up."""
WATCH_AFTER = 0.05
"""Seconds after a request's body from which on its caller is watched for hanging up."""
INFERENCE_URLS = "proxyapp.api.urls"


class LeanRequest(ASGIRequest):
    """A Django request whose body is still on the wire: `await read_body()`."""

    def __init__(self, scope: dict[str, Any], receive: Receive, max_body_bytes: int) -> None:
        # Not ASGIRequest's own __init__: it copies every header into META, which nobody reads here.
        self.scope = scope
        self.path = self.path_info = scope["path"]
        self.script_name = ""
        self.method = scope["method"].upper()
        self.resolver_match = None
        self._stream = io.BytesIO()
        self._read_started = False
        self._post_parse_error = False
        self.lower_headers = _headers(scope)
        client = scope.get("client") or ("", 0)
        self.META = {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": self.path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
            "REMOTE_ADDR": client[0],
            "CONTENT_TYPE": self.lower_headers.get("content-type", ""),
        }
        self._receive = receive
        self._max_body_bytes = max_body_bytes
        self.on_body_read: Callable[[], None] | None = None
        self.has_left = False
        """The caller hung up before its body was complete."""

    async def read_body(self) -> bytes:
        """The whole body. Raises BodyTooLarge (at once on a larger declared length), MediaTypeRefused for a
        compressed one, ClientGone when the caller hangs up in the middle."""
        self._check_declared()
        pieces, size, more = [], 0, True
        while more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                self.has_left = True
                raise ClientGone
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._max_body_bytes:
                raise self._too_large()
            pieces.append(piece)
            more = message.get("more_body", False)
        if self.on_body_read is not None:
            self.on_body_read()
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    async def _next(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(BODY_SILENCE):
                return await self._receive()
        except TimeoutError:
            raise BodyTooSlow(f"The request body did not come within {BODY_SILENCE:g} s.") from None

    def _check_declared(self) -> None:
        encoding = self.lower_headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise MediaTypeRefused("Compressed request bodies are not accepted; send the JSON as it is.")
        declared = self.lower_headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The request body is larger than {self._max_body_bytes // 2**20} MB.")


class LeanHandler(ASGIHandler):
    """Serves `proxyapp.api.urls` alone. Its views are async and answer every fault themselves."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """None: everything these paths need is in their views."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request = LeanRequest(scope, receive, self._max_body_bytes)
        watch = DisconnectWatch(receive)
        request.on_body_read = watch.start
        response: HttpResponseBase | None = None
        try:
            response = await self._respond(request)
            await _send(response, send)
        except asyncio.CancelledError:
            if not (watch.hung_up or request.has_left):
                raise
            watch.task.uncancel()
        except AnswerCut:
            pass  # the server cuts the connection of a response that was not completed
        finally:
            watch.stop()
            for close in response._resource_closers if response is not None else ():
                close()

    async def _respond(self, request: LeanRequest) -> HttpResponseBase:
        from proxyapp.api.base import no_such_path

        try:
            match = _match(request.path_info)
        except Resolver404:
            return no_such_path(request)
        request.resolver_match = match
        return await match.func(request, *match.args, **match.kwargs)


class ConsoleHandler(ASGIHandler):
    """Django's own handler, for people. Django writes any body to a temporary file before it asks who sent it; here
    only one within the bound."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        super().__init__()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        left = self._max_body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > len(str(left)) or int(declared) > left):
            await _send(_TOO_LARGE, send)
            return

        async def bounded() -> dict[str, Any]:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left >= 0:
                return message
            await _send(_TOO_LARGE, send)
            return {"type": "http.disconnect"}

        await super().__call__(scope, bounded, send)


_TOO_LARGE = HttpResponse("The request body is too large.", status=413, content_type="text/plain")


@functools.lru_cache(maxsize=512)
def _match(path: str) -> ResolverMatch:
    """Nearly all requests go to a handful of paths."""
    return get_resolver(INFERENCE_URLS).resolve(path)


class DisconnectWatch:
    """Cancels the task that made it when the caller hangs up."""

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self.hung_up = False
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on `receive` belongs to the watch: the body must have been read. A request that is over within
        WATCH_AFTER needs none, and a task costs more than a timer."""
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._watch)

    def _watch(self) -> None:
        self._watcher = asyncio.ensure_future(_disconnect(self._receive))
        self._watcher.add_done_callback(self._tell)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.remove_done_callback(self._tell)
            self._watcher.cancel()

    def _tell(self, done: asyncio.Task[None]) -> None:
        if not done.cancelled() and not self.task.done():
            self.hung_up = True
            self.task.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: HttpResponseBase, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    if isinstance(response, StreamingHttpResponse):
        await send(start)
        async for piece in response.streaming_content:  # type: ignore[union-attr]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
        return
    assert isinstance(response, HttpResponse)
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send(start)
    await send({"type": "http.response.body", "body": response.content})


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
