"""OpenTelemetry spans of requests, made once a request is over: none costs anything while it is under way.

The SDK reads its own settings from `OTEL_*` variables: the sampler, the service's name, headers and time
limits of the exporter, the sizes of the queue and of batches.
"""

import importlib.util
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving.errors import ObservationError
from serving.operations.access import MAX_TEXT, Access

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span

TRACES_PATH = "/v1/traces"
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")

# Ends that are the server's failures; others are what clients should have known. After OpenTelemetry's
# conventions for spans of gRPC servers.
FAILURES = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def check_tracing(endpoint: str) -> str:
    """Make sure that traces can be sent, without loading what sends them.

    Returns:
        The address that they go to.

    Raises:
        ObservationError: the endpoint is no URL, or OpenTelemetry is not installed.
    """
    url = _traces_url(endpoint)
    try:
        found = all(importlib.util.find_spec(package) for package in PACKAGES)
    except ImportError:
        found = False
    if not found:
        raise ObservationError("--traces needs OpenTelemetry: pip install 'keraport[otel]', or leave it out")
    return url


class Tracing:
    """Sends spans to a collector, in batches and from a thread; what it does not take in time is dropped."""

    def __init__(self, endpoint: str, release: str) -> None:
        """Begin to send.

        Args:
            endpoint: OTLP over HTTP, such as `http://localhost:4318`.
            release: of the server.

        Raises:
            ObservationError: the endpoint is no URL, or OpenTelemetry is not installed or wrongly set up.
        """
        from serving.proto.methods import SERVICE

        url = check_tracing(endpoint)
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            self._provider = TracerProvider(resource=_resource(release), shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        except (ImportError, ValueError) as error:
            raise ObservationError(f"OpenTelemetry cannot be set up so: {error}") from error
        self._service = SERVICE.full_name
        # It warns of every try while a collector is away; that a batch was lost it tells as an error.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        self._trace = trace
        self._propagator = propagate.get_global_textmap()
        self._tracer = self._provider.get_tracer("keraport", release)

    def record(self, access: Access, headers: Iterable[tuple[str, object]]) -> str:
        """Make the spans of a request.

        Args:
            access: the request.
            headers: of it, or gRPC's metadata; those that say which span it belongs to are read.

        Returns:
            The id of the trace that it belongs to.
        """
        fields = self._propagator.fields
        carrier = {key.lower(): str(value) for key, value in headers if key.lower() in fields}
        began = round(access.began_s * 1e9)
        span = self._tracer.start_span(
            access.method,
            context=self._propagator.extract(carrier),
            kind=self._trace.SpanKind.SERVER,
            attributes={"rpc.service": self._service, **_attributes(access)},
            start_time=began,
        )
        if span.is_recording():
            if access.status in FAILURES:
                span.set_status(self._trace.StatusCode.ERROR)
            self._add_parts(span, access, began)
        span.end(began + round(access.duration_s * 1e9))
        return self._trace.format_trace_id(span.get_span_context().trace_id)

    def stop(self, within_s: float) -> None:
        """Send what is left; give up after a while."""
        # The SDK's own limit is 30 s, whatever it is told.
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(within_s)

    def _add_parts(self, span: "Span", access: Access, began: int) -> None:
        run = access.run
        if access.queued_s is None or access.queue_s is None or run is None:
            return
        context = self._trace.set_span_in_context(span)
        queued = began + round(access.queued_s * 1e9)
        started = queued + round(access.queue_s * 1e9)
        ended = started + round((run.input_s + run.infer_s + run.output_s) * 1e9)
        self._tracer.start_span("queue", context=context, start_time=queued).end(started)
        times = {
            "keraport.batch_rows": run.rows,
            "keraport.input_us": _us(run.input_s),
            "keraport.infer_us": _us(run.infer_s),
            "keraport.output_us": _us(run.output_s),
        }
        compute = self._tracer.start_span("compute", context=context, start_time=started, attributes=times)
        compute.end(ended)


def _traces_url(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise ObservationError(f"--traces {endpoint} is no address: use one such as http://localhost:4318")
    return parts._replace(path=TRACES_PATH).geturl() if parts.path in ("", "/") else endpoint


def _resource(release: str) -> "Resource":
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours: dict[str, str | int] = {"service.name": "keraport", "service.version": release}
    ours["process.pid"] = os.getpid()
    # What the environment says goes first.
    return Resource.create(ours).merge(OTELResourceDetector().detect())


def _attributes(access: Access) -> Mapping[str, str | int]:
    attributes: dict[str, str | int] = {
        "rpc.system": access.protocol,
        "rpc.method": access.method,
        "keraport.status": access.status,
    }
    texts = {"model": access.model, "version": access.version, "request_id": access.id}
    attributes |= {f"keraport.{name}": text[:MAX_TEXT] for name, text in texts.items() if text}
    if access.rows is not None and access.run is not None and access.queue_s is not None:
        attributes["keraport.rows"] = access.rows
        attributes["keraport.batch_rows"] = access.run.rows
        attributes["keraport.queue_us"] = _us(access.queue_s)
    return attributes


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
