"""What a run is to do: as a command line asks, or as an unfinished run began."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.datasets import DataOptions
from training.errors import RecordError
from training.recipes import Recipe
from training.record import read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do.

    Attributes:
        recipe: how.
        options: with which the data were read.
        out: the run directory, which must not exist unless the run is resumed.
        seed: of weights, order, dropout and augmentation.
        deterministic: hold TensorFlow to repeatable kernels, at some cost in speed.
        resume: go on with the unfinished run in `out`.
    """

    recipe: Recipe
    options: DataOptions
    out: Path
    seed: int
    deterministic: bool = False
    resume: bool = False


def plan_to_resume(out: Path) -> tuple[Plan, str]:
    """The plan of an unfinished run, and the source of its data.

    Raises:
        RecordError: there is no such run, or its settings are not a recipe's.
    """
    record = read_record(out)
    try:
        recipe = msgspec.convert({**record.settings, "name": record.recipe}, Recipe)
    except msgspec.ValidationError as error:
        raise RecordError(
            f"{out} was begun with other settings than this keraport has ({error}): train anew"
        ) from error
    plan = Plan(
        recipe=recipe,
        options=record.dataset.options,
        out=out,
        seed=record.seed,
        deterministic=record.deterministic,
        resume=True,
    )
    return plan, record.dataset.source
