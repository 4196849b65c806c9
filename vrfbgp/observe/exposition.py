"""Samples as Prometheus' text format, by its own library; the daemon's process metrics beside them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from vrfbgp.observe.metrics import Samples
from vrfbgp.observe.names import METRICS, Kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What every Prometheus reads; the library's own word for it depends on its version."""


class _Collected:
    """What a registry collects, made beforehand."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in self._samples.get(metric, ()):
                family.add_metric(labels, value)
            yield family


def text(samples: Samples) -> bytes:
    """All of it, for one answer; in any thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(samples))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
