"""The root command: the only file that knows all four stages."""

import importlib.metadata
import os
import signal
import sys
import traceback
from typing import Annotated

import typer

from clients.cli import predict
from clients.errors import ClientError
from export.cli import export, parity
from export.errors import ExportError
from serving.cli import serve
from serving.errors import ServingError
from training.cli import train
from training.errors import TrainingError

USAGE, UNEXPECTED = 2, 70

# Which extra brings a package that a command misses; TensorFlow is the usual one.
EXTRAS = {
    "tensorflow": "train",
    "keras": "train",
    "matplotlib": "train",
    "onnx": "export",
    "tf2onnx": "export",
    "ai_edge_litert": "export",
    "onnxruntime": "serve",
    "grpc_health": "serve",
    "grpc_reflection": "serve",
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


app.command()(train)
app.command()(export)
app.command()(parity)
app.command()(serve)
app.command()(predict)


def main() -> None:
    """Run the command line; every error becomes one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: commands clean up, exit 130
    # TensorFlow reads these when it is imported: Keras's backend, and silence about its own start-up.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(arguments)
    except Exception as error:  # noqa: BLE001  (the last line of defence: a message, not a traceback)
        if debug:
            traceback.print_exc()
        message, code = _explain(error)
        sys.stderr.write(f"error: {message}\n")
        sys.exit(code)


def _explain(error: Exception) -> tuple[str, int]:
    match error:
        case TrainingError() | ExportError() | ServingError() | ClientError():
            return str(error), USAGE
        case ModuleNotFoundError(name=str(name)) if name.split(".")[0] in EXTRAS:
            extra = EXTRAS[name.split(".")[0]]
            return f"this command needs {name}: pip install 'keraport[{extra}]'", USAGE
        case OSError(filename=str(filename), strerror=str(strerror)):
            return f"{filename}: {strerror}", USAGE
        case _:
            return f"unexpected {type(error).__name__}: {error} (--debug shows where)", UNEXPECTED


if __name__ == "__main__":
    main()
