"""`keraport models`: look at a running server's models, and steer them."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clients.address import DEFAULT_URL
from clients.connection_cli import Url, secured

if TYPE_CHECKING:
    from clients.connection import Security
    from clients.results import ModelEntry

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Model = Annotated[str, typer.Argument(help="A model's name.")]

models_app = typer.Typer(no_args_is_help=True, help="List, load and unload a running server's models.")


@models_app.callback()
def models() -> None:
    """List a running server's models, load and unload them, show what it counted."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # errors reach the user as one line of ours


@models_app.command("list")
@secured
def list_all(*, url: Url = DEFAULT_URL, as_json: AsJson = False, security: "Security") -> None:
    """List every model and version, its state, and the reason where it is not ready."""
    from clients.client import Client

    with Client(url, **security) as client:
        entries = client.models()
    _print_entries(entries, as_json=as_json)


@models_app.command()
@secured
def load(model: Model, *, url: Url = DEFAULT_URL, as_json: AsJson = False, security: "Security") -> None:
    """Serve a model, or its versions as they are now; return once the server does."""
    from clients.client import Client

    with Client(url, **security) as client:
        client.load(model)
        entries = client.models()
    _print_entries([entry for entry in entries if entry.name == model], as_json=as_json)


@models_app.command()
@secured
def unload(model: Model, *, url: Url = DEFAULT_URL, as_json: AsJson = False, security: "Security") -> None:
    """Serve a model no longer; requests that it has accepted are answered."""
    from clients.client import Client

    with Client(url, **security) as client:
        client.unload(model)
        entries = client.models()
    _print_entries([entry for entry in entries if entry.name == model], as_json=as_json)


@models_app.command()
@secured
def stats(
    model: Annotated[str, typer.Argument(help="A model's name; by default all.")] = "",
    *,
    version: Annotated[str, typer.Option(help="By default all that are loaded.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    security: "Security",
) -> None:
    """Show what was asked of each model, how it was batched, and how long it took on average."""
    from clients.client import Client
    from clients.model_tables import make_console, print_statistics, to_json

    with Client(url, **security) as client:
        statistics = client.statistics(model, version=version)
    if as_json:
        typer.echo(to_json({"models": statistics}))
    else:
        print_statistics(make_console(sys.stdout), statistics)


def _print_entries(entries: "Sequence[ModelEntry]", *, as_json: bool) -> None:
    from clients.model_tables import make_console, print_entries, to_json

    if as_json:
        typer.echo(to_json({"models": entries}))
    else:
        print_entries(make_console(sys.stdout), entries)
