"""From a caller's body and a target to the request that goes out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from proxyapp.dialects.contract import Body, ClientSide, Dialect, UpstreamSide
from proxyapp.dialects.registry import DIALECTS, NEEDS_BYTES
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.affinity import account_of, has_choice, prefer
from proxyapp.engine.call import Call
from proxyapp.engine.conversation import STATEFUL, Conversation
from proxyapp.engine.estimate import Factors, tokens, weigh
from proxyapp.engine.identity import new_id
from proxyapp.engine.media import Fetcher, Media, Needs
from proxyapp.engine.recollection import Recollection
from proxyapp.engine.roads import PassThrough, Road, Translation
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.snapshot import Model
from proxyapp.engine.toolless import speaks_of_tools, without_tools
from proxyapp.errors import BodyUnreadable, GatewayError, NoHealthyUpstream, UpstreamBroken, UpstreamFault
from proxyapp.ir import levels, prompts
from proxyapp.ir.notes import Notes
from proxyapp.ir.parts import Text
from proxyapp.ir.profile import Profile
from proxyapp.ir.request import Request
from proxyapp.upstreams.betas import under_level
from proxyapp.upstreams.contract import Credential, Kind, Outbound, Sending, enclosing
from proxyapp.upstreams.registry import KINDS

USER_AGENT = "dragoman"
COMPARING = ("claude-cli/",)
"""Callers that compare the model's name in an answer with the one they asked for, and leave thinking out of the next
request when the two differ. All others get the answer's bytes as they are."""
MESSAGES, BETAS = "anthropic-messages", "anthropic-beta"
PASSED_ON = ("anthropic-version", BETAS, "openai-beta", "idempotency-key")
"""The caller's request headers that reach an upstream of the same dialect. Nothing else does."""
CONVERSATION = ("x-session-id", "x-claude-code-session-id", "x-assistant-message-id", "x-factory-client")
"""The caller's words for the conversation, whatever the dialect; few kinds have a place for them."""


class Preparation:
    """Makes a Road for each target of one request; the caller's body is parsed once, and only if needed."""

    operation = ""

    def __init__(
        self,
        call: Call,
        body: Body,
        model: Model,
        client: str,
        sealer: Sealer,
        max_event_bytes: int,
        recollection: Recollection,
        factors: Factors | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._call = call
        self._body = body
        self._model = model
        self._client = client
        self._sealer = sealer
        self._max_event_bytes = max_event_bytes
        self.recollection = recollection
        self.conversation: Conversation | None = None
        """What the caller wants kept, or has kept; None for dialects without state."""
        self._factors = factors or {}
        self._media = Media(fetcher)
        self._profiles: dict[tuple[str, str], Profile] = {}
        self._side: UpstreamSide | None = None
        """Of the latest attempt."""
        self._now = int(time.time())
        self._parsed: Request | None = None
        self._unread = Notes()
        """What the caller's dialect could not put into words of the IR; told again with every attempt."""

    @property
    def level(self) -> str:
        """The operator's reasoning level."""
        return self._model.reasoning

    async def choose(self, plan: Plan) -> Plan:
        """The plan with the accounts first to whom this conversation's thread or reasoning belongs. Raises
        ThreadNotFound."""
        passes = any(self.passes(target) for target in plan.targets)
        if passes and (holders := await self.recollection.thread_holders(self._call.dialect.name, self._body)):
            return prefer(plan, holders)
        if not has_choice(plan):
            return plan
        self.recollection.watches = True
        for target in plan.targets:
            await self._recollect(target)
        return await self.recollection.prefer(plan, self._body.raw)

    async def recall(self, target: Target) -> None:
        """Before a road is made: what the caller could not keep of earlier answers and media that it gave by address,
        if this target needs them. Raises BadRequest for media that cannot be had."""
        await self._recollect(target)
        if not self.passes(target):
            await self._bring_media(target)

    async def _recollect(self, target: Target) -> None:
        if not self.passes(target):
            await self.recollection.look_up(self.request)

    def passes(self, target: Target) -> bool:
        """Does the caller's body go to this target as it came: in its own dialect, without what the model has not?
        False as well where that cannot be told: `road` says why."""
        try:
            if self._dialect_of(target) is not self._call.dialect:
                return False
            return self._profile(target).tools or not speaks_of_tools(self.request())
        except GatewayError:
            return False

    def _profile(self, target: Target) -> Profile:
        """What the model can do there."""
        name = (target.upstream.name, target.model)
        if name not in self._profiles:
            self._profiles[name] = profile_of(kind_of(target), target, self._model)
        return self._profiles[name]

    async def _bring_media(self, target: Target) -> None:
        try:
            request, needs = self.request(), self._needs(target)
        except GatewayError:  # `road` says so
            return
        await self._media.bring(request, needs, target.upstream.name, lenient=self._model.lenient)

    def _needs(self, target: Target) -> Needs:
        needs = NEEDS_BYTES.get(self._dialect_of(target).name)
        if needs is None:
            return lambda part: False
        return lambda part: needs(part, self._profile(target))

    def road(self, target: Target, credential: Credential | None) -> Road:
        """Raises BadRequest and Unsupported in the caller's words, NoHealthyUpstream for an unknown kind."""
        try:
            road = self._road(target, credential)
        except RecursionError as exc:  # read just so, and too deep to be written again
            raise BodyUnreadable("The body is nested too deeply.") from exc
        return self.conversation.around(road) if self.conversation is not None else road

    def _road(self, target: Target, credential: Credential | None) -> Road:
        dialect = self._dialect_of(target)
        side = self._side = self.upstream_side(target, credential)
        if self.passes(target):
            watch, body = self.recollection.watches, self._body
            side.without_proofs = self.recollection.passes(body)
            if self.conversation is not None and dialect.name in STATEFUL:
                body = self.conversation.for_upstream(body, side)
            rename = self._call.headers.get("user-agent", "").startswith(COMPARING)
            return PassThrough(dialect, body, target.model, side, self._max_event_bytes, watch=watch, rename=rename)
        request = self.request_for(target, side)
        side.notes.items.extend(self._unread.items)
        weight = weigh(request)
        client_side = ClientSide(
            sealer=self._sealer,
            notes=side.notes,
            new_id=new_id,
            now=self._now,
            estimate_input=tokens(weight, self.factor(target)),
            headers=self._call.headers,
            asked=self._call.asked,
        )
        client, upstream = (self._call.dialect, client_side), (dialect, side)
        learned_from = None if weight.media else weight.text
        return Translation(client, upstream, request, self._max_event_bytes, learned_from)

    def request_for(self, target: Target, side: UpstreamSide) -> Request:
        """The request as this target gets it: with the operator's prompt and level, what was recalled, and media's
        bytes."""
        asked = self.request() if side.profile.tools else without_tools(self.request(), side)
        request = with_prompt(asked, side.system_prompt)
        if side.level is not None:
            side.drop(request.word("reasoning"), levels.sentence(side.level), ours=True)
            request = levels.under(request, side.level)
        request = self.recollection.enrich(request, side)
        return self._media.applied(request, self._needs(target))

    def factor(self, target: Target) -> float:
        """By how much the target's own counts of tokens differ from what is reckoned here."""
        return self._factors.get((target.upstream.name, target.model), 1.0)

    def outbound(self, road: Road, target: Target, credential: Credential | None, *, stream: bool) -> Outbound:
        """The HTTP request. The operator's own headers win over the kind's."""
        kind, dialect = kind_of(target), self._dialect_of(target).name
        profile = self._profile(target)
        stream, passes = stream and profile.streaming, not road.translated
        sending = sending_of(self._call, target, dialect, profile, stream=stream, passes=passes, level=self.level)
        headers = headers_for(target, credential, sending, accept="text/event-stream" if stream else "application/json")
        url = kind.url(target.upstream, target.model, dialect=dialect, stream=stream)
        if road.query:
            url += ("&" if "?" in url else "?") + urlencode(road.query)
        return Outbound("POST", url, headers, enclosed(kind, target, sending, road.body))

    def refusal(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return refusal_of(self._dialect_of(target), target, status, headers, body)

    def mends(self, error: UpstreamFault) -> bool:
        """The one 400 that is sent again: without the proofs that it is about."""
        return self.recollection.strips(error)

    async def settle(self, road: Road, last: bytes) -> bytes:
        """An answer is complete: what later requests will need of it is safe before `last` goes out."""
        if self._side is not None and road.error is None:
            await self.recollection.keep(road, self._side.account)
        if self._side is not None and self.conversation is not None:
            return await self.conversation.settle(last, self._side)
        return last

    def error_event(self, error: GatewayError) -> bytes:
        """The caller's error event, for a stream that never had content."""
        side = ClientSide(sealer=self._sealer, new_id=new_id, now=self._now)
        request = Request(client_dialect=self._call.dialect.name, model="", stream=True)
        return self._call.dialect.encoder(request, side).fail(error)

    def request(self) -> Request:
        """The caller's body in neutral words. Raises BadRequest."""
        if self._parsed is None:
            side = ClientSide(
                sealer=self._sealer,
                notes=self._unread,
                new_id=new_id,
                now=self._now,
                headers=self._call.headers,
                asked=self._call.asked,
            )
            try:
                self._parsed = self._call.dialect.parse_request(self._body.whole(), side)
            except RecursionError as exc:  # read just so, and too deep to be looked through
                raise BodyUnreadable("The body is nested too deeply.") from exc
        return self._parsed

    def upstream_side(self, target: Target, credential: Credential | None) -> UpstreamSide:
        """What a dialect may use in one attempt."""
        return UpstreamSide(
            profile=self._profile(target),
            sealer=self._sealer,
            system_prompt=system_prompt(target, self._model),
            max_output=self._model.max_output_tokens,
            level=levels.settings_of(self._model.reasoning),
            lenient=self._model.lenient,
            account=account_of(target, credential),
            model=target.model,
            new_id=new_id,
            now=self._now,
            caller=self._client,
        )

    def _dialect_of(self, target: Target) -> Dialect:
        return DIALECTS[kind_of(target).dialect(target.upstream, target.model, self._call.dialect.name)]


def sending_of(
    call: Call,
    target: Target,
    dialect: str,
    profile: Profile,
    *,
    stream: bool = False,
    passes: bool,
    level: str = levels.AUTO,
) -> Sending:
    """What a kind is told of a request. `passes`: the caller's body goes out in its own dialect."""
    names = (*PASSED_ON, *CONVERSATION) if passes else CONVERSATION
    caller = {name: call.headers[name] for name in names if name in call.headers}
    if level != levels.AUTO and dialect == MESSAGES:
        betas = under_level(caller.pop(BETAS, ""), level, profile)
        caller |= {BETAS: betas} if betas else {}
    return Sending(
        dialect=dialect,
        model=target.model,
        profile=profile,
        stream=stream,
        caller=caller,
        request_id=call.request_id,
    )


def enclosed(kind: Kind, target: Target, sending: Sending, body: bytes) -> bytes:
    """The body with what servers of this kind want around it."""
    encloses = enclosing(kind)
    return body if encloses is None else encloses.enclosed(target.upstream, sending, body)


def headers_for(
    target: Target,
    credential: Credential | None,
    sending: Sending,
    *,
    accept: str = "application/json",
    content_type: str = "application/json",
) -> dict[str, str]:
    """The headers of a request that goes out. The operator's own win over the kind's."""
    headers = {
        "content-type": content_type,
        "accept": accept,
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
    }
    secret = None if credential is None or credential.verbatim else credential.secret
    headers.update(kind_of(target).headers(target.upstream, secret, sending))
    if credential is not None and credential.verbatim:
        headers["authorization"] = credential.secret
    headers.update({name.lower(): value for name, value in target.upstream.headers.items()})
    return headers


def refusal_of(dialect: Dialect, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """An upstream's answer of 300 or more as an error. Redirects are never followed."""
    if status < 400:
        return UpstreamBroken(f"The upstream {target.upstream.name} answered with a redirect ({status}).")
    if status > 599:
        return UpstreamBroken(f"The upstream {target.upstream.name} answered with the unknown status {status}.")
    return dialect.parse_error(status, headers, body)


def system_prompt(target: Target, model: Model) -> str:
    """The operator's: the upstream's, then the model's."""
    return prompts.joined(text for text in (target.upstream.system_prompt, model.system_prompt) if text.strip())


def with_prompt(request: Request, prompt: str) -> Request:
    """The request with the operator's prompt before the caller's, once."""
    if not prompt or prompts.is_there(prompt, [text.text for text in request.system]):
        return request
    return msgspec.structs.replace(request, system=[Text(text=prompt), *request.system])


def kind_of(target: Target) -> Kind:
    kind = KINDS.get(target.upstream.kind)
    if kind is None:
        raise NoHealthyUpstream(f"The upstream {target.upstream.name} is of a kind this version does not know.")
    return kind


def profile_of(kind: Kind, target: Target, model: Model) -> Profile:
    """What the model can do there, with the operator's overrides."""
    profile = kind.profile(target.upstream, target.model)
    changes = {name: value for name, value in model.profile.items() if name in Profile.__struct_fields__}
    if model.max_output_tokens is not None:
        changes["max_output"] = model.max_output_tokens
    return msgspec.structs.replace(profile, **changes) if changes else profile
