"""`keraport serve`."""

import importlib.util
import logging
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from serving.configuration import DEFAULT, as_json, as_toml
from serving.errors import ConfigError
from serving.log_lines import log_to_stderr
from serving.options_cli import ServeOptions, settings_of
from serving.sources_cli import ConfigFile, chosen, misspelt_variables, source, with_options

if TYPE_CHECKING:
    from serving.settings import ServerSettings

log = logging.getLogger(__name__)


@with_options
def serve(
    context: typer.Context,
    *,
    options: ServeOptions,
    config: ConfigFile = None,  # noqa: ARG001  (its callback has taken it)
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print what holds, and where it comes from, and exit.")
    ] = False,
    as_document: Annotated[bool, typer.Option("--json", help="With --print-config: as JSON.")] = False,
) -> None:
    """Serve published models until SIGTERM or Ctrl-C.

    Each option can also be set by a variable, KERAPORT_ and its name, and in the file that --config names.
    """
    log_to_stderr()
    for sentence in misspelt_variables(sorted(os.environ)):
        log.warning(sentence)
    if as_document and not print_config:
        context.fail("--json goes with --print-config: give both")
    asked = source(context, "http_port") != DEFAULT
    effective = options if _has_http(options, asked=asked) else replace(options, http_port=None)
    try:
        settings = settings_of(effective)
    except ValueError as error:
        context.fail(str(error))
    if print_config:
        values = chosen(context, effective)
        typer.echo(as_json(values) if as_document else as_toml(values))
        return
    _warn(options, settings)
    _run(settings)


def _has_http(options: ServeOptions, *, asked: bool) -> bool:
    """Whether REST can be served, if it is to be.

    Raises:
        ConfigError: it was asked for, and cannot.
    """
    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if asked and options.http_port is not None and missing:
        raise ConfigError(
            f"http_port {options.http_port} needs {missing[0]}: "
            "pip install 'keraport[http]', or set it to off"
        )
    return not missing


def _warn(options: ServeOptions, settings: "ServerSettings") -> None:
    if options.http_port is not None and settings.http_port is None:
        log.warning("REST is off: pip install 'keraport[http]', or --http-port off for silence")


def _run(settings: "ServerSettings") -> None:
    # Until the server hears of them itself: there is nothing yet to drain.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    # What gRPC's core writes to stderr by itself; errors reach the user as one line of ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    import asyncio

    from serving.workers.supervisor import supervise

    asyncio.run(supervise(settings))


def _leave(*_: object) -> None:
    sys.exit(0)
