"""What there is beside inference, by kind of upstream: asked of the kinds themselves."""

from __future__ import annotations

from proxyapp.dialects.registry import COUNTERS, EMBEDDERS
from proxyapp.engine.forwarding import ENDPOINTS
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.registry import KINDS
from tests.corpus.exchanges import SPOKEN
from tests.corpus.table import NAME

_ADDRESSES = {"openai_compatible": "https://models.example.org", "azure": "https://name.openai.azure.com"}
_MODELS = {"factory": ("m", "claude-opus-5-5")}
"""Models of which different things hold: one of no name, and one whose maker has a counter."""
KIND_NAMES = tuple(name for name in KINDS if name != "demo")


def offers(kind: str, operation: str, model: str = "m") -> bool:
    upstream = Upstream(name="up", kind=kind, base_url=_ADDRESSES.get(kind))
    return KINDS[kind].operation_url(upstream, model, operation) is not None


def table() -> dict[str, list[str]]:
    """row -> a word for each of `KIND_NAMES`"""
    embedders = [embedding.operation for embedding in EMBEDDERS.values()]
    rows = {
        "tokens of a prompt": [_counted(kind) for kind in KIND_NAMES],
        "embeddings": [_any(kind, embedders, "yes", "400") for kind in KIND_NAMES],
        "conversations of Responses kept": ["here" for _ in KIND_NAMES],
    }
    return rows | {
        f"`/v1/{name}`": [_any(kind, [name], "passed on", "400") for kind in KIND_NAMES] for name in ENDPOINTS
    }


def _counted(kind: str) -> str:
    words = {model: _counted_of(kind, model) for model in _MODELS.get(kind, ("m",))}
    if len(set(words.values())) == 1:
        return words["m"]
    return "; ".join(f"{word} for {'others' if model == 'm' else 'Claude'}" for model, word in sorted(words.items()))


def _counted_of(kind: str, model: str) -> str:
    """A count is asked for in the dialect that is spoken with the upstream."""
    upstream = Upstream(name="up", kind=kind, base_url=_ADDRESSES.get(kind))
    spoken = {caller: KINDS[kind].dialect(upstream, model, caller) for caller in SPOKEN}
    asked = [
        caller for caller, name in spoken.items() if name in COUNTERS and offers(kind, COUNTERS[name].operation, model)
    ]
    if len(asked) in (0, len(SPOKEN)):
        return "counted there" if asked else "estimated"
    return f"counted there for callers of {', '.join(NAME[caller] for caller in asked)}, else estimated"


def _any(kind: str, operations: list[str], word: str, otherwise: str) -> str:
    return word if any(offers(kind, operation) for operation in operations) else otherwise
