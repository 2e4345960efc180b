"""Compare keraport with its limits and its peers under the same load, in turn, on the same cores.

python benchmarks/serving/run.py --help
"""

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

# Instead of this folder: what lies beside this file shadows nothing then.
sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from benchmarks.serving.environments import install
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.h2load import require_h2load
from benchmarks.serving.models import MODELS, prepare
from benchmarks.serving.results import Measurement
from benchmarks.serving.servers import SERVERS
from benchmarks.serving.stage import Stage

CACHE = Path(__file__).resolve().parent / "cache"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--loads", nargs="+", type=int, default=[1, 8, 64, 256], help="requests in flight")
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 8, 32], help="of each request")
    parser.add_argument("--workers", type=int, default=1, help="processes that answer, of every server")
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    require_h2load()
    for environment in {SERVERS[name].environment for name in arguments.servers} - {None}:
        install(environment)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for name in arguments.models:
            stage = Stage(prepare(name, CACHE), arguments.rows, arguments.workers, Path(folder) / name)
            servers = [stack.enter_context(stage.start(SERVERS[server])) for server in arguments.servers]
            for rows in arguments.rows:
                for in_flight in arguments.loads:
                    for number in range(1, arguments.rounds + 1):
                        for server in servers:
                            show(
                                stage.load(
                                    server,
                                    rows=rows,
                                    in_flight=in_flight,
                                    seconds=arguments.seconds,
                                    number=number,
                                )
                            )
            stack.close()


def show(each: Measurement) -> None:
    load = each.load
    print(
        f"{each.model} {each.server:12} {each.rows} rows {each.in_flight} in flight: {load.rate:,.0f}/s "
        f"p50 {load.p50_ms:.2f} p99 {load.p99_ms:.2f} ms, {each.cores:.2f} cores, "
        f"{1e6 * each.cores / load.rate:.0f} us CPU/request",
        flush=True,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives this process
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
