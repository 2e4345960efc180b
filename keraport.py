"""The root command: the only file that knows all four stages."""

import contextlib
import dataclasses
import errno
import functools
import importlib.metadata
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TextIO, TypeVar, Unpack

import typer
from typer.exceptions import TyperException

from clients.cli import predict
from clients.connection_cli import secured
from clients.errors import ClientError
from clients.models_cli import models_app
from export.cli import export
from export.doctor.doctor_cli import doctor
from export.edge.edge_cli import edge
from export.errors import ExportError, WorkerError
from export.handed import Handed
from export.inspecting.inspect_cli import inspect
from export.parity_cli import parity
from serving.cli import serve
from serving.errors import ServingError
from training.cli import train
from training.data_cli import data_app, show
from training.errors import TrainingError
from training.runs_cli import runs_app

if TYPE_CHECKING:
    from clients.connection import Security
    from export.handed import Browser
    from export.runner import Runner

USAGE, UNEXPECTED, INTERRUPTED = 2, 70, 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

P = ParamSpec("P")
R = TypeVar("R")

# Which extra brings a package that a command misses; TensorFlow is the usual one.
EXTRAS = {
    "tensorflow": "train",
    "keras": "train",
    "matplotlib": "train",
    "tensorboard": "tensorboard",
    "onnx": "export",
    "tf2onnx": "export",
    "ai_edge_litert": "export",
    "bakenn": "edge",
    "tflite": "edge",
    "tflite_micro": "edge",
    "onnxruntime": "serve",
    "grpc_health": "serve",
    "grpc_reflection": "serve",
    "prometheus_client": "serve",
    "grpc": "client",
    "google": "client",
    "PIL": "client",
}

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keraport {importlib.metadata.version('keraport')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take a Keras model from training to everywhere it runs, and prove that it is still the same model."""


@contextlib.contextmanager
def native_output_aside() -> Iterator[None]:
    """Send what TensorFlow's native code prints into a file, whose tail is shown on an unexpected error."""
    streams = sys.stdout, sys.stderr
    if None in streams:  # closed by the caller: nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as log, _duplicate(1, streams[0]) as out, _duplicate(2, streams[1]) as err:
        sys.stdout, sys.stderr = out, err
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except typer.Exit:
            raise
        except Exception as error:
            if _explain(error)[1] == UNEXPECTED:
                log.seek(0)
                err.write("".join(log.read().decode(errors="replace").splitlines(keepends=True)[-20:]))
            raise
        finally:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout, sys.stderr = streams


def _duplicate(descriptor: int, stream: TextIO) -> TextIO:
    """A second way to where a standard stream leads, written line by line."""
    return os.fdopen(os.dup(descriptor), "w", 1, encoding=stream.encoding, errors=stream.errors)


def quietly(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command with native output aside."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        with native_output_aside():
            return command(*arguments, **options)

    return run


def connect(url: str, *, model: str, version: str, **security: "Unpack[Security]") -> "Runner":
    """Open a live server as parity's candidate."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # errors reach the user as one line of ours
    from clients.runner import ServerRunner

    return ServerRunner(url, model=model, version=version, **security)


def find_browser() -> "Browser":
    """What runs TFLite files in a browser."""
    from clients.edge import chromium

    return chromium


@secured
@functools.wraps(parity)
def secured_parity(context: typer.Context, *, security: "Security", **options: Any) -> None:  # noqa: ANN401
    """`keraport parity`, whose server may want TLS and a token: export knows nothing of either."""
    context.obj = dataclasses.replace(context.obj, connect=functools.partial(connect, **security))
    parity(context, **options)


app.command()(quietly(train))
data_app.command()(quietly(show))
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.command()(export)
app.command("parity")(secured_parity)
app.command()(inspect)
app.command()(edge)
app.command()(serve)
app.command()(predict)
app.add_typer(models_app, name="models")
app.command()(doctor)


def main() -> None:
    """Run the command line; every error becomes one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: commands clean up, exit 130
    # TensorFlow reads these when it is imported: Keras's backend, and silence about its own start-up.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    if not debug:
        warnings.simplefilter("ignore")  # those of other people's libraries, which a user can't mend
    code = _run(arguments, debug=debug)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):  # closed by the caller
            stream.flush()
    if "tensorflow" in sys.modules:
        # Its threads can crash an interpreter that winds down after an interrupt: exit 130 must stay 130.
        os._exit(code)
    sys.exit(code)


def _run(arguments: Sequence[str], *, debug: bool) -> int:
    try:
        code = app(
            arguments, obj=Handed(connect=connect, browser=find_browser, debug=debug), standalone_mode=False
        )
    except KeyboardInterrupt:  # before or after the command itself, which ends by its own rules
        return INTERRUPTED
    except TyperException as error:
        sys.stderr.write(_usage(error))
        return USAGE
    except Exception as error:  # noqa: BLE001  (the last line of defence: a message, not a traceback)
        if debug:
            traceback.print_exc()
        message, code = _explain(error)
        sys.stderr.write(f"error: {message}\n")
        return code
    return code if isinstance(code, int) else 0  # of typer.Exit


def _usage(error: TyperException) -> str:
    """A wrong command line in one line; the help where a command was left out altogether."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if message.startswith("Usage:"):
        return f"{message}\n"
    hint = f": see {context.command_path} --help" if context is not None else ""
    return f"error: {' '.join(message.split()).rstrip('.')}{hint}\n"


def _explain(error: Exception) -> tuple[str, int]:
    match error:
        case WorkerError(log=log):
            return "\n".join([str(error), *(f"  {line}" for line in log.splitlines())]), UNEXPECTED
        case TrainingError() | ExportError() | ServingError() | ClientError():
            return str(error), USAGE
        case ModuleNotFoundError(name=str(name)) if name.split(".")[0] in EXTRAS:
            extra = EXTRAS[name.split(".")[0]]
            return f"this command needs {name}: pip install 'keraport[{extra}]'", USAGE
        case OSError(strerror=str(strerror)):
            where = f"{error.filename}: " if isinstance(error.filename, str) else ""  # none of a stream
            return f"{where}{strerror}{': free some space' if error.errno in FULL else ''}", USAGE
        case _:
            return f"unexpected {type(error).__name__}: {error} (--debug shows where)", UNEXPECTED


if __name__ == "__main__":
    main()
