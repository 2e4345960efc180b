"""`keraport predict`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.address import DEFAULT_URL
from clients.connection_cli import Url, secured

if TYPE_CHECKING:
    from clients.connection import Security


@secured
def predict(
    files: Annotated[list[Path], typer.Argument(help="PNG or JPEG pictures, .npy or .npz arrays.")],
    *,
    url: Url = DEFAULT_URL,
    model: Annotated[str | None, typer.Option(help="By default the only model that is served.")] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Swap light and dark in pictures; by default if a grey one is dark on light.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    security: "Security",
) -> None:
    """Send pictures or arrays to a server, print each one's class and its probability."""
    # What gRPC's core writes to stderr by itself; errors reach the user as one line of ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    import msgspec

    from clients.client import Client
    from clients.names import printable
    from clients.prediction import predict_files

    with Client(url, **security) as client:
        result = predict_files(client, files, model=model, invert=invert)
    if as_json:
        typer.echo(msgspec.json.encode(result))
        return
    sources = [
        printable(prediction.file) + ("" if prediction.sample is None else f"[{prediction.sample}]")
        for prediction in result.predictions
    ]
    width = max(map(len, sources))
    for source, prediction in zip(sources, result.predictions, strict=True):
        note = "  (inverted)" if prediction.inverted else ""
        typer.echo(f"{source:<{width}}  {printable(prediction.label)}  {prediction.probability:.1%}{note}")
