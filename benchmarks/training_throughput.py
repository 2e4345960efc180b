"""Train `notebook` and `default` in turn on the same cores; compare their images a second.

python benchmarks/training_throughput.py [--rounds 3] [--images 20000] [--warm-up 50]: one row a round, and
the medians. A round trains one epoch of each through `keraport train`'s own function and then draws the
batches of `default` without training on them. Rates count the training steps after the warm-up, not
validation. On a busy machine the CPU time an image is the steadier figure.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this folder has a training.py of its own

from training.batches import training_batches
from training.datasets import DataOptions, Dataset, load_dataset
from training.fit import train
from training.plan import Plan
from training.recipes import Recipe, find_recipe
from training.record import Epoch


@dataclass(frozen=True, slots=True)
class Rate:
    """Images a second of wall time, and microseconds of CPU time an image, all threads together."""

    images_per_second: float
    cpu_us: float


@dataclass
class Stopwatch:
    """A training listener that notes wall and CPU time after the warm-up and at the last full batch."""

    warm_up: int
    marks: dict[int, tuple[float, float]] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Pass over what people are told."""

    def step(self, epoch: int, step: int, steps: int) -> None:  # noqa: ARG002  (a listener's)
        """Note the times."""
        if step in (self.warm_up, steps - 1):
            self.marks[step] = (time.perf_counter(), time.process_time())

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        """Pass over the epoch's figures."""

    def rate(self, batch_size: int) -> Rate:
        """What was reached between the two marks."""
        (first, begun), (last, ended) = self.marks.items()
        return _rate((last - first) * batch_size, ended[0] - begun[0], ended[1] - begun[1])


def train_epoch(recipe: Recipe, dataset: Dataset, warm_up: int) -> Rate:
    """Train one epoch in this process."""
    stopwatch = Stopwatch(warm_up)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / recipe.name
        train(Plan(recipe=recipe, options=DataOptions(), out=out, seed=0), dataset, stopwatch)
    return stopwatch.rate(recipe.batch_size)


def draw_batches(recipe: Recipe, dataset: Dataset, warm_up: int) -> Rate:
    """Draw an epoch's batches and throw them away."""
    steps = len(dataset.splits["train"]) // recipe.batch_size - 1
    batches = iter(training_batches(dataset.splits["train"], len(dataset.labels), recipe, seed=0))
    for _ in range(warm_up):
        next(batches)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps - warm_up):
        next(batches)
    return _rate((steps - warm_up) * recipe.batch_size, time.perf_counter() - wall, time.process_time() - cpu)


def _rate(images: int, seconds: float, cpu_seconds: float) -> Rate:
    return Rate(images / seconds, 1e6 * cpu_seconds / images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=20_000, help="training images, validation included")
    parser.add_argument("--warm-up", type=int, default=50, help="steps that are not measured")
    arguments = parser.parse_args()
    mnist = load_dataset("mnist")
    few = np.arange(arguments.images)
    dataset = dataclasses.replace(
        mnist, train=mnist.splits["train"].take(few), test=mnist.test.take(few[:1000])
    )
    notebook, default = (dataclasses.replace(find_recipe(name), epochs=1) for name in ("notebook", "default"))
    rows = []
    print(
        "| round | notebook, images/s | default | ratio | notebook, µs of CPU an image | default "
        "| default's batches alone, images/s | to its steps |\n" + "|---" * 8 + "|"
    )
    for number in range(1, arguments.rounds + 1):
        slow, fast = (train_epoch(recipe, dataset, arguments.warm_up) for recipe in (notebook, default))
        alone = draw_batches(default, dataset, arguments.warm_up)
        rows.append(
            (
                slow.images_per_second,
                fast.images_per_second,
                fast.images_per_second / slow.images_per_second,
                slow.cpu_us,
                fast.cpu_us,
                alone.images_per_second,
                alone.images_per_second / fast.images_per_second,
            )
        )
        print(_row(str(number), rows[-1]), flush=True)
    print(_row("median", tuple(map(statistics.median, zip(*rows, strict=True)))))


def _row(label: str, values: tuple[float, ...]) -> str:
    slow, fast, ratio, slow_us, fast_us, alone, margin = values
    return (
        f"| {label} | {slow:,.0f} | {fast:,.0f} | {ratio:.2f} | {slow_us:.0f} | {fast_us:.0f} "
        f"| {alone:,.0f} | {margin:.1f} |"
    )


if __name__ == "__main__":
    main()
