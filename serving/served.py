"""One version that is being served: its session, the batcher before it, what is counted of it."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self

from serving.batcher import Batcher
from serving.classification import select
from serving.codec import check_feed
from serving.errors import Draining, Expired, InvalidTensor, QueueFull, RequestError, quoted
from serving.inference import Inference, Outcome
from serving.session import Session
from serving.settings import ModelSettings
from serving.statistics import Reason, Statistics

REJECTED = (QueueFull, Expired, Draining)


class ServedModel:
    """Answers inferences of one version of a model.

    Attributes:
        session: the first of those that run it.
        settings: of the model, with the size of batches and the number of sessions that were found to pay.
        batcher: before the session.
    """

    def __init__(self, sessions: Sequence[Session], settings: ModelSettings, statistics: Statistics) -> None:
        self.session = session = sessions[0]
        self.settings = settings = replace(
            settings, batch_rows=session.pace.batch_rows, sessions=len(sessions)
        )
        self._statistics = statistics
        self._counts = statistics.of(session.name, session.version)
        self.batcher = Batcher(
            [each.run for each in sessions],
            settings,
            observe=self._counts.add_run,
            at_once=session.at_once,
            ahead=session.ahead,
        )
        self._output_names = tuple(tensor.name for tensor in session.manifest.outputs)
        self._answering = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> Self:
        """Begin to work."""
        await self.batcher.__aenter__()
        self._statistics.serve(self.session.name, self.session.version, self.waiting)
        return self

    async def close(self) -> None:
        """End; what waits is cancelled."""
        self._statistics.retire(self.session.name, self.session.version, self.waiting)
        await self.batcher.__aexit__(None, None, None)

    def waiting(self) -> int:
        """Requests that wait for their batch."""
        return self.batcher.waiting

    async def idle(self) -> None:
        """Wait until no inference is under way."""
        await self._idle.wait()

    async def retire(self) -> None:
        """Answer what was accepted, then end."""
        await self._idle.wait()
        await self.close()

    async def infer(self, inference: Inference) -> Outcome:
        """Run the model.

        Raises:
            RequestError: the request is not what the model takes, or its time or place ran out.
        """
        began = time.perf_counter()
        self._answering += 1
        self._idle.clear()
        try:
            outcome = await self._infer(inference)
        except BaseException as error:
            self._counts.add_failure(_reason(error), total_s=time.perf_counter() - began)
            raise
        else:
            self._counts.add_success(
                rows=outcome.rows,
                total_s=time.perf_counter() - began,
                queue_s=outcome.queue_s,
                run=outcome.run,
            )
            return outcome
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.set()

    def refused(self, error: RequestError) -> None:
        """Count a request that was refused before it came to be run."""
        self._counts.add_failure(_reason(error), total_s=0.0)

    async def _infer(self, inference: Inference) -> Outcome:
        manifest = self.session.manifest
        self._check_outputs(inference.outputs)
        rows = check_feed(inference.feed, manifest.inputs, max_rows=self.settings.max_batch_rows)
        batched = await self.batcher.submit(
            inference.feed,
            self.batcher.deadline_of(inference.remaining_s, inference.timeout_s),
            priority=inference.priority,
            held_bytes=inference.wire_bytes,
        )
        return Outcome(
            model=self.session.name,
            version=self.session.version,
            id=inference.id,
            outputs=select(batched.answer, inference.outputs, manifest),
            rows=rows,
            queue_s=batched.queue_s,
            run=batched.run,
        )

    def _check_outputs(self, wanted: Iterable[str]) -> None:
        for name in wanted:
            if name not in self._output_names:
                expected = ", ".join(self._output_names)
                raise InvalidTensor(f"output {quoted(name)} was asked for, expected any of: {expected}")


def _reason(error: BaseException) -> Reason:
    if isinstance(error, asyncio.CancelledError):
        return Reason.CANCELED
    if isinstance(error, REJECTED):
        return Reason.REJECTED
    return Reason.OTHER if isinstance(error, RequestError) else Reason.BACKEND
