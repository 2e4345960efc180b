"""A data set as the steps of an export take it: test samples, targets, and what to calibrate on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.compare import TargetKind
from training.datasets import Dataset, Samples, Task

CALIBRATION_SAMPLES = 500
SEED = 0  # of the draw of calibration samples
UNNAMED = "y"  # how a data set calls an only target
KINDS = {
    Task.CLASSIFICATION: TargetKind.CLASS,
    Task.MULTI_LABEL: TargetKind.MULTI_LABEL,
    Task.REGRESSION: TargetKind.VALUES,
}


def data_arrays(dataset: Dataset, calibration: Dataset | None = None) -> dict[str, NDArray[Any]]:
    """Everything that the steps need of the data, by name.

    Args:
        dataset: its test split is compared.
        calibration: its training split, if there is one, shows the ranges of activations.

    Returns:
        `test/<input>`, `<kind>/<output>` for targets, `calibration/<input>`.
    """
    arrays = {f"test/{name}": array for name, array in dataset.test.inputs.items()}
    for name, values in dataset.test.targets.items():
        kind = KINDS[dataset.targets[name].task]
        arrays[f"{kind}/{'' if name == UNNAMED else name}"] = values
    if calibration is not None and calibration.train is not None:
        chosen = calibration.train.take(_stratified(calibration.train, calibration))
        arrays |= {f"calibration/{name}": array for name, array in chosen.inputs.items()}
    return arrays


def class_labels(dataset: Dataset) -> tuple[str, ...]:
    """One text a class, or label, of the only target; none for other data."""
    if len(dataset.targets) != 1:
        return ()
    return next(iter(dataset.targets.values())).labels


def _stratified(samples: Samples, dataset: Dataset) -> NDArray[np.int64]:
    """Sorted indices of a fixed draw, each class by its share."""
    count = len(samples)
    generator = np.random.default_rng(SEED)
    order = generator.permutation(count)
    tasks = [target.task for target in dataset.targets.values()]
    if tasks == [Task.CLASSIFICATION]:
        order = order[np.argsort(samples.y[order], kind="stable")]
    places = np.linspace(0, count - 1, min(CALIBRATION_SAMPLES, count)).round().astype(np.int64)
    chosen: NDArray[np.int64] = np.sort(order[places])
    return chosen
