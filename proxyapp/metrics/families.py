"""The words of measuring: a family is a name with its labels, a reading is a family with its numbers.

A label may hold what the operator has configured (names of upstreams, pools, tokens) and words of our own (dialects,
outcomes, error codes). Never a secret, and never a caller's text: each new value is a new series for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

Labels = tuple[str, ...]
"""Values, in the order of the family's labels."""
Numbers = tuple[float, ...]
"""One number; of a histogram the count of each bucket (not cumulated, the last is the rest) and the sum."""


class Kind(Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(Enum):
    """How the gauges of several workers become one. Counters and histograms are always added."""

    SUM = "sum"
    LEAST = "min"
    MOST = "max"


class Family(Struct, frozen=True):
    """One metric. `name` of a counter is without its `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM
    bounds: tuple[float, ...] = ()
    """Upper ends of a histogram's buckets, rising; the last one, without end, is not among them."""


class Reading(Struct, frozen=True):
    """What a source says when it is asked: `Reading(TOKENS, {("anthropic", "fresh"): 1})`."""

    family: Family
    values: Mapping[Labels, float | Numbers]


def counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.COUNTER, text, labels)


def gauge(name: str, text: str, *labels: str, merge: Merge = Merge.SUM) -> Family:
    return Family(name, Kind.GAUGE, text, labels, merge)


def histogram(name: str, text: str, *labels: str, bounds: tuple[float, ...]) -> Family:
    return Family(name, Kind.HISTOGRAM, text, labels, bounds=bounds)


def merged(family: Family, one: Numbers, other: Numbers) -> Numbers:
    """The numbers of two workers as one."""
    if family.kind is Kind.GAUGE and family.merge is not Merge.SUM:
        choose = min if family.merge is Merge.LEAST else max
        return tuple(choose(a, b) for a, b in zip(one, other, strict=True))
    return tuple(a + b for a, b in zip(one, other, strict=True))
