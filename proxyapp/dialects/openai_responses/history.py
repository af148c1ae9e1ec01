"""A caller's `input` on its way to an upstream of the same dialect: out goes what the upstream would refuse.

Our own envelopes go (opened for their owner, removed for everybody else), ids that are not OpenAI's, and reasoning
that cannot be sent back. Rules: reference/translation.md 2.3 Target R and 6.3.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_responses import ids
from proxyapp.dialects.openai_responses.tables import FAMILY
from proxyapp.dialects.signatures import is_sealed

_TOUCHED = (b'"id"', b'"reasoning"')
"""Without one of these words there is nothing to take out; most inputs need no look at their items."""
_raws = msgspec.json.Decoder(list[Raw])


def cleaned(raw: Raw, side: UpstreamSide, *, stores: bool) -> Raw:
    """The same input; every item that needs no change keeps its bytes. Something else than a list stays: the upstream
    will say what is wrong with it."""
    if not any(word in bytes(raw) for word in _TOUCHED):
        return raw
    try:
        raws = _raws.decode(raw)
    except msgspec.DecodeError:
        return raw
    items = [jsonio.decode(each) for each in raws]
    kept: list[Any] = []
    for item in items:
        changed = _item(item, side, stores=stores) if isinstance(item, dict) else item
        if changed is not None:
            kept.append(changed)
    kept = ids.followed(kept)
    same = {id(item): raw_item for item, raw_item in zip(items, raws, strict=True)}
    if len(kept) == len(items) and all(id(item) in same for item in kept):
        return raw
    return Raw(jsonio.encode([same.get(id(item), item) for item in kept]))


def _item(item: dict[str, Any], side: UpstreamSide, *, stores: bool) -> dict[str, Any] | None:
    """None = it cannot be sent."""
    if item.get("type") == "reasoning":
        return _reasoning(item, side, stores=stores)
    return ids.with_legal_id(item)


def _reasoning(item: dict[str, Any], side: UpstreamSide, *, stores: bool) -> dict[str, Any] | None:
    if side.without_proofs:
        side.drop("input", "The upstream could not read earlier reasoning; it was sent without.")
        return None
    proof = item.get("encrypted_content")
    if isinstance(proof, str) and is_sealed(proof):
        own = side.sealer.unwrap(proof, family=FAMILY, group=side.profile.model_group, account=side.account)
        if own is None:
            return None
        item = {**item, "encrypted_content": own}
    elif not proof and not stores:
        return None  # without its proof the upstream would have to have kept it (corner case 188)
    if side.profile.metadata and not ids.is_legal("reasoning", item.get("id")):
        return None  # OpenAI wants its own id back; other servers have ids of other forms
    return item
