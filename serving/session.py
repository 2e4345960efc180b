"""One loaded version of a model: what it takes, what it gives, how it is run."""

import asyncio
import time
from typing import Any

import numpy as np
import onnxruntime as ort

from export.errors import first_line
from export.manifest import DATATYPES, Manifest, TensorInfo
from export.runner import Answer, Feed
from serving.batcher import AtOnce
from serving.errors import ModelRefused
from serving.ort_run import run_of
from serving.signature import check_answer, check_file

# A hop to a thread and back costs 0.05 to 0.2 ms when the loop is busy, more than a small model's whole run.
# A run on the loop delays every other request of the process by its length. Up to a millisecond the hop would
# cost more than it spares; beyond, a second core may decode the next requests meanwhile.
INLINE_SECONDS = 0.001

# What a request costs more that goes through the queue: the loop turns twice for it, and at every turn gRPC's
# thread may want the interpreter's lock. A batch that spares each of its rows less than this is not worth it.
FORMING_SECONDS = 0.0001

MEASURED_RUNS = 5
MEASURED_SECONDS = 0.05  # so that a large model is not held up by its own measuring


class Session:
    """An onnxruntime session with the manifest of the version that it was opened from."""

    def __init__(self, manifest: Manifest, session: ort.InferenceSession) -> None:
        """Check that the file is what the manifest says.

        Raises:
            ModelRefused: it is not, has no free first dimension to batch along, or cannot be run at all.
        """
        self.manifest = manifest
        self._inline_rows = 0
        self._gain_s = 0.0
        check_file(manifest, session.get_inputs(), session.get_outputs())
        self._run = run_of(session, manifest.inputs, manifest.outputs)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.model

    @property
    def version(self) -> str:
        """The version, as the protocol carries it."""
        return str(self.manifest.version)

    def warm_up(self, max_rows: int) -> None:
        """Run smallest and largest batches, and from their times learn which runs are short.

        Args:
            max_rows: of the largest batch to come.

        Raises:
            ModelRefused: the model does not run, or answers otherwise than the manifest says.
        """
        try:
            one = self._measure(1)
            most = one if max_rows == 1 else self._measure(max_rows)
        except ModelRefused:
            raise
        except Exception as error:
            raise ModelRefused(f"its first run failed: {first_line(error)}") from error
        self._gain_s = one - most / max_rows
        if one > INLINE_SECONDS:
            return
        # Between the two measurements time is taken to grow in proportion to the rows.
        share = 1.0 if most <= INLINE_SECONDS else (INLINE_SECONDS - one) / (most - one)
        self._inline_rows = 1 + int(share * (max_rows - 1))

    @property
    def at_once(self) -> AtOnce | None:
        """What runs a feed without a batch, for models that gain little from one."""
        if not self._inline_rows or self._gain_s > FORMING_SECONDS:
            return None
        return AtOnce(run=self._run, max_rows=self._inline_rows)

    def runs_inline(self, rows: int) -> bool:
        """Whether a batch of so many rows is short enough to run on the event loop."""
        return rows <= self._inline_rows

    async def run(self, feed: Feed) -> Answer:
        """Run a batch: a short one here and now, a long one in a thread.

        Args:
            feed: input name to array, the first dimension counts rows, as `codec.check_feed` wants them.

        Returns:
            Output name to array, in the manifest's order.
        """
        if self.runs_inline(len(next(iter(feed.values())))):
            return self._run(feed)
        return await asyncio.to_thread(self._run, feed)

    def _measure(self, rows: int) -> float:
        """Seconds of a run: the shortest of some, for on a busy machine others are interrupted."""
        feed = {tensor.name: _neutral(tensor, rows) for tensor in self.manifest.inputs}
        check_answer(self.manifest, self._run(feed), rows)
        seconds: list[float] = []
        while len(seconds) < MEASURED_RUNS and sum(seconds) < MEASURED_SECONDS:
            started = time.perf_counter()
            self._run(feed)
            seconds.append(time.perf_counter() - started)
        return min(seconds)


def _neutral(tensor: TensorInfo, rows: int) -> np.ndarray[Any, Any]:
    # One is the only size that any other free dimension can be trusted to take.
    shape = (rows, *(1 if size == -1 else size for size in tensor.shape[1:]))
    # A text that is a number, too: models that parse their inputs fail on an empty one.
    return np.full(shape, "0" if tensor.datatype == "BYTES" else 0, DATATYPES[tensor.datatype])
