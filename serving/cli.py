"""`keraport serve`."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    *,
    repository: Annotated[Path, typer.Option(help="The folder of published models.")] = Path("models"),
    model: Annotated[str | None, typer.Option(help="Serve this model alone.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC's; 0 takes any free one.")] = 8001,
    max_batch: Annotated[
        int, typer.Option(min=1, max=4096, help="Rows a run of the model takes at most.")
    ] = 64,
    max_delay_ms: Annotated[
        float, typer.Option(min=0, help="How long an idle model waits for more rows to batch.")
    ] = 0.0,
    max_queue: Annotated[int, typer.Option(min=1, help="Requests that may wait for one model.")] = 1024,
    max_queue_mib: Annotated[int, typer.Option(min=1, help="What they may hold together, in MiB.")] = 256,
    grace_s: Annotated[
        float, typer.Option(min=0, help="On SIGTERM: how long accepted requests may still take.")
    ] = 30.0,
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Serve artifacts without a passing verdict, too.")
    ] = False,
) -> None:
    """Serve the newest version of every published model over gRPC, until SIGTERM or Ctrl-C."""
    # Until the server hears of them itself: there is nothing yet to drain.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    # What gRPC's core writes to stderr by itself; errors reach the user as one line of ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    import asyncio

    from serving.server import ServerOptions, serve_until_stopped
    from serving.settings import ModelSettings

    options = ServerOptions(
        repository=repository,
        model=model,
        host=host,
        port=port,
        limits=ModelSettings(
            max_batch_rows=max_batch,
            max_delay_ms=max_delay_ms,
            max_queue=max_queue,
            max_queue_mib=max_queue_mib,
        ),
        grace_s=grace_s,
        allow_unverified=allow_unverified,
    )
    asyncio.run(serve_until_stopped(options))


def _leave(*_: object) -> None:
    sys.exit(0)
