"""What an export costs: the whole command with every format, and parity against bare inference.

python benchmarks/export_cost.py RUN: RUN is a run directory, such as the newest in runs/.

Two tables: wall seconds of `keraport export --formats all` as a whole process; and for each artifact the
seconds of running all test samples through it bare, of running and judging it, and the sums' ratio.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this folder has a training.py of its own

from export.check import find_target
from export.data import class_labels, data_arrays
from export.exchange import write_arrays
from export.formats import Format
from export.judge import judge
from export.reference import Reference, ReferenceKind, ReferenceModel
from export.runners import open_runner
from export.sessions import SessionSettings
from export.source import find_checkpoint, load_run_data
from export.steps import PrepareOrder, prepare

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def export(run: Path, repository: Path) -> float:
    command = [sys.executable, "-m", "keraport", "export", str(run), "--formats", "all"]
    return seconds(
        lambda: subprocess.run([*command, "--repository", str(repository)], check=True, capture_output=True)
    )


def open_reference(run: Path, folder: Path) -> Reference:
    """Run the checkpoint on its test samples, as an export does."""
    checkpoint = find_checkpoint(run)
    dataset = load_run_data(checkpoint)
    order = PrepareOrder(
        model=ReferenceModel(path=checkpoint.path, kind=ReferenceKind.KERAS, sha256=checkpoint.sha256),
        data=write_arrays(folder / "data", data_arrays(dataset)),
        out=folder / "reference",
        source=dataset.source,
        data_sha256=dataset.sha256,
        labels=class_labels(dataset),
    )
    prepare(order)
    return Reference.open(order.out)


def compare_costs(kind: Format, path: Path, reference: Reference) -> tuple[float, float]:
    """Bare and judged seconds of one artifact, the least of some rounds in turn."""

    def bare() -> None:
        with open_runner(path, kind, SessionSettings()) as runner:
            runner.run(reference.feed)

    bares, judged = [], []
    for _ in range(ROUNDS):
        bares.append(seconds(bare))
        judged.append(seconds(lambda: judge(path, kind, reference, SessionSettings())))
    return min(bares), min(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        print(f"keraport export --formats all: {export(run, repository):.0f} s")
        reference = open_reference(run, Path(folder))
        print("\n| artifact | bare | with parity | ratio |\n|---|---|---|---|")
        sums = [0.0, 0.0]
        for kind, path, _ in find_target(repository).files:
            bare, judged = compare_costs(kind, path, reference)
            sums = [sums[0] + bare, sums[1] + judged]
            print(f"| {kind} | {bare:.2f} s | {judged:.2f} s | {judged / bare:.2f} |", flush=True)
        print(f"| all | {sums[0]:.2f} s | {sums[1]:.2f} s | {sums[1] / sums[0]:.2f} |")


if __name__ == "__main__":
    main()
