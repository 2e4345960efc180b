"""Compare keraport with its limits and its peers under the same load, in turn, on the same cores.

python benchmarks/serving/run.py [--quick]: needs h2load (Debian, Ubuntu: apt-get install nghttp2-client).
Prints tables and writes serving.json, serving.png and serving.md. The models and the peers' environments are
made once and kept beside this file, where git passes them over. --from FILE.json makes tables, plot and page
of an earlier run again.
"""

import argparse
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

# In place of this folder: nothing in it is to stand before the libraries.
sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from benchmarks.serving import machine, output  # noqa: E402
from benchmarks.serving.campaign import Campaign  # noqa: E402
from benchmarks.serving.environments import install  # noqa: E402
from benchmarks.serving.errors import BenchmarkError  # noqa: E402
from benchmarks.serving.h2load import require_h2load  # noqa: E402
from benchmarks.serving.models import MODELS, ROOT  # noqa: E402
from benchmarks.serving.plan import Plan  # noqa: E402
from benchmarks.serving.processes import adopt_orphans, end_orphans  # noqa: E402
from benchmarks.serving.results import Results  # noqa: E402
from benchmarks.serving.servers import SERVERS  # noqa: E402

CACHE = Path(__file__).resolve().parent / "cache"
OUT = ROOT / "docs" / "benchmarks"
QUICK_SERVERS = ("keraport", "empty-aio", "empty-sync", "plain")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS)
    parser.add_argument("--servers", nargs="+", choices=SERVERS)
    parser.add_argument("--loads", nargs="+", type=int, help="requests in flight (default: 1 8 64 256)")
    parser.add_argument("--rows", nargs="+", type=int, help="of each request (default: 1 8 32)")
    parser.add_argument(
        "--workers", nargs="+", type=int, default=[1], help="processes of every server that answer"
    )
    parser.add_argument("--seconds", type=float, help="of each load (default: 2)")
    parser.add_argument("--rounds", type=int, help="of everything (default: 3)")
    parser.add_argument(
        "--quick", action="store_true", help="the default model and our own servers, in minutes"
    )
    parser.add_argument(
        "--out", type=Path, help=f"a folder (default: {OUT.relative_to(ROOT)}; none if quick)"
    )
    parser.add_argument("--from", type=Path, dest="earlier", metavar="FILE.json", help="measure nothing")
    return parser.parse_args()


def plan_of(arguments: argparse.Namespace) -> Plan:
    quick = arguments.quick
    return Plan(
        models=tuple(arguments.models or (("default",) if quick else MODELS)),
        servers=tuple(arguments.servers or (QUICK_SERVERS if quick else SERVERS)),
        loads=tuple(arguments.loads or ((1, 64) if quick else (1, 8, 64, 256))),
        rows=tuple(arguments.rows or ((1, 32) if quick else (1, 8, 32))),
        workers=tuple(arguments.workers),
        seconds=arguments.seconds or (1 if quick else 2),
        rounds=arguments.rounds or (2 if quick else 3),
    )


def measure(plan: Plan) -> Results:
    require_h2load()
    for environment in dict.fromkeys(SERVERS[name].environment for name in plan.servers):
        if environment is not None:
            print(f"the environment of {environment}, if it is not there yet", file=sys.stderr, flush=True)
            install(environment)
    began, clock, described = datetime.now(UTC), time.monotonic(), machine.describe()
    with tempfile.TemporaryDirectory(prefix="kp-") as folder:
        campaign = Campaign(plan=plan, cache=CACHE, folder=Path(folder))
        campaign.run()
    return Results(
        began=began.isoformat(timespec="seconds"),
        minutes=(time.monotonic() - clock) / 60,
        command=tuple(sys.argv[1:]),
        machine=described,
        versions=machine.package_versions(plan.servers),
        measurements=tuple(campaign.measurements),
        bare=tuple(campaign.bare),
        paced=tuple(campaign.paced),
        streamed=tuple(campaign.streamed),
        starts=tuple(campaign.starts),
        commands=campaign.commands,
        failures=tuple(campaign.failures),
    )


def main() -> None:
    arguments = parse()
    results = output.read(arguments.earlier) if arguments.earlier else measure(plan_of(arguments))
    if out := arguments.out or (None if arguments.quick else OUT):
        output.write(results, out)
    output.show(results)
    if out:
        print(f"written: {out}/serving.json, .png and .md")


def interrupt(number: int, _: object) -> None:
    """Unwind, as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    adopt_orphans()
    # However this process is told to stop, it ends its servers first; nohup's word stands.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as interruption:
        print(f"ended by {interruption}: nothing was written", file=sys.stderr)
        sys.exit(130)
    finally:
        end_orphans()
