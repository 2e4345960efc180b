"""The uint8 file in a browser: how far its answers are from the reference kernels'."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.edge.reference_kernels import ReferenceKernels
from export.edge.subject import Subject
from export.formats import Format
from export.handed import Browser
from export.runner import BrokenRuntimeError, RunError

ROUNDING = 16  # steps of an output, more than other kernels' rounding adds up to


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserFacts:
    """What a browser made of the uint8 file.

    Attributes:
        release: of the runtime and the browser.
        golden: the golden vectors, against the file's own answers under LiteRT's reference kernels.
        test: the first test samples, likewise.
        missing: what is not installed, or not published, for it to be run.
        failure: why it cannot be run there; empty if it can.
        broken: why the browser does not work; empty if it does.
    """

    release: str = ""
    golden: Difference | None = None
    test: Difference | None = None
    missing: tuple[str, ...] = ()
    failure: str = ""
    broken: str = ""

    @property
    def differs(self) -> bool:
        """Whether it takes a golden vector for another class; without classes, beyond any rounding."""
        if self.golden is None:
            return bool(self.failure)
        if self.golden.differing_classes is None:
            return self.golden.largest_step > ROUNDING
        return self.golden.differing_classes > 0


def check_in_browser(
    browser: Browser,
    subject: Subject,
    golden: Golden,
    test: Golden,
    scratch: Path,
    *,
    time_limit_s: float,
) -> BrowserFacts:
    """Run golden vectors and test samples.

    Args:
        browser: to run them in.
        subject: the model.
        golden: its vectors.
        test: test samples.
        scratch: a folder for what the reference kernels are handed.
        time_limit_s: seconds that a run may take.

    Raises:
        KitError: the reference kernels cannot run them.
    """
    path = subject.others().get(Format.TFLITE_UINT8)
    if path is None:
        return BrowserFacts(missing=("a uint8 file that has passed",))
    if missing := browser.missing():
        return BrowserFacts(missing=missing)
    kernels = ReferenceKernels(path, scratch, time_limit_s=time_limit_s)
    numbers = {"golden": kernels.quantize(golden.raw), "test": kernels.quantize(test.raw)}
    expected = kernels.run(numbers)
    try:
        found, release = browser.answer(
            path, np.concatenate([*numbers.values()]).astype(np.uint8), time_limit_s=time_limit_s
        )
    except RunError as error:
        return BrowserFacts(failure=str(error))
    except BrokenRuntimeError as error:
        return BrowserFacts(broken=str(error))
    classes = subject.classes is not None
    first = compare(found[: len(golden)], expected["golden"], classes=classes)
    rest = compare(found[len(golden) :], expected["test"], classes=classes)
    return BrowserFacts(release=release, golden=first, test=rest)
