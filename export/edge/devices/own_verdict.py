"""Runtimes that round in their own way: the file gets a verdict of its own in them, by all test samples."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.check import Check, Target
from export.edge.devices.device_names import CHROMIUM
from export.edge.devices.tflm_kernels import ask_tflm
from export.errors import KitError
from export.formats import Format
from export.handed import Browser
from export.judge import judge
from export.manifest import Artifact
from export.runner import Answer, Feed, Unheld
from export.sessions import SessionSettings
from export.tflite_runner import SIGNATURE, dequantize, open_interpreter, quantize

Ask = Callable[[NDArray[Any]], tuple[NDArray[Any], str]]  # samples to answers, and what gave them


def file_for(device: str, target: Target, path: Path, browser: Browser) -> Target:
    """A published version, of its files the one that a runtime takes alone.

    Args:
        device: the runtime.
        target: the version.
        path: as it was named, for messages.
        browser: the browser.

    Raises:
        KitError: it ships none.
        BrokenRuntimeError: the browser is not installed.
    """
    if device == CHROMIUM:
        browser.require()
    wanted = Format.TFLITE_UINT8 if device == CHROMIUM else Format.TFLITE_INT8
    files = tuple(each for each in target.files if each[0] is wanted)
    if not files:
        raise KitError(f"{path} ships no {wanted}, which {device} takes: export that format too")
    return replace(target, files=files)


def judge_elsewhere(
    device: str,
    target: Target,
    check: Check,
    *,
    browser: Browser,
    margin_points: float | None,
    time_limit_s: float,
) -> Artifact:
    """Give a file a verdict in another runtime than LiteRT's.

    Args:
        device: the runtime.
        target: of `file_for`.
        check: the reference, which has run.
        browser: the browser.
        margin_points: instead of the tier's margin.
        time_limit_s: seconds that the runtime may take.
    """
    ((kind, path, _),) = target.files

    def ask(samples: NDArray[Any]) -> tuple[NDArray[Any], str]:
        if device == CHROMIUM:
            return browser.answer(path, samples, time_limit_s=time_limit_s)
        return _ask_tflm(path, samples, time_limit_s=time_limit_s)

    runner = QuantizedRunner(path, ask)
    artifact = judge(path, kind, check.reference, SessionSettings(), margin_points, lambda: runner)
    return replace(artifact, reason=f"{artifact.reason}, by {runner.release}") if runner.release else artifact


def _ask_tflm(path: Path, samples: NDArray[np.int8], *, time_limit_s: float) -> tuple[NDArray[np.int8], str]:
    with tempfile.TemporaryDirectory(prefix="keraport-") as scratch:
        answers, run = ask_tflm(path, {"test": samples}, Path(scratch), time_limit_s=time_limit_s)
        return np.array(answers["test"]), f"TensorFlow Lite Micro {run.release}"


class QuantizedRunner(Unheld):
    """A file of 8-bit numbers in a runtime that is asked with them; it is a `Runner`.

    Attributes:
        release: of the runtime, once it has run.

    Args:
        path: of the file.
        ask: asks the runtime.

    Raises:
        KitError: it has several inputs or outputs.
    """

    def __init__(self, path: Path, ask: Ask) -> None:
        self.release = ""
        self._ask = ask
        signature = open_interpreter(path, reference_kernels=True).get_signature_runner(SIGNATURE)
        self._input_name, self._input = _only(signature.get_input_details(), path)
        self._output_name, self._output = _only(signature.get_output_details(), path)

    def run(self, feed: Feed) -> Answer:
        """Run all samples.

        Raises:
            RunError: the runtime fails on them.
        """
        numbers = quantize(feed[self._input_name], self._input)
        found, self.release = self._ask(numbers)
        answer = found.reshape(len(numbers), *self._output["shape"][1:])
        return {self._output_name: dequantize(answer, self._output)}


def _only(tensors: dict[str, dict[str, Any]], path: Path) -> tuple[str, dict[str, Any]]:
    if len(tensors) != 1:
        raise KitError(f"{path} has several inputs or outputs: here one of each is taken")
    return next(iter(tensors.items()))
