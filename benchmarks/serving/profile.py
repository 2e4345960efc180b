"""Show where the time of a request to keraport goes.

python benchmarks/serving/profile.py: needs h2load (Debian, Ubuntu: apt-get install nghttp2-client) and the
right to look into other processes (root, or kernel.yama.ptrace_scope = 0); perf is used if it is there.
Serves with one worker, loads it, samples it; prints tables and writes profile.json and profile.md.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

# In place of this folder: nothing in it is to stand before the libraries.
sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from benchmarks.serving import machine, output, profiles, rooms, sampling  # noqa: E402
from benchmarks.serving.environments import install  # noqa: E402
from benchmarks.serving.errors import BenchmarkError  # noqa: E402
from benchmarks.serving.h2load import require_h2load  # noqa: E402
from benchmarks.serving.models import ROOT, prepare  # noqa: E402
from benchmarks.serving.plan import OURS  # noqa: E402
from benchmarks.serving.processes import adopt_orphans, end_orphans  # noqa: E402
from benchmarks.serving.results import Cell  # noqa: E402
from benchmarks.serving.servers import SERVERS  # noqa: E402
from benchmarks.serving.stage import Stage  # noqa: E402

CACHE = Path(__file__).resolve().parent / "cache"
OUT = ROOT / "docs" / "benchmarks"
CASES = (("default", 64), ("default", 1), ("middle", 64))
SHOWN = 0.01  # of the CPU time, at least
BEFORE_S = 1.0  # a load's, until it is sampled


def profile(model: str, in_flight: int, seconds: float, folder: Path) -> profiles.Profile:
    """Load one worker three times: with nothing beside, under py-spy, under perf."""
    stage = Stage(prepare(model, CACHE), (1,), 1, folder / f"{model}-{in_flight}")
    cell = Cell(model=model, workers=1, rows=1, in_flight=in_flight)
    with stage.start(SERVERS[OURS]) as running:
        pid = running.process.largest
        before = sampling.threads_cpu_s(pid)
        load = stage.measure(running, cell, seconds, 1).load
        after = sampling.threads_cpu_s(pid)
        threads = {
            name: 1e6 * (value - before.get(name, 0.0)) / load.answered for name, value in after.items()
        }
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(stage.measure, running, cell, seconds + 2 * BEFORE_S, 1)
            time.sleep(BEFORE_S)
            lines = sampling.stacks(pid, seconds, folder / "stacks")
            loading.result()
            loading = pool.submit(stage.measure, running, cell, seconds + 2 * BEFORE_S, 1)
            time.sleep(BEFORE_S)
            objects = sampling.objects(pid, seconds, folder / "perf")
            loading.result()
        python_objects = sampling.python_objects(pid, objects)
    return profiles.Profile(
        model=model,
        rows=1,
        in_flight=in_flight,
        rate=load.rate,
        p50_ms=load.p50_ms,
        threads_us=threads,
        samples=rooms.samples(lines),
        rooms=rooms.shares(lines, python_objects),
        leaves=rooms.leaves(lines),
        objects={
            f"{thread}: {name.partition('.cpython')[0].strip('[]')}": share
            for (thread, name), share in objects.items()
            if share >= SHOWN
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=10, help="of each of three loads a case (default: 10)"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"a folder (default: {OUT.relative_to(ROOT)})")
    arguments = parser.parse_args()
    require_h2load()
    install(sampling.ENVIRONMENT)
    began, described = datetime.now(UTC), machine.describe()
    with tempfile.TemporaryDirectory(prefix="kp-") as folder:
        made = []
        for model, in_flight in CASES:
            print(f"{model} model, {in_flight} in flight", file=sys.stderr, flush=True)
            made.append(profile(model, in_flight, arguments.seconds, Path(folder)))
    found = profiles.Profiles(
        began=began.isoformat(timespec="seconds"),
        machine=described,
        versions=machine.package_versions((OURS,))[OURS],
        python_threads=sampling.PYTHON_THREADS,
        profiles=tuple(made),
    )
    profiles.write(found, arguments.out)
    output.show_tables(profiles.tables(found))
    print(f"written: {arguments.out}/{profiles.NAME}.json and .md")


if __name__ == "__main__":
    adopt_orphans()
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    finally:
        end_orphans()
