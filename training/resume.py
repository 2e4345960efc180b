"""From an unfinished run's record back to the plan that it was following."""

from pathlib import Path

import msgspec

from training.errors import RecordError
from training.fit import Plan
from training.recipes import Recipe
from training.record import read_record


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
