"""Takes secrets out of bytes before they are stored. What is taken out becomes `[redacted]`; JSON stays JSON.

A secret is known by how it begins. Looking for eleven beginnings one by one costs eleven passes, and a compiled
alternation costs more; so the bytes are folded once (one `translate`): a letter that stands third from the end of a
beginning becomes 1, one that stands second becomes 2, a dash, underscore or equals sign becomes 3. `sk-`, `fk-`,
`gsk_`, `xai-`, `ghp_`, `github_pat_`, `key=` and `PRIVATE KEY-----` then all hold the same three bytes. Only around a
hit is anything compared, and only there does a regular expression run, anchored.

Imports no Django: the journal calls it from the event loop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

MARK = b"[redacted]"
LEAST = 8
"""Shorter extra secrets are ignored: they would be found in ordinary words."""

Span = tuple[int, int]
Rule = Callable[[bytes, int], "Span | None"]
"""(data, place of the folded hit) -> what to take out."""

# A key stands at the beginning of a word. An escape of JSON or of a URL ends the word before it: \n, \u0026, %20.
_ESCAPE_ENDS = rb"(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
_WORD_BEGINS = rb"(?:(?<![A-Za-z0-9_-])|" + _ESCAPE_ENDS + rb")"
# In base64 a + or / is no end of a word.
_BASE64_BEGINS = rb"(?:(?<![A-Za-z0-9+/_-])|" + _ESCAPE_ENDS + rb")"
# `\fk-` is a form feed and a k in JSON.
_NOT_ESCAPED = rb"(?<!\\)"
# `sk-learn-contrib-project` is no key: a key holds a digit or a capital, or a run of letters that no word has.
_LOOKS_RANDOM = rb"(?=[a-z_-]*+[A-Z0-9]|[a-z_-]*[a-z]{16})"
_SECRET = _LOOKS_RANDOM + rb"[A-Za-z0-9_-]{16,}"


def _rule(pattern: bytes, ahead: int = 0, group: int = 0) -> Rule:
    """What `pattern` matches (or its group), beginning `ahead` bytes before the place."""
    match = re.compile(pattern).match

    def rule(data: bytes, place: int) -> Span | None:
        found = match(data, place - ahead) if place >= ahead else None
        return found.span(group) if found else None

    return rule


_query_value = _rule(rb"""key=((?![${(])[^\x00-\x20\x7f-\xff"'`\\&#<>]+)""", 1, 1)
_QUERY_STARTS = (b"?", b"&", b"&amp;", rb"\u0026", rb"\u003f", rb"\u003F", b"%26", b"%3F", b"%3f")


def _query_key(data: bytes, place: int) -> Span | None:
    """The value of a URL's `key` parameter; `place` is the e of `key=`."""
    return _query_value(data, place) if data[max(0, place - 7) : place - 1].endswith(_QUERY_STARTS) else None


# In JSON, and in JSON inside JSON, line ends are escapes. A block that was cut short goes as far as it is base64.
_pem_block = _rule(
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    rb"(?:(?:[A-Za-z0-9+/=\s:,.]++|-(?!----)|\\++[nrt/])*+-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    rb"|(?:(?:\s|\\++[nrt])*+(?:[A-Za-z0-9+/=]|\\++/){16,}+)*+"
    rb"(?:(?:\s|\\++[nrt])*+(?:[A-Za-z0-9+/=]|\\++/)++(?=[\\\"']|\Z))?)"
)


def _pem(data: bytes, place: int) -> Span | None:
    """A private key; `place` is the E of `KEY-----` in its first line."""
    start = data.rfind(b"-----BEGIN ", max(0, place - 64), place)
    return _pem_block(data, start) if start >= 0 else None


FOLD = bytes.maketrans(
    b"sfahe" + b"E" + b"kipty" + b"Y" + b"-_=" + b"IKz", b"\1" * 6 + b"\2" * 6 + b"\3" * 3 + b"\4" * 3
)

RULES: dict[bytes, dict[bytes, tuple[Rule, ...]]] = {
    b"\1\2\3": {
        # The gateway's own keys wherever they stand, also when the body was cut in the middle of one.
        b"sk-": (_rule(rb"sk-dg-[A-Za-z0-9_-]{8,}"), _rule(_WORD_BEGINS + rb"sk-" + _SECRET)),
        b"fk-": (_rule(_NOT_ESCAPED + _WORD_BEGINS + rb"fk-" + _SECRET),),
        b"ai-": (_rule(_WORD_BEGINS + rb"xai-" + _SECRET, 1),),
        b"sk_": (_rule(_WORD_BEGINS + rb"gsk_" + _SECRET, 1),),
        b"hp_": (_rule(_WORD_BEGINS + rb"ghp_" + _SECRET, 1),),
        b"at_": (_rule(_WORD_BEGINS + rb"github_pat_" + _SECRET, 8),),
        b"ey=": (_query_key,),
        b"EY-": (_pem,),
    },
    b"A\4\4": {
        b"AKI": (_rule(rb"(?:(?<=/)|" + _BASE64_BEGINS + rb")AKIA[A-Z0-9]{16}(?![A-Za-z0-9])"),),
        b"AIz": (
            _rule(_BASE64_BEGINS + rb"AIza[A-Za-z0-9_-]{30,}"),
            _rule(rb"(?<=/)AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9+/_=-])"),
        ),
    },
    b"\1r\1r ": {
        b"are": (
            _rule(rb"earer {1,4}((?=[A-Za-z._~+/-]*+[0-9]|[A-Za-z._~+/-]{24})(?:[A-Za-z0-9._~+/=-]|\\/){8,})", 1, 1),
        ),
    },
}
"""Folded hit -> bytes that stand there really -> rules, the first that applies."""


class Redactor:
    """`redact` with further secrets that are known exactly, such as the upstreams' keys. Safe in any thread."""

    def __init__(self, extra: Iterable[str | bytes] = ()) -> None:
        self._extra: tuple[bytes, ...] = ()
        self.register(extra)

    def register(self, extra: Iterable[str | bytes]) -> None:
        """Replaces the set of exact secrets. Those under 8 bytes, and bare numbers, are ignored."""
        known: set[bytes] = set()
        for secret in extra:
            text = secret.decode("utf-8", "replace") if isinstance(secret, bytes) else secret
            if len(text) >= LEAST and not text.isdecimal():
                known |= {text.encode("utf-8", "replace"), json.dumps(text)[1:-1].encode()}
        self._extra = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, data: bytes) -> bytes:
        """`data` itself when there is nothing to hide."""
        spans = list(_spans(data))
        for secret in self._extra:
            spans += [(_behind_escape(data, place), place + len(secret)) for place in _places(data, secret)]
        return _without(data, spans) if spans else data


redact = Redactor()
"""With the known beginnings alone."""


def _spans(data: bytes) -> Iterator[Span]:
    folded = data.translate(FOLD)
    for needle, rules in RULES.items():
        done = 0
        for place in _places(folded, needle):
            if place < done:  # inside what goes out already; looking again would make a row of keys quadratic
                continue
            span = _first(rules.get(data[place : place + 3], ()), data, place)
            if span:
                done = span[1]
                yield span


def _first(rules: tuple[Rule, ...], data: bytes, place: int) -> Span | None:
    for rule in rules:
        span = rule(data, place)
        if span:
            return span
    return None


def _behind_escape(data: bytes, place: int) -> int:
    """`place`, or the one after it when the byte there ends an escape of JSON, as the n of a line end does."""
    before = data[max(0, place - 32) : place]
    return place + (len(before) - len(before.rstrip(b"\\"))) % 2


def _places(data: bytes, needle: bytes) -> Iterator[int]:
    place = data.find(needle)
    while place >= 0:
        yield place
        place = data.find(needle, place + 1)


def _without(data: bytes, spans: list[Span]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            pieces += [data[done:start], MARK]
        done = max(done, end)
    return b"".join([*pieces, data[done:]])
