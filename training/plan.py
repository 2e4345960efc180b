"""What a run is to do: as a command line asks, or as an unfinished run began."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.datasets import DataOptions
from training.errors import RecordError
from training.events import FOLDER as EVENTS_FOLDER
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
        tensorboard: write event files, into the run directory.
        resume: go on with the unfinished run in `out`.
    """

    recipe: Recipe
    options: DataOptions
    out: Path
    seed: int
    deterministic: bool = False
    tensorboard: bool = False
    resume: bool = False


def plan_to_resume(out: Path, *, tensorboard: bool = False) -> tuple[Plan, str]:
    """The plan of an unfinished run, and the source of its data.

    Args:
        out: the run directory.
        tensorboard: write event files even if the run was begun without.

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
        tensorboard=tensorboard or (out / EVENTS_FOLDER).is_dir(),
        resume=True,
    )
    return plan, record.dataset.source
