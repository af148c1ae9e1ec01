"""Anthropic's message threads, on the road to an upstream that holds them.

A thread belongs to the account of the gateway's key, and its next turn names nothing but the last message. So that no
client goes on with another's, and so that it goes back to the account that holds it, each answer of a thread is noted
by client. A turn that goes on from anything else is answered as by a server that has lost the thread: the SDKs then
send the whole conversation (reference/clients.md 3).
"""

from __future__ import annotations

from proxyapp.dialects.anthropic.tables import NAME
from proxyapp.dialects.contract import Body
from proxyapp.dialects.signatures import account_hash
from proxyapp.engine.memory import Found, Kept
from proxyapp.ir.parts import Reasoning


def has_thread(dialect: str, body: Body) -> bool:
    """Does the caller want its conversation held?"""
    return dialect == NAME and "thread" in body.top and body.get("thread") is not None


def continued(body: Body) -> str | None:
    """The name under which the message was noted from which this turn goes on; None for a thread's first turn, and for
    what the upstream will refuse."""
    thread = body.get("thread")
    if not isinstance(thread, dict) or thread.get("type") != "continue":
        return None
    message = thread.get("previous_message_id")
    return name_of(message) if isinstance(message, str) and message else None


def name_of(message_id: str) -> str:
    return f"thread_{message_id}"


def held_by(message_id: str, account: str) -> Found:
    """What to remember of an answer: who holds it."""
    holder = Kept(Reasoning(meta={"proof": {"account": account_hash(account)}}), is_near=False)
    return {name_of(message_id): [holder]}
