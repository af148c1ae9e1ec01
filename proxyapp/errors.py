"""Every error the gateway can answer with, as one tree.

    GatewayError
      BadRequest              400  the body is malformed or impossible
        Unsupported           400  the upstream has no counterpart and dropping it would change the meaning
          ThreadsUnsupported  400  nobody holds the conversation for a caller that sends only its new turns
        BodyUnreadable        400  a body that is not JSON, or cut
        PreviousNotFound      400  the answer to go on from is not kept here for this client
      NotAuthenticated        401  no key, an unknown key, or two keys
      NoCredential            401  nothing to show the upstream, and nothing configured
      Forbidden               403  a known key that may not do this
      PathNotFound            404  no such endpoint
      ModelNotFound           404  no model of that name for this key
      ResponseNotFound        404  no kept answer of that id for this client
      ThreadNotFound          404  no message thread of this client to go on with
      MethodNotAllowed        405
      Conflict              409  it would contradict what is there (management)
      BodyTooSlow             408  a request body that stopped coming
      BodyTooLarge            413
      MediaTypeRefused        415  a compressed request body
      WebSocketRefused        426  a WebSocket where plain HTTP is spoken
      LimitReached            429  a limit or budget of the gateway, with retry_after
      InternalError           500  a fault of ours
      StoreAway               503  kept answers cannot be read now
      UpstreamFault           (the upstream's side; may move on to another target)
        UpstreamUnreachable   502  refused, reset, no address: nothing came back
        UpstreamBroken        502  an answer that cannot be read, or that was cut
        UpstreamCredential    502  the upstream refused the gateway's own credential
        UpstreamRefused       the upstream's own status: it understood and said no
        NoHealthyUpstream     503  every target is out
        UpstreamTimeout       504  connect is 502; first byte, idle and total are 504
      ShuttingDown            503

A class is a status, a code and a sentence. Raise anywhere; bytes are made in two places only:
`dialect.render_error` (nothing sent yet) and `encoder.fail` (the stream has begun).
Secrets never enter a message.
"""

from __future__ import annotations

from typing import Any, ClassVar

LONGEST_MESSAGE = 10_000
"""Characters. Messages repeat what callers and upstreams sent, and are kept in every row."""


class GatewayError(Exception):
    """Base of all. `message` is shown to the caller; `param` names the request field at fault, if one is."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        message = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        """Seconds to wait, when known."""


class BadRequest(GatewayError):
    """The caller's body is malformed or asks for something impossible. Raised while parsing, before any upstream."""

    status, code = 400, "invalid_request"


class Unsupported(BadRequest):
    """The chosen upstream cannot say this and leaving it out would change the answer's meaning."""

    code = "unsupported"


class ThreadsUnsupported(Unsupported):
    """The caller wants its conversation held (Anthropic's message threads) and this upstream cannot. The lenient switch
    does not help: the next request would hold only the new turns."""

    code = "thread_unsupported_request"


class BodyUnreadable(BadRequest):
    """The body is not JSON, not an object, or ended early."""

    code = "invalid_json"


class PreviousNotFound(BadRequest):
    """The Responses API's `previous_response_id` names nothing that is kept here for this client."""

    code = "previous_response_not_found"


class NotAuthenticated(GatewayError):
    """No gateway key, an unknown or expired one, or two that differ."""

    status, code = 401, "invalid_api_key"


class NoCredential(GatewayError):
    """The upstream has no credential at all and the caller brought none."""

    status, code = 401, "no_upstream_credential"


class Forbidden(GatewayError):
    """The key is known and may not do this: scope, model list, address."""

    status, code = 403, "forbidden"


class PathNotFound(GatewayError):
    """No endpoint at this path."""

    status, code = 404, "not_found"


class ModelNotFound(GatewayError):
    """No model of that name, or none this key may see."""

    status, code = 404, "model_not_found"


class ResponseNotFound(GatewayError):
    """No answer of that id is kept for this client: never was, was deleted, or its time is over."""

    status, code = 404, "response_not_found"


class ThreadNotFound(GatewayError):
    """The message from which a Messages caller's thread goes on is none of its own that an upstream holds."""

    status, code = 404, "thread_not_found"


class KeyNotFound(GatewayError):
    """Management: no gateway key of that id."""

    status, code = 404, "key_not_found"


class Conflict(GatewayError):
    """Management: the change contradicts what is there, such as a name that is taken."""

    status, code = 409, "conflict"


class MethodNotAllowed(GatewayError):
    """The endpoint exists, not with this method."""

    status, code = 405, "method_not_allowed"


class BodyTooSlow(GatewayError):
    """The caller's body stopped coming before it was complete."""

    status, code = 408, "request_timeout"


class BodyTooLarge(GatewayError):
    """The request body is over DRAGOMAN_MAX_BODY_MB."""

    status, code = 413, "request_too_large"


class MediaTypeRefused(GatewayError):
    """A compressed request body; those are not inflated."""

    status, code = 415, "unsupported_media_type"


class WebSocketRefused(GatewayError):
    """A caller tried a WebSocket. On this status Codex goes on over HTTP at once."""

    status, code = 426, "websocket_not_offered"


class LimitReached(GatewayError):
    """A limit or budget of this gateway. `retry_after` is the second at which the next call will pass."""

    status, code = 429, "rate_limit_exceeded"


class InternalError(GatewayError):
    """A fault of ours; the log has the traceback under the request id."""

    status, code = 500, "internal_error"


class StoreAway(GatewayError):
    """The database that keeps answers cannot be reached, and the request needs one."""

    status, code, retryable = 503, "store_unavailable", True


class ShuttingDown(GatewayError):
    """The server is stopping and this request outlived the time it was given."""

    status, code = 503, "shutting_down"


class UpstreamFault(GatewayError):
    """Something on the upstream's side. `upstream` is its configured name, never an account or address."""

    status, code, retryable = 502, "upstream_error", True

    def __init__(self, message: str, *, upstream: str = "", pool: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.upstream = upstream
        self.pool = pool
        """The proxy pool that had no way out, if that is what is wrong: a key with another pool may have one."""


class UpstreamUnreachable(UpstreamFault):
    """No connection, or one that was lost before an answer began."""

    code = "upstream_unreachable"


class UpstreamBroken(UpstreamFault):
    """The answer cannot be read: not the dialect's form, cut, oversized, or of no known kind."""

    code = "upstream_broken"


class UpstreamCredential(UpstreamFault):
    """The upstream refused the gateway's own key (its 401, 402 or 403). Moves on to the next key or route."""

    code = "upstream_credential"


class NoHealthyUpstream(UpstreamFault):
    """Every target of the model is out, or has no usable credential left."""

    status, code = 503, "no_healthy_upstream"


class UpstreamTimeout(UpstreamFault):
    """First byte, idle or total time ran out (which one is in the message). A connect time-out is Unreachable."""

    status, code = 504, "upstream_timeout"


class UpstreamRefused(UpstreamFault):
    """The upstream answered with an error of its own: an HTTP status >= 400, or an error inside a 200 or a stream.

    Made by `dialect.parse_error` and the decoders. `kind` and `upstream_code` are the upstream's own words
    (`error.type`, `error.code`); `body` is the answer as it came, for callers that speak the same dialect.
    """

    code = "upstream_refused"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str | None = None,
        upstream_code: str | None = None,
        details: Any = None,
        dialect: str = "",
        body: bytes = b"",
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.status = status
        self.kind = kind
        self.upstream_code = upstream_code
        self.details = details
        self.dialect = dialect
        self.body = body
        self.retryable = status in (408, 409, 429) or status >= 500
