"""How the answers of one runtime differ from those of the reference kernels, byte by byte."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int8] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two sets of answers to the same samples.

    Attributes:
        samples: how many.
        compared_bytes: of the answers.
        differing_bytes: of these.
        largest_step: between two numbers, in steps of the output's scale.
        differing_classes: samples whose highest number is in another place; None of models without classes.
    """

    samples: int
    compared_bytes: int
    differing_bytes: int
    largest_step: int
    differing_classes: int | None

    @property
    def summary(self) -> str:
        """The same in one line."""
        text = f"{self.differing_bytes:,} of {self.compared_bytes:,} bytes differ on {self.samples:,} samples"
        if not self.differing_bytes:
            return text
        classes = "" if self.differing_classes is None else f", the class of {self.differing_classes:,}"
        return f"{text}, by at most {self.largest_step}{classes}"


def compare(found: Numbers, expected: Numbers, *, classes: bool) -> Difference:
    """Compare answers of the same size, samples first."""
    before, after = (array.reshape(len(expected), -1).astype(np.int16) for array in (expected, found))
    steps = abs(after - before)
    moved = before.argmax(axis=1) != after.argmax(axis=1)
    return Difference(
        samples=len(expected),
        compared_bytes=expected.size,
        differing_bytes=int((steps > 0).sum()),
        largest_step=int(steps.max(initial=0)),
        differing_classes=int(moved.sum()) if classes else None,
    )
