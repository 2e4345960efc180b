"""Counts as Prometheus metrics, as text and as OpenMetrics.

Triton's counters keep their exact names, for dashboards know them. OpenMetrics wants counters to end in
`_total`, so there they have no type; in the older text format they are counters, as Triton's.
"""

import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from serving.statistics import BOUNDS_S, ModelCounts, Reason

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import HistogramMetricFamily

ROWS_BOUNDS = tuple(2**power for power in range(13))

# Name, what it says, and its value: all are Triton's counters.
TRITON: tuple[tuple[str, str, Callable[[ModelCounts], float]], ...] = (
    ("nv_inference_request_success", "Requests that were answered", lambda counts: counts.succeeded),
    ("nv_inference_count", "Rows that were answered", lambda counts: counts.rows),
    ("nv_inference_exec_count", "Runs of the model", lambda counts: counts.runs),
    ("nv_inference_request_duration_us", "Time of answered requests", lambda counts: _us(counts.succeeded_s)),
    ("nv_inference_queue_duration_us", "Their time in the queue", lambda counts: _us(counts.queue_s)),
    ("nv_inference_compute_input_duration_us", "Of joining batches", lambda counts: _us(counts.input_s)),
    ("nv_inference_compute_infer_duration_us", "In the model", lambda counts: _us(counts.infer_s)),
    ("nv_inference_compute_output_duration_us", "Of handing rows out", lambda counts: _us(counts.output_s)),
)
FAILURES = "nv_inference_request_failure"
LABELS = ("model", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """What is told of a server at one moment.

    Attributes:
        models: counts of each version, summed over the worker processes.
        workers: processes that answer.
        restarts: workers that were started in place of dead ones.
    """

    models: tuple[ModelCounts, ...]
    workers: int
    restarts: int


class ServerCollector:
    """Makes metrics of a server's counts whenever it is asked: prometheus_client's collector."""

    def __init__(self, collect: Callable[[], ServerCounts]) -> None:
        self._collect = collect

    def collect(self) -> "Iterator[Metric]":
        """The metrics as they are now."""
        counts = self._collect()
        yield from _server_metrics(counts)
        yield from _triton_metrics(counts.models)
        yield from _model_metrics(counts.models)


def text_of(collector: ServerCollector, accept: str) -> tuple[bytes, str]:
    """The metrics in the best format that an `Accept` header asks for, and its content type."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encoder, content_type = choose_encoder(accept)
    text = re.sub(rb"^(# TYPE nv_\w+) untyped$", rb"\1 counter", encoder(registry), flags=re.MULTILINE)
    return text, content_type


def _server_metrics(counts: ServerCounts) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    build = {"version": importlib.metadata.version("keraport")}
    yield InfoMetricFamily("keraport_build", "The server's release", value=build)
    yield GaugeMetricFamily("keraport_workers", "Processes that answer", value=counts.workers)
    text = "Workers that were started in place of dead ones"
    yield CounterMetricFamily("keraport_worker_restarts", text, value=counts.restarts)


def _triton_metrics(models: Iterable[ModelCounts]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily, UnknownMetricFamily

    for name, text, value in TRITON:
        family = UnknownMetricFamily(name, text, labels=LABELS)
        for counts in models:
            family.add_metric((counts.model, counts.version), value(counts))
        yield family
    failures = UnknownMetricFamily(FAILURES, "Requests that were not answered", labels=(*LABELS, "reason"))
    for counts in models:
        for reason in Reason:
            failures.add_metric((counts.model, counts.version, reason.value), counts.failed.get(reason, 0))
    yield failures
    text = "Requests that wait"
    pending = GaugeMetricFamily("nv_inference_pending_request_count", text, labels=LABELS)
    for counts in models:
        pending.add_metric((counts.model, counts.version), counts.pending)
    yield pending


def _model_metrics(models: Iterable[ModelCounts]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    ready = GaugeMetricFamily("keraport_model_ready", "Processes that serve the version", labels=LABELS)
    request = HistogramMetricFamily("keraport_request_seconds", "Time of answered requests", labels=LABELS)
    queue = HistogramMetricFamily("keraport_queue_seconds", "Their time in the queue", labels=LABELS)
    batch = HistogramMetricFamily("keraport_batch_rows", "Rows of the model's runs", labels=LABELS)
    for counts in models:
        ready.add_metric((counts.model, counts.version), counts.ready)
        _add_times(request, counts, counts.latencies, counts.succeeded_s)
        _add_times(queue, counts, counts.waits, counts.queue_s)
        _add_rows(batch, counts)
    yield from (ready, request, queue, batch)


def _add_times(family: "HistogramMetricFamily", counts: ModelCounts, times: list[int], sum_s: float) -> None:
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, accumulate(times), strict=True))
    family.add_metric((counts.model, counts.version), buckets, sum_s)


def _add_rows(family: "HistogramMetricFamily", counts: ModelCounts) -> None:
    runs = [(rows, batch.runs) for rows, batch in counts.batches.items()]
    within = [(str(float(bound)), sum(n for rows, n in runs if rows <= bound)) for bound in ROWS_BOUNDS]
    buckets = [*within, ("+Inf", sum(n for _, n in runs))]
    family.add_metric((counts.model, counts.version), buckets, sum(rows * n for rows, n in runs))


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
