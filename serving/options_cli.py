"""The options of `keraport serve`: each is a flag, a variable and a key of the configuration file."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from serving.notation import parse_port, parse_rows, parse_versions
from serving.settings import (
    RANGES,
    Limits,
    LogSettings,
    ModelSettings,
    ServerSettings,
    TlsSettings,
    VersionPolicy,
)
from serving.workers.cores import default_workers, usable_cores

PREFIX = "KERAPORT_"
NEWEST = VersionPolicy()

S = TypeVar("S", Limits, LogSettings, ModelSettings)


def variable(name: str) -> str:
    """The environment variable of an option."""
    return f"{PREFIX}{name.upper()}"


def _text(name: str, help: str, *flags: str, **more: Any) -> Any:  # noqa: A002, ANN401  (Typer's own)
    # The variables stand in the docs and in errors; at every option they would double the help's length.
    return typer.Option(*flags, envvar=variable(name), show_envvar=False, help=help, **more)


def _number(name: str, help: str, *flags: str, **more: Any) -> Any:  # noqa: A002, ANN401
    least, most = RANGES[name]
    return _text(name, help, *flags, min=least, max=most, **more)


def _parsed(
    name: str,
    help: str,  # noqa: A002
    metavar: str,
    parse: Callable[[object], object],
    **more: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    def read(value: object) -> object:
        try:
            return parse(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return _text(name, help, metavar=metavar, parser=read, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The options of `keraport serve`, in the order of its help; the defaults are those of the settings."""

    # What is served.
    repository: Annotated[Path, _text("repository", "The folder of published models.")] = Path("models")
    model: Annotated[str | None, _text("model", "Serve this model alone.")] = None
    versions: Annotated[
        VersionPolicy,
        _parsed(
            "versions",
            "Which of a model: all, latest, latest:2 or 1,3.",
            "VERSIONS",
            parse_versions,
            show_default="latest",
        ),
    ] = NEWEST
    poll_s: Annotated[
        float, _number("poll_s", "Look through the repository for changes so often; 0 for never.")
    ] = 0.0
    repository_control: Annotated[
        bool, _text("repository_control", "Let clients load and unload models.")
    ] = False
    allow_unverified: Annotated[
        bool, _text("allow_unverified", "Serve artifacts without a passing verdict, too.")
    ] = False

    # Where, and by how many.
    host: Annotated[str, _text("host", "The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1"
    port: Annotated[int, _number("port", "gRPC's; 0 takes any free one.")] = 8001
    http_port: Annotated[
        int | None, _parsed("http_port", "REST's, likewise, or off.", "PORT|off", parse_port)
    ] = 8000
    metrics_port: Annotated[
        int | None, _parsed("metrics_port", "Prometheus's, likewise, or off.", "PORT|off", parse_port)
    ] = 8002
    workers: Annotated[
        int, _number("workers", "Processes that answer.", show_default="usable cores, at most 4")
    ] = field(default_factory=lambda: default_workers(usable_cores()))
    grace_s: Annotated[
        float, _number("grace_s", "On SIGTERM: how long accepted requests may still take.")
    ] = 30.0

    # How a model is batched and run, where its config.toml does not say otherwise.
    max_batch_rows: Annotated[
        int,
        _number(
            "max_batch_rows",
            "Rows that a run of the model takes at most.",
            "--max-batch-rows",
            "--max-batch",
        ),
    ] = 64
    batch_rows: Annotated[
        int | None,
        _number("batch_rows", "Rows up to which requests are joined; by default as many as pay."),
    ] = None
    max_delay_ms: Annotated[
        float, _number("max_delay_ms", "How long an idle model waits for more rows to batch.")
    ] = 0.0
    max_queue: Annotated[int, _number("max_queue", "Requests that may wait for one model.")] = 1024
    max_queue_mib: Annotated[int, _number("max_queue_mib", "What they may hold together, in MiB.")] = 256
    default_timeout_ms: Annotated[
        float, _number("default_timeout_ms", "How long a request may wait that does not say; 0: no limit.")
    ] = 0.0
    sessions: Annotated[
        int | None,
        _number("sessions", "Runs of a model at the same time, in each worker; by default as many as pay."),
    ] = None
    intra_op_threads: Annotated[
        int | None,
        _number("intra_op_threads", "Threads of one run; by default those under which parity was checked."),
    ] = None
    padding_buckets: Annotated[
        tuple[int, ...],
        _parsed("padding_buckets", "Numbers of rows to fill batches up to, as 8,16,32.", "ROWS", parse_rows),
    ] = ()
    priority_levels: Annotated[
        int, _number("priority_levels", "Of requests; 1 is served first; 0 for a single queue.")
    ] = 0
    default_priority: Annotated[
        int, _number("default_priority", "Of requests that name none; 0 for the last.")
    ] = 0

    # Who may ask.
    tls_certificate: Annotated[
        Path | None, _text("tls_certificate", "The server's certificate chain, PEM.")
    ] = None
    tls_key: Annotated[Path | None, _text("tls_key", "Its private key, PEM.")] = None
    tls_client_ca: Annotated[
        Path | None, _text("tls_client_ca", "Ask clients for a certificate that one of these signed.")
    ] = None
    tokens: Annotated[
        Path | None, _text("tokens", "Ask clients for a bearer token that this file lists.")
    ] = None

    # What one client may take.
    max_message_mib: Annotated[int, _number("max_message_mib", "Size of one request or answer, in MiB.")] = 64
    max_streams: Annotated[int, _number("max_streams", "Requests at once on one connection.")] = 16_384
    max_header_kib: Annotated[int, _number("max_header_kib", "Size of a request's headers, in KiB.")] = 16

    grpc_compression: Annotated[bool, _text("grpc_compression", "Take compressed messages over gRPC.")] = (
        False
    )

    # What is told of requests.
    access_log: Annotated[
        str | None, _text("access_log", "Append a JSON line a request to this file; - for stderr.")
    ] = None
    access_sample: Annotated[
        float, _number("access_sample", "The share of requests that are logged; failed ones always are.")
    ] = 1.0
    traces: Annotated[
        str | None, _text("traces", "Send OpenTelemetry spans to this OTLP endpoint over HTTP.")
    ] = None


OPTIONS = tuple(each.name for each in fields(ServeOptions))


def settings_of(options: ServeOptions) -> ServerSettings:
    """What the options ask for.

    Raises:
        ValueError: they contradict each other.
    """
    tls = None
    if options.tls_certificate is not None and options.tls_key is not None:
        tls = TlsSettings(
            certificate=options.tls_certificate, key=options.tls_key, client_ca=options.tls_client_ca
        )
    elif options.tls_certificate or options.tls_key or options.tls_client_ca:
        raise ValueError("tls_certificate and tls_key go together, tls_client_ca with both: give them too")
    return ServerSettings(
        repository=options.repository,
        model=options.model,
        host=options.host,
        port=options.port,
        http_port=options.http_port,
        metrics_port=options.metrics_port,
        workers=options.workers,
        defaults=_part(ModelSettings, options),
        poll_s=options.poll_s,
        repository_control=options.repository_control,
        allow_unverified=options.allow_unverified,
        grace_s=options.grace_s,
        tls=tls,
        tokens=options.tokens,
        limits=_part(Limits, options),
        log=_part(LogSettings, options),
    )


def _part(kind: type[S], options: ServeOptions) -> S:
    """The settings whose fields the options have by the same names."""
    return kind(**{each.name: getattr(options, each.name) for each in fields(kind)})
