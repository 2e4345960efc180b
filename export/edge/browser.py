"""The uint8 file in a browser, whose runtime rounds in its own way and so gets a verdict of its own."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.check import Check, Target
from export.edge.difference import Difference, compare
from export.edge.golden import Golden, ReferenceKernels
from export.edge.subject import Subject
from export.errors import KitError
from export.formats import Format
from export.handed import Browser
from export.judge import judge
from export.manifest import Artifact
from export.runner import Answer, Feed, RunError, Unheld
from export.sessions import SessionSettings
from export.tflite_runner import SIGNATURE, dequantize, open_interpreter, quantize

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def uint8_file(target: Target, path: Path, browser: Browser) -> Target:
    """A published version, of its files the one that a browser takes alone.

    Raises:
        KitError: it ships none, or the browser is not installed.
    """
    if missing := browser.missing():
        raise KitError(f"the browser needs {' and '.join(missing)}: install them, by make tools-edge browser")
    files = tuple(each for each in target.files if each[0] is Format.TFLITE_UINT8)
    if not files:
        raise KitError(f"{path} ships no tflite-uint8, which browsers take: export that format too")
    return replace(target, files=files)


def judge_in_browser(
    browser: Browser, target: Target, check: Check, *, margin_points: float | None, time_limit_s: float
) -> Artifact:
    """Give the uint8 file a verdict of its own in a browser, by all test samples.

    Args:
        browser: to run them in.
        target: of `uint8_file`.
        check: the reference, which has run.
        margin_points: instead of the tier's margin.
        time_limit_s: seconds that the browser may take.
    """
    ((kind, path, _),) = target.files
    runner = BrowserRunner(browser, path, time_limit_s=time_limit_s)
    artifact = judge(path, kind, check.reference, SessionSettings(), margin_points, lambda: runner)
    return replace(artifact, reason=f"{artifact.reason}, by {runner.release}") if runner.release else artifact


class BrowserRunner(Unheld):
    """A file of uint8 numbers in a browser; it is a `Runner`.

    Attributes:
        release: of the runtime and the browser, once it has run.

    Args:
        browser: to run it in.
        path: of the file.
        time_limit_s: seconds that a run may take.

    Raises:
        KitError: it has several inputs or outputs.
    """

    def __init__(self, browser: Browser, path: Path, *, time_limit_s: float) -> None:
        self.release = ""
        self._browser, self._path, self._time_limit_s = browser, path, time_limit_s
        signature = open_interpreter(path, reference_kernels=True).get_signature_runner(SIGNATURE)
        self._input_name, self._input = _only(signature.get_input_details(), path)
        self._output_name, self._output = _only(signature.get_output_details(), path)

    def run(self, feed: Feed) -> Answer:
        """Run all samples.

        Raises:
            RunError: the browser fails on them.
        """
        numbers: NDArray[np.uint8] = quantize(feed[self._input_name], self._input)
        found, self.release = self._browser.answer(self._path, numbers, time_limit_s=self._time_limit_s)
        answer = found.reshape(len(numbers), *self._output["shape"][1:])
        return {self._output_name: dequantize(answer, self._output)}


def _only(tensors: dict[str, dict[str, Any]], path: Path) -> tuple[str, dict[str, Any]]:
    if len(tensors) != 1:
        raise KitError(f"{path} has several inputs or outputs: the browser takes models with one of each")
    return next(iter(tensors.items()))
