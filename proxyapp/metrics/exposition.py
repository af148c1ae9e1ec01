"""The numbers as Prometheus reads them: its text format, or OpenMetrics for those who ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from proxyapp.metrics.families import Family, Kind, Labels, Numbers
from proxyapp.metrics.meter import Table


class _Numbers(Collector):
    def __init__(self, table: Table) -> None:
        self._table = table

    def collect(self) -> Iterator[Metric]:
        for family in sorted(self._table, key=lambda family: family.name):
            yield _metric(family, self._table[family])


def expose(table: Table, accept: str) -> tuple[bytes, str]:
    """The text and its media type, by the asker's `Accept`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(table))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def _metric(family: Family, values: dict[Labels, Numbers]) -> Metric:
    rows = sorted(values.items())
    if family.kind is Kind.HISTOGRAM:
        timed = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        ends = [*(repr(bound) for bound in family.bounds), "+Inf"]
        for labels, (*buckets, total) in rows:
            timed.add_metric(labels, list(zip(ends, accumulate(buckets), strict=True)), total)
        return timed
    form = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = form(family.name, family.help, labels=family.labels)
    for labels, numbers in rows:
        metric.add_metric(labels, numbers[0])
    return metric
