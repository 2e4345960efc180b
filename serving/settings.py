"""What a server and each of its models are told."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

MAX_PRIORITY_LEVELS = 32  # whoever forms a batch looks at each


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
        if self.latest < 1:
            raise ValueError("latest must be at least 1")
        if (self.kind is Policy.LISTED) != bool(self.versions) or any(each < 1 for each in self.versions):
            raise ValueError("versions must list whole numbers from 1, where the policy is `listed`")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How one model is batched and run.

    Attributes:
        max_batch_rows: of one run, and so of one request.
        max_delay_ms: how long the first request of an unfilled batch waits for others. At 0 batches form only
            of what queued while the model was busy.
        max_queue: requests that may wait.
        max_queue_mib: that waiting requests may hold together, in MiB; one alone may hold more.
        default_timeout_ms: how long a request may wait that does not say it; 0 for no limit. One that does
            can only shorten it.
        sessions: runs that may happen at the same time.
        intra_op_threads: within one operator; None for those under which parity was checked.
        padding_buckets: numbers of rows, ascending, to the next of which batches are filled up with zeros;
            none if empty. As batching itself, it wants a model whose rows do not depend on each other.
        priority_levels: 1 is served first; 0 for a single queue. As long as requests of a higher level wait,
            those of lower ones are not served.
        default_priority: of requests that name none, or one that does not exist; 0 for a single queue.
        versions: which of them are served.
    """

    max_batch_rows: int = 64
    max_delay_ms: float = 0.0
    max_queue: int = 1024
    max_queue_mib: int = 256
    default_timeout_ms: float = 0.0
    sessions: int = 1
    intra_op_threads: int | None = None
    padding_buckets: tuple[int, ...] = ()
    priority_levels: int = 0
    default_priority: int = 0
    versions: VersionPolicy = field(default_factory=VersionPolicy)

    def __post_init__(self) -> None:
        """Reject settings under which nothing could run, or that contradict each other."""
        for name in ("max_batch_rows", "max_queue", "max_queue_mib", "sessions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.intra_op_threads is not None and self.intra_op_threads < 1:
            raise ValueError("intra_op_threads must be at least 1, or left out")
        for name in ("max_delay_ms", "default_timeout_ms"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number of milliseconds, at least 0")
        bounds = (0, *self.padding_buckets, self.max_batch_rows + 1)
        if any(lower >= upper for lower, upper in pairwise(bounds)):
            raise ValueError("padding_buckets must ascend from at least 1 to at most max_batch_rows")
        if not 0 <= self.priority_levels <= MAX_PRIORITY_LEVELS:
            raise ValueError(f"priority_levels must be 0 to {MAX_PRIORITY_LEVELS}")
        if not min(1, self.priority_levels) <= self.default_priority <= self.priority_levels:
            raise ValueError("default_priority must be 1 to priority_levels, or 0 where there are none")


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
        max_streams: requests at the same time on one connection.
        max_header_kib: of one request's headers.
    """

    max_message_mib: int = 64
    max_streams: int = 1024
    max_header_kib: int = 16


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
