"""Log probabilities of tokens: Chat's form in the IR, `logprobsResult` on this wire."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]


def parse(raw: Any) -> list[Raw]:
    """One object a token, in Chat's form; empty when there are none."""
    if not isinstance(raw, dict):
        return []
    tops = [entry.get("candidates") for entry in _objects(raw.get("topCandidates"))]
    tokens = []
    for index, chosen in enumerate(_objects(raw.get("chosenCandidates"))):
        beside = _objects(tops[index]) if index < len(tops) else []
        tokens.append({**_token(chosen), "top_logprobs": [_token(entry) for entry in beside]})
    return tokens


def _token(entry: Raw) -> Raw:
    token = str(entry.get("token") or "")
    value = entry.get("logProbability")
    return {
        "token": token,
        "logprob": value if isinstance(value, int | float) else 0.0,
        "bytes": list(token.encode()),
    }


def render(tokens: list[Raw]) -> Raw:
    """`logprobsResult`."""
    return {
        "chosenCandidates": [_candidate(token) for token in tokens],
        "topCandidates": [
            {"candidates": [_candidate(top) for top in _objects(token.get("top_logprobs"))]} for token in tokens
        ],
    }


def _candidate(token: Raw) -> Raw:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}


def _objects(value: Any) -> list[Raw]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
