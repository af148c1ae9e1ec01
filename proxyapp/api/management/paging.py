"""The query of a list: which filters there are, how much of it, from where."""

from __future__ import annotations

from rest_framework.request import Request

from proxyapp.errors import BadRequest

USUAL, MOST = 100, 1000
FURTHEST = 10**9


def filters(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """The query as it came, `?key=` left out. Raises BadRequest for what nobody knows and for what comes twice."""
    found = {}
    for name, values in request.query_params.lists():
        if name == "key":
            continue
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there are none"
            raise BadRequest(f"There is no filter {name!r}; {there}.", param=name)
        if len(values) > 1:
            raise BadRequest(f"{name} is given twice.", param=name)
        found[name] = values[0]
    return found


def page(said: dict[str, str]) -> tuple[int, int]:
    """`limit` and `offset`. Raises BadRequest."""
    return _number(said, "limit", USUAL, 1, MOST), _number(said, "offset", 0, 0, FURTHEST)


def _number(said: dict[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = said.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a number from {least} to {most}.", param=name)
    return int(text)
