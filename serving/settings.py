"""What a server and each of its models are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The least and the most of every number, by the name of its field.
RANGES: Mapping[str, tuple[float, float]] = {
    "latest": (1, 1000),
    "max_batch_rows": (1, 4096),
    "batch_rows": (1, 4096),
    "max_delay_ms": (0, 60_000),
    "max_queue": (1, 1_000_000),
    "max_queue_mib": (1, 65_536),
    "default_timeout_ms": (0, 3_600_000),
    "sessions": (1, 64),
    "intra_op_threads": (1, 256),
    "priority_levels": (0, 32),  # whoever forms a batch looks at each
    "default_priority": (0, 32),
    "max_message_mib": (1, 2047),  # gRPC counts its bytes in 32 bits, with a sign
    "max_streams": (1, 100_000),
    "max_header_kib": (1, 1024),
    "access_sample": (0, 1),
    "port": (0, 65_535),
    "http_port": (0, 65_535),
    "metrics_port": (0, 65_535),
    "workers": (1, 64),
    "poll_s": (0, 86_400),
    "grace_s": (0, 3600),
}
MAX_BUCKETS = 64
MAX_LISTED = 1000


def check_ranges(settings: "DataclassInstance") -> None:
    """Refuse numbers beyond `RANGES`, NaN too.

    Raises:
        ValueError: the first one that is, with what it may be.
    """
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name in RANGES and value is not None:
            least, most = RANGES[each.name]
            if not least <= value <= most:
                raise ValueError(f"{each.name} must be {least:,} to {most:,}, not {value}")


class Policy(StrEnum):
    """Which versions of a model are served."""

    LATEST = "latest"
    ALL = "all"
    LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPolicy:
    """Which of a model's versions are served.

    Attributes:
        kind: the newest ones that can be served, all, or those listed.
        latest: how many, where `kind` is `latest`.
        versions: which, where `kind` is `listed`.
    """

    kind: Policy = Policy.LATEST
    latest: int = 1
    versions: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Reject a policy that would serve nothing."""
        check_ranges(self)
        listed = self.versions
        if (self.kind is Policy.LISTED) != bool(listed) or any(each < 1 for each in listed):
            raise ValueError("versions must list whole numbers from 1, where the policy is `listed`")
        if len(listed) > MAX_LISTED or len(set(listed)) < len(listed):
            raise ValueError(f"versions must list at most {MAX_LISTED:,} numbers, each once")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How one model is batched and run.

    Attributes:
        max_batch_rows: of one run, and so of one request.
        batch_rows: up to which requests are joined; None for as many as the warm-up finds to pay.
        max_delay_ms: how long the first request of an unfilled batch waits for others. At 0 batches form only
            of what queued while the model was busy.
        max_queue: requests that may wait.
        max_queue_mib: that waiting requests may hold together, in MiB; one alone may hold more.
        default_timeout_ms: how long a request may wait that does not say it; 0 for no limit. One that does
            can only shorten it.
        sessions: runs that may happen at the same time, on the same weights; None for one if batches pay,
            else for as many as the cores admit.
        intra_op_threads: within one operator; None for those under which parity was checked.
        padding_buckets: numbers of rows to which batches are filled up with zeros; none if empty.
        priority_levels: 1 is served first; 0 for a single queue.
        default_priority: of requests that name none; 0 for the last level.
        versions: which of them are served.
    """

    max_batch_rows: int = 64
    batch_rows: int | None = None
    max_delay_ms: float = 0.0
    max_queue: int = 1024
    max_queue_mib: int = 256
    default_timeout_ms: float = 0.0
    sessions: int | None = None
    intra_op_threads: int | None = None
    padding_buckets: tuple[int, ...] = ()
    priority_levels: int = 0
    default_priority: int = 0
    versions: VersionPolicy = field(default_factory=VersionPolicy)

    def __post_init__(self) -> None:
        """Reject what a batcher could not hold to."""
        check_ranges(self)
        if self.batch_rows is not None and self.batch_rows > self.max_batch_rows:
            raise ValueError(
                f"batch_rows must be 1 to max_batch_rows, {self.max_batch_rows}, not {self.batch_rows}"
            )
        buckets = self.padding_buckets
        if len(buckets) > MAX_BUCKETS or list(buckets) != sorted(set(buckets)):
            raise ValueError(
                f"padding_buckets must be at most {MAX_BUCKETS} numbers that grow, not {buckets}"
            )
        if buckets and not 1 <= buckets[0] <= buckets[-1] <= self.max_batch_rows:
            raise ValueError(
                f"padding_buckets must be 1 to max_batch_rows, {self.max_batch_rows}, not {buckets}"
            )
        if self.default_priority > self.priority_levels:
            raise ValueError(
                f"default_priority must be 0 to priority_levels, {self.priority_levels}, "
                f"not {self.default_priority}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Certificates, as PEM files; they are read again when they change.

    Attributes:
        certificate: the server's chain.
        key: its private key.
        client_ca: clients must show a certificate that one of these signed; None to let all in.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take.

    Attributes:
        max_message_mib: of one request or answer.
        max_streams: requests at the same time on one connection. gRPC fails some of a client that sends more.
        max_header_kib: of one request's headers.
        grpc_compression: whether messages of gRPC may come compressed: a few kilobytes then take as much room
            as `max_message_mib`, and gRPC bounds them one by one alone. REST bounds what it unpacks together.
    """

    max_message_mib: int = 64
    max_streams: int = 16_384
    max_header_kib: int = 16
    grpc_compression: bool = False

    def __post_init__(self) -> None:
        """Reject limits that hold nothing off, or everything."""
        check_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is told of single requests.

    Attributes:
        access_log: the file to which a JSON line a request is appended, `-` for stderr; None for none.
        access_sample: the share of requests that are logged; failed ones always are.
        traces: where OpenTelemetry spans are sent, an OTLP endpoint over HTTP; None for none.
    """

    access_log: str | None = None
    access_sample: float = 1.0
    traces: str | None = None

    def __post_init__(self) -> None:
        """Reject a log without a name and an endpoint that is none."""
        check_ranges(self)
        if self.access_log == "":
            raise ValueError("access_log must name a file, or - for stderr: leave it out for none")
        if self.traces is not None:
            _check_endpoint(self.traces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What `keraport serve` is told.

    Attributes:
        repository: the folder of published models.
        model: serve this one alone; None for all.
        host: to listen on.
        port: gRPC's; 0 takes any free one.
        http_port: REST's likewise; None for none.
        metrics_port: Prometheus's likewise; None for none.
        workers: processes that answer.
        defaults: of models whose `config.toml` does not say otherwise.
        poll_s: how often the repository is looked through for changes, in seconds; 0 for never.
        repository_control: whether clients may load and unload models.
        allow_unverified: serve artifacts without a passing verdict, too.
        grace_s: how long accepted requests may still take when the server is told to stop.
        tls: None for none.
        tokens: a file of bearer tokens; None for none.
        limits: of messages and connections.
        log: of requests.
    """

    repository: Path
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8001
    http_port: int | None = 8000
    metrics_port: int | None = 8002
    workers: int = 1
    defaults: ModelSettings = field(default_factory=ModelSettings)
    poll_s: float = 0.0
    repository_control: bool = False
    allow_unverified: bool = False
    grace_s: float = 30.0
    tls: TlsSettings | None = None
    tokens: Path | None = None
    limits: Limits = field(default_factory=Limits)
    log: LogSettings = field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        """Reject an address that could not be listened on."""
        check_ranges(self)
        if not self.host or self.host != self.host.strip():
            raise ValueError(f"host must be an address or a name, not {self.host!r}: 0.0.0.0 stands for all")
        ports = [port for port in (self.port, self.http_port, self.metrics_port) if port]
        if len(set(ports)) < len(ports):
            raise ValueError(
                f"port, http_port and metrics_port must differ, not {self.port}, {self.http_port} and "
                f"{self.metrics_port}: 0 takes any free one"
            )


def _check_endpoint(url: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("traces must be a URL such as http://localhost:4318/v1/traces")
    # Settings are printed, and what may be printed holds no secret.
    if "@" in parts.netloc:
        raise ValueError("traces must hold no password: give one in OTEL_EXPORTER_OTLP_HEADERS")
