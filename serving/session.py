"""One loaded version of a model: what it takes, what it gives, how it is run."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime as ort

from export.errors import first_line
from export.manifest import DATATYPES, Manifest, TensorInfo
from export.runner import Answer, Feed
from export.sessions import CPU
from serving.errors import ModelRefused
from serving.joining import divide, unite
from serving.ort_run import run_of
from serving.pace import Pace, learn
from serving.running import AtOnce
from serving.settings import ModelSettings
from serving.signature import check_answer, check_file

# What a request may cost more that goes through the queue, for which the loop turns twice. A batch that
# spares each of its rows less than this is not worth it.
FORMING_SECONDS = 0.0001

# Between two runs in a thread 0.3 to 0.5 ms pass while the event loop is busy, unless the next batch is given
# to it before; but then its requests expire no more, and nothing may overtake them, for the time of a run.
AHEAD_SECONDS = 0.025

MEASURED_RUNS = 6  # the first two of a size lay out its memory
MEASURED_SECONDS = 0.05  # so that a large model is not held up by its own measuring


class Session:
    """An onnxruntime session with the manifest of the version that it was opened from.

    Attributes:
        pace: what the warm-up has learned.
    """

    def __init__(self, manifest: Manifest, session: ort.InferenceSession) -> None:
        """Check that the file is what the manifest says.

        Raises:
            ModelRefused: it is not, has no free first dimension to batch along, or cannot be run at all.
        """
        self.manifest = manifest
        self._session = session
        self.pace = Pace(batch_rows=1, batch_s=0.0, inline_rows=0, gain_s=0.0)
        self._part_rows = 1
        self._steady = all(_is_steady(tensor) for tensor in manifest.inputs)
        check_file(manifest, session.get_inputs(), session.get_outputs())
        self._run = run_of(session, manifest.inputs, manifest.outputs)
        self._clock = _clock_of(session)
        # One of its own, so that a batch that is handed over while another one runs waits in it for its turn.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.name}-{self.version}")

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.model

    @property
    def version(self) -> str:
        """The version, as the protocol carries it."""
        return str(self.manifest.version)

    def warm_up(self, settings: ModelSettings) -> None:
        """Run batches of growing size, and learn from their times how large they pay and which are short.

        Args:
            settings: of batches.

        Raises:
            ModelRefused: the model does not run, or answers otherwise than the manifest says.
        """
        try:
            pace = learn(self._measure, settings)
        except ModelRefused:
            raise
        except Exception as error:
            raise ModelRefused(f"its first run failed: {first_line(error)}") from error
        self.keep_to(pace, settings)

    def keep_to(self, pace: Pace, settings: ModelSettings) -> None:
        """Run as a warm-up has taught it."""
        self.pace = pace
        self._part_rows = pace.batch_rows if self._divisible(settings) else settings.max_batch_rows

    def beside(self) -> "Session":
        """Another one with the same weights, which runs its batches side by side with this one's."""
        other = Session(self.manifest, self._session)
        other.pace, other._part_rows = self.pace, self._part_rows
        return other

    def _divisible(self, settings: ModelSettings) -> bool:
        """Whether a request with more rows than pay may run in parts: nobody said which sizes are to be run.

        Parts may differ in other free dimensions of an answer, such as the longest text's.
        """
        fixed = all(-1 not in tensor.shape[1:] for tensor in self.manifest.outputs)
        return fixed and settings.batch_rows is None and not settings.padding_buckets

    @property
    def at_once(self) -> AtOnce | None:
        """What runs a feed without a batch, for models that gain little from one."""
        if not self.runs_inline(1) or self.pace.gain_s > FORMING_SECONDS:
            return None
        return AtOnce(run=self._run, max_rows=self.pace.inline_rows)

    @property
    def ahead(self) -> bool:
        """Whether it is handed the next full batch while it runs one."""
        short = self._steady and self.pace.batch_s <= AHEAD_SECONDS
        return short and not self.runs_inline(self.pace.batch_rows)

    def runs_inline(self, rows: int) -> bool:
        """Whether a batch of so many rows is short enough to run on the event loop."""
        return self._steady and rows <= self.pace.inline_rows

    async def run(self, feed: Feed) -> Answer:
        """Run a batch: a short one here and now, a long one in a thread.

        Args:
            feed: input name to array, the first dimension counts rows, as `codec.check_feed` wants them.

        Returns:
            Output name to array, in the manifest's order.
        """
        if self.runs_inline(len(next(iter(feed.values())))):
            return self._run(feed)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run_long, feed)

    def _run_long(self, feed: Feed) -> Answer:
        rows = len(next(iter(feed.values())))
        if rows <= self._part_rows:
            return self._run(feed)
        return unite([self._run(part) for part in divide(feed, rows, self._part_rows)])

    def _measure(self, rows: int) -> float:
        """Seconds of a run: the shortest of some, for on a busy machine others are interrupted."""
        feed = {tensor.name: _neutral(tensor, rows) for tensor in self.manifest.inputs}
        seconds: list[float] = []
        while len(seconds) < MEASURED_RUNS and sum(seconds) < MEASURED_SECONDS:
            started = self._clock()
            answer = self._run(feed)
            seconds.append(self._clock() - started)
            if len(seconds) == 1:
                check_answer(self.manifest, answer, rows)
        return min(seconds)


def _clock_of(session: ort.InferenceSession) -> Callable[[], float]:
    """The thread's own where it does all the work: workers that start together take its core in turns."""
    alone = session.get_session_options().intra_op_num_threads == 1 and session.get_providers() == [CPU]
    return time.thread_time if alone else time.perf_counter


def _is_steady(tensor: TensorInfo) -> bool:
    """Whether a row is always as large as the one of the warm-up: its time then says how long others take."""
    return tensor.datatype != "BYTES" and -1 not in tensor.shape[1:]


def _neutral(tensor: TensorInfo, rows: int) -> np.ndarray[Any, Any]:
    # One is the only size that any other free dimension can be trusted to take.
    shape = (rows, *(1 if size == -1 else size for size in tensor.shape[1:]))
    # A text that is a number, too: models that parse their inputs fail on an empty one.
    return np.full(shape, "0" if tensor.datatype == "BYTES" else 0, DATATYPES[tensor.datatype])
