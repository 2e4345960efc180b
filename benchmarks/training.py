"""Train recipes in turn on one machine; compare accuracy and whole-process wall time.

python benchmarks/training.py [--recipes notebook default] [--seeds 0 1 2]: one row a run, and the means.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def train(recipe: str, seed: int, out: Path) -> tuple[float, float]:
    """Train one recipe in a process of its own; return test accuracy, 0 to 1, and wall seconds."""
    started = time.monotonic()
    command = [sys.executable, "-m", "keraport", "train", "--recipe", recipe, "--seed", str(seed)]
    subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
    seconds = time.monotonic() - started
    return json.loads((out / "run.json").read_text())["test"]["accuracy"], seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipes", nargs="+", default=["notebook", "default"])
    arguments = parser.parse_args()
    results: dict[str, list[tuple[float, float]]] = {recipe: [] for recipe in arguments.recipes}
    print("| recipe | seed | test accuracy | wall time |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            for recipe in arguments.recipes:
                accuracy, seconds = train(recipe, seed, Path(folder) / f"{recipe}-{seed}")
                results[recipe].append((accuracy, seconds))
                print(f"| {recipe} | {seed} | {accuracy:.2%} | {seconds:.0f} s |", flush=True)
    for recipe, runs in results.items():
        accuracy, seconds = (statistics.mean(values) for values in zip(*runs, strict=True))
        print(f"| {recipe} | mean | {accuracy:.2%} | {seconds:.0f} s |")


if __name__ == "__main__":
    main()
