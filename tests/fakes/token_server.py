"""A strict token server on loopback: refresh tokens serve once, and it can stop where a test wants it to.

Every request is checked as reference/upstreams.md 2.1 has it; what is wrong goes to `complaints`, which a test expects
to be empty. It runs in threads, so engines in this process and processes of their own can call it.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

CLIENT = "client_test"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PLACES = ("arrived", "rotated")
"""Where it can be held: the request is read and nothing has happened; the old token is dead and nothing was said."""


class Account:
    """A login: a chain of refresh tokens of which the last alone is good."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        self.refreshes = 0
        self.organization = ""
        """The one that was asked for last."""

    @property
    def refresh_token(self) -> str:
        return f"rt-{self.name}-{self.number}-secret"

    @property
    def access_token(self) -> str:
        return f"at-{self.name}-{self.number}-secret"


class TokenServer:
    """`account(...)` makes a login; `url` is what to configure."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.seen: list[dict[str, str]] = []
        """The forms, in order."""
        self.complaints: list[str] = []
        self.next_answers: deque[tuple[int, dict[str, str], bytes]] = deque()
        """Said instead of the truth, one by one."""
        self.extra: dict[str, Any] = {"expires_in": 28_800}
        """Further fields of a good answer; None takes one away."""
        self.logins: deque[str] = deque()
        """Errors said, one by one, before a login counts as confirmed."""
        self.is_graceful = False
        """A token that was just replaced may be shown once more, as some servers allow."""
        self._held = dict.fromkeys(PLACES, False)
        self._change = threading.Condition()
        self._waiting = dict.fromkeys(PLACES, 0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/user_management/authenticate"

    def account(self, name: str = "olga") -> Account:
        return self.accounts.setdefault(name, Account(name))

    def hold(self, place: str) -> None:
        with self._change:
            self._held[place] = True

    def release(self) -> None:
        with self._change:
            self._held = dict.fromkeys(PLACES, False)
            self._change.notify_all()

    def wait_until_held(self, place: str, seconds: float = 30) -> None:
        """Returns once a request stands there."""
        with self._change:
            assert self._change.wait_for(lambda: self._waiting[place] > 0, seconds), f"nothing came to {place!r}"

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    # --- what the handler asks

    def answer(self, path: str, headers: dict[str, str], raw: bytes) -> tuple[int, dict[str, str], bytes]:
        if path.endswith("/device") or b"device_code" in raw:
            return self._login(path, dict(parse_qsl(raw.decode())))
        form = self._form(path, headers, raw)
        self.seen.append(form)
        self._pass("arrived")
        if self.next_answers:
            return self.next_answers.popleft()
        if form.get("client_id") != CLIENT:
            return _said(400, {"error": "invalid_client", "error_description": "Invalid client ID."})
        with self._change:
            found = self._rotate(form.get("refresh_token", ""), form.get("organization_id", ""))
        self._pass("rotated")
        if found is None:
            return _said(400, {"error": "invalid_grant", "error_description": "Session has already ended."})
        return _said(200, found)

    def _login(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """A device login (RFC 8628): the person confirms when `logins` is empty."""
        self.seen.append(form)
        if form.get("client_id") != CLIENT:
            return _said(400, {"error": "invalid_client"})
        if path.endswith("/device"):
            told = {"device_code": "dc-secret", "user_code": "ABCD-EFGH", "expires_in": 300, "interval": 5}
            return _said(200, {**told, "verification_uri": "https://auth.example.org/device"})
        if form != {"grant_type": DEVICE_GRANT, "device_code": "dc-secret", "client_id": CLIENT}:
            self.complaints.append(f"a login's form: {sorted(form)}")
        if self.logins:
            return _said(400, {"error": self.logins.popleft()})
        account = self.account()
        return _said(200, {"access_token": account.access_token, "refresh_token": account.refresh_token})

    def _form(self, path: str, headers: dict[str, str], raw: bytes) -> dict[str, str]:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        form = dict(pairs)
        wrong = [
            path != "/user_management/authenticate" and f"path {path}",
            headers.get("content-type") != "application/x-www-form-urlencoded" and "not a form",
            len(form) != len(pairs) and "a field twice",
            form.get("grant_type") != "refresh_token" and "grant_type",
            bool(set(form) - {"grant_type", "refresh_token", "client_id", "organization_id"}) and "unknown fields",
            "" in form.values() and "an empty field",
            "authorization" in headers and "an authorization header",
        ]
        self.complaints += [problem for problem in wrong if isinstance(problem, str)]
        return form

    def _rotate(self, token: str, organization: str) -> dict[str, Any] | None:
        for account in self.accounts.values():
            previous = f"rt-{account.name}-{account.number - 1}-secret"
            is_previous = self.is_graceful and token == previous
            if token != account.refresh_token and not is_previous:
                continue
            if not is_previous:
                account.number += 1
                account.refreshes += 1
            account.organization = organization
            told = {"access_token": account.access_token, "refresh_token": account.refresh_token, **self.extra}
            told["user"] = {"id": "user_1", "email": f"{account.name}@example.org"}
            return {name: value for name, value in told.items() if value is not None}
        return None

    def _pass(self, place: str) -> None:
        with self._change:
            self._waiting[place] += 1
            self._change.notify_all()
            self._change.wait_for(lambda: not self._held[place], 60)
            self._waiting[place] -= 1


def _said(status: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


def a_jwt(**claims: Any) -> str:
    """A JSON web token that nobody has signed."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "signature"])


def within(seconds: float, claim: Callable[[], object]) -> bool:
    """Does it come true in that time?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.01)
    return bool(claim())


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answered, body = server.answer(self.path, headers, raw)
            try:
                self.send_response(status)
                for name, value in {**answered, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the asker was killed

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
