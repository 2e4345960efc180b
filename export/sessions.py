"""How an ONNX file is run: parity and the server share these settings, so that what was checked is served."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ManifestError, first_line

if TYPE_CHECKING:
    import onnxruntime

CPU = "CPUExecutionProvider"
MAX_THREADS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The onnxruntime options that bear on results or on neighbours.

    Attributes:
        intra_op_threads: threads within one operator, 1 to 256.
        graph_optimization: `disable`, `basic`, `extended` or `all`.
        allow_spinning: whether idle threads burn a core while they wait.
        providers: execution providers, at least one, each once; the first that can runs a node.
    """

    intra_op_threads: int = 1
    graph_optimization: str = "all"
    allow_spinning: bool = False
    providers: tuple[str, ...] = (CPU,)

    def __post_init__(self) -> None:
        """Reject values that onnxruntime would silently bend."""
        if not 1 <= self.intra_op_threads <= MAX_THREADS:
            raise ValueError(f"intra_op_threads must be 1 to {MAX_THREADS}")
        if self.graph_optimization not in ("disable", "basic", "extended", "all"):
            raise ValueError("graph_optimization must be one of: disable, basic, extended, all")
        if not self.providers or len(set(self.providers)) < len(self.providers):
            raise ValueError("providers must name at least one, each once")


def open_session(
    model: Path | bytes, settings: SessionSettings, *, called: str | None = None
) -> "onnxruntime.InferenceSession":
    """Open an ONNX file, or the content of one, with exactly these settings.

    Args:
        model: the file.
        settings: of the session.
        called: what errors call it; its path if not given.

    Raises:
        ManifestError: onnxruntime cannot read or build the file, or has not all of the providers.
    """
    import onnxruntime as ort

    called = called or ("the graph" if isinstance(model, bytes) else str(model))
    known = ort.get_available_providers()
    if missing := [name for name in settings.providers if name not in known]:
        raise ManifestError(
            f"{called} is to run on {', '.join(missing)[:300]}, this onnxruntime has {', '.join(known)}: "
            "install one that has it, or export the model again"
        )
    try:
        session = ort.InferenceSession(
            model, sess_options=_options(settings), providers=list(settings.providers)
        )
    except Exception as error:
        raise ManifestError(f"{called} is not a usable ONNX file: {first_line(error)}") from error
    # One that it has but that fails to start, as CUDA without a device, is silently replaced by the CPU's;
    # the CPU's it also adds by itself at the end.
    used = tuple(session.get_providers())
    if used[: len(settings.providers)] != settings.providers:
        raise ManifestError(
            f"{called} is to run on {', '.join(settings.providers)}, onnxruntime took {', '.join(used)}: "
            "mend its set-up, or export the model again"
        )
    return session


def _options(settings: SessionSettings) -> "onnxruntime.SessionOptions":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = {
        "disable": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    }[settings.graph_optimization]
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.allow_spinning)))
    options.log_severity_level = 3
    return options
