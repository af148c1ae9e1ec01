"""`reasoning_details`: the list in which Chat messages carry reasoning with its proof.

OpenRouter's form (reference/upstreams.md 5.7), which we also use to give callers the proofs of other vendors, sealed
(reference/translation.md 6.4). An OpenRouter entry comes back to its server unmodified: all of it but the text is
kept as the part's proof, of the family `openrouter`.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_chat.content import thinking_text
from proxyapp.dialects.signatures import Sealer, account_hash, is_sealed
from proxyapp.ir.parts import Part, Reasoning

FAMILY = "openrouter"
_TEXT_KEYS = {"reasoning.summary": "summary"}
ENCRYPTED = "reasoning.encrypted"


def text_of(message: Any) -> str:
    """Plain reasoning text of a message or delta, under any of the names that servers use."""
    for value in (message.reasoning_content, message.reasoning):
        if value and isinstance(value, str):
            return value
    if isinstance(message.thinking_blocks, list):
        return "".join(thinking_text(block.get("thinking")) for block in message.thinking_blocks if _is_object(block))
    return ""


def entries_of(value: Any) -> list[dict[str, Any]]:
    """The usable entries of a `reasoning_details` value of any kind."""
    return [entry for entry in value if _is_object(entry)] if isinstance(value, list) else []


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def text_key(entry: dict[str, Any]) -> str:
    return _TEXT_KEYS.get(str(entry.get("type")), "text")


def entry_text(entry: dict[str, Any]) -> str:
    value = entry.get(text_key(entry))
    return value if isinstance(value, str) else ""


def entry_proof(entry: dict[str, Any]) -> str:
    """All of an entry but its text, as the proof that later returns with it."""
    key = text_key(entry)
    return jsonio.text({name: value for name, value in entry.items() if name != key})


def read_history(message: dict[str, Any], sealer: Sealer) -> list[Reasoning]:
    """The reasoning of an assistant message that a caller sends back, first to last."""
    found = (_read_entry(entry, sealer) for entry in entries_of(message.get("reasoning_details")))
    parts = [part for part in found if part is not None]
    if any(part.text for part in parts):
        return parts
    plain = message.get("reasoning_content") or message.get("reasoning")
    return [Reasoning(text=plain), *parts] if plain and isinstance(plain, str) else parts


def _read_entry(entry: dict[str, Any], sealer: Sealer) -> Reasoning | None:
    words, redacted = entry_text(entry), entry.get("type") == ENCRYPTED
    token = entry.get("data") if redacted else entry.get("signature")
    if not (isinstance(token, str) and is_sealed(token)):
        return Reasoning(text=words, signature=entry_proof(entry), family=FAMILY, redacted=redacted)
    proof = sealer.open(token)
    if proof is None or proof.family == "none":  # altered, of another key, or of nobody: only the text is left
        return Reasoning(text=words) if words else None
    meta = {"proof": {"group": proof.group, "account": proof.account}}
    return Reasoning(text=words, signature=proof.payload, family=proof.family, redacted=redacted, meta=meta)


def give(part: Reasoning, index: int, sealer: Sealer) -> dict[str, Any] | None:
    """The entry that carries a part's proof to a caller; None when it has no proof."""
    if part.signature is None or not part.family:
        return None
    proof = part.meta.get("proof", {})
    sealed = sealer.seal(
        part.signature, family=part.family, group=proof.get("group", ""), account=proof.get("account", "")
    )
    if part.redacted:
        return {"type": ENCRYPTED, "index": index, "data": sealed, "format": part.family}
    return {"type": "reasoning.text", "index": index, "text": part.text, "signature": sealed, "format": part.family}


def give_back(parts: list[Part], *, group: str, account: str) -> list[dict[str, Any]]:
    """The entries of an assistant turn that belong to this upstream, as it made them. Foreign ones are left out."""
    entries = []
    for part in parts:
        if isinstance(part, Reasoning) and part.family == FAMILY and _is_ours(part, group, account):
            entry = jsonio.try_object(part.signature)
            if entry is not None:
                entries.append({**entry, text_key(entry): part.text} if part.text else entry)
    return entries


def _is_ours(part: Reasoning, group: str, account: str) -> bool:
    """A proof without an owner's name came straight from the caller, who had it from the same kind of server."""
    proof = part.meta.get("proof")
    if proof is None:
        return True
    return proof["group"] in (group, group.replace(".", "_")) and proof["account"] in (account, account_hash(account))


def owner(side: UpstreamSide) -> dict[str, Any]:
    """The `meta` of a reasoning part that this upstream made: who may see its proof again."""
    return {"proof": {"group": side.profile.model_group, "account": side.account}}


def split(entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """An entry of a stream as its text and all the rest."""
    key = text_key(entry)
    return entry_text(entry), {name: value for name, value in entry.items() if name != key and value is not None}


def continues(entry: dict[str, Any], rest: dict[str, Any]) -> bool:
    """Does a fragment belong to the entry that is being read?"""
    return entry.get("index") == rest.get("index") and entry.get("type") == rest.get("type")


def merged(entry: dict[str, Any] | None, rest: dict[str, Any]) -> dict[str, Any]:
    return {**(entry or {}), **rest}
