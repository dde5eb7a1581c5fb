"""Metrics in the text format of Prometheus: what the store says, and what this process has answered."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import mtnas
from mtnas.store import Store
from mtnas.store.gauges import Reading
from mtnas.store.jobs.submission import SHORT_KINDS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)


class Requests:
    """What one process has answered."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = Counter(
            "mtnas_http_requests", "Answers by method and status.", ["method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "mtnas_http_request_seconds", "Time to answer.", ["method"], buckets=_BUCKETS_S, registry=self.registry
        )

    def note(self, method: str, status: int, seconds: float) -> None:
        """One answer."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._count.labels(known, str(status)).inc()
        self._seconds.labels(known).observe(seconds)


def metrics(store: Store, requests: Requests) -> bytes:
    """All metrics at this moment."""
    registry = CollectorRegistry()
    registry.register(_OfStore(store.gauges.read()))
    return generate_latest(registry) + generate_latest(requests.registry)


class _OfStore(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        """The reading as metrics."""
        reading = self._reading
        lanes = {kind: "short" if kind in SHORT_KINDS else "search" for kind in reading.queued}
        yield _gauge("mtnas_info", "The version that answers.", [((mtnas.__version__,), 1.0)], "version")
        jobs = [((state.value,), float(count)) for state, count in reading.jobs.items()]
        yield _gauge("mtnas_jobs", "Jobs by state.", jobs, "state")
        depth = [((lanes[kind], kind.value), float(count)) for kind, count in reading.queued.items()]
        yield _gauge("mtnas_queue_depth", "Jobs that wait, by lane and kind.", depth, "lane", "kind")
        oldest = [((lanes[kind], kind.value), seconds) for kind, seconds in reading.oldest_queued_s.items()]
        yield _gauge("mtnas_queue_oldest_seconds", "How long the oldest of them has waited.", oldest, "lane", "kind")
        leases = [((job,), seconds) for job, seconds in reading.lease_left_s.items()]
        yield _gauge("mtnas_lease_left_seconds", "Until a running job's lease lapses; below 0: it has.", leases, "job")
        phases = reading.phase_s.items()
        yield _gauge("mtnas_phase_seconds", "Since a running job's phase began.", phases, "job", "phase")
        steps = [((), reading.candidate_steps_per_s)]
        yield _gauge("mtnas_candidate_steps_per_second", "Of all running jobs, as they last told.", steps)
        alive = [(("true",), float(reading.workers[0])), (("false",), float(reading.workers[1]))]
        yield _gauge("mtnas_workers", "Workers that were heard of within a day.", alive, "alive")


def _gauge(name: str, what: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, what, labels=labels)
    for key, value in values:
        gauge.add_metric([str(part) for part in key], value)
    return gauge
