"""The uint8 file in a browser: how far its answers are from the reference kernels'."""

from dataclasses import dataclass

import numpy as np

from export.edge.difference import Difference, compare
from export.edge.golden import Golden, ReferenceKernels
from export.edge.subject import Subject
from export.formats import Format
from export.handed import Browser
from export.runner import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserFacts:
    """What a browser made of the uint8 file.

    Attributes:
        release: of the runtime and the browser.
        golden: the golden vectors, against the file's own answers under LiteRT's reference kernels.
        test: the first test samples, likewise.
        reason: why it was not run, in one line; empty if it was.
    """

    release: str = ""
    golden: Difference | None = None
    test: Difference | None = None
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether it takes a golden vector for another class."""
        return self.golden is not None and bool(self.golden.differing_classes)


def check_in_browser(
    browser: Browser, subject: Subject, golden: Golden, test: Golden, *, time_limit_s: float
) -> BrowserFacts:
    """Run golden vectors and test samples.

    Args:
        browser: to run them in.
        subject: the model.
        golden: its vectors.
        test: test samples.
        time_limit_s: seconds that it may take.
    """
    path = subject.others().get(Format.TFLITE_UINT8)
    if path is None:
        return BrowserFacts(reason="this version ships no uint8 file that has passed")
    if missing := browser.missing():
        return BrowserFacts(reason=f"{' and '.join(missing)} missing")
    kernels = ReferenceKernels(path)
    numbers = [kernels.quantize(part.raw) for part in (golden, test)]
    try:
        found, release = browser.answer(path, np.concatenate(numbers), time_limit_s=time_limit_s)
    except RunError as error:
        return BrowserFacts(reason=str(error))
    classes = subject.classes is not None
    first = compare(found[: len(golden)], kernels.run(numbers[0]), classes=classes)
    rest = compare(found[len(golden) :], kernels.run(numbers[1]), classes=classes)
    return BrowserFacts(release=release, golden=first, test=rest)
