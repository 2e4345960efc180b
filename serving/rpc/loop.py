"""An event loop that waits for gRPC's completions, and for files beside.

grpc.aio waits for completions in a thread of its own, which wakes the loop's for each: three to six times a
request, and each time the interpreter's lock changes hands. Here the loop's thread itself waits in gRPC's
core, and a completion is dealt with where it is found. Files (sockets of HTTP, the supervisor's channel, the
loop's own) are watched by another thread, which rings a bell in the completion queue when one is ready: they
pay for that thread, an inference over gRPC does not.
"""

import asyncio
import logging
import os
import select
import selectors
import threading
import time

from serving.rpc.bell import Bell
from serving.rpc.core import cygrpc

log = logging.getLogger(__name__)

TIMEOUT = cygrpc.CompletionType.queue_timeout
OVER = cygrpc.CompletionType.queue_shutdown

# Completions that are dealt with before the loop's own callbacks have their turn.
BURST = 32

PAST = 0.0  # as a deadline: what is there is taken, nothing is waited for

CLOSE_SECONDS = 10.0


class CompletionSelector(selectors.DefaultSelector):
    """Waits for completions and for files; a completion's tag is called with its event.

    Attributes:
        queue: of the completions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queue = cygrpc.CompletionQueue()
        self._bell = Bell(self.queue, self._rung)
        self._rang = False
        self._looked = threading.Semaphore(0)
        self._ending, self._end = os.pipe()
        self._watching = threading.Thread(target=self._watch, name="files", daemon=True)
        self._watching.start()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait until a file is ready or a completion was dealt with.

        Args:
            timeout: in seconds; None to wait without end, 0 or less not at all.

        Returns:
            The files that are ready.
        """
        files = self._files()
        deadline = None if timeout is None else time.time() + timeout
        if files or (timeout is not None and timeout <= 0):
            deadline = PAST
        for _ in range(BURST):
            # An event may hold the last reference to a call, which is not to outlast it.
            event = self.queue.poll(deadline)
            if event.completion_type == TIMEOUT:
                break
            try:
                event.tag(event)
            except Exception:
                log.exception("a completion could not be dealt with")
            del event
            deadline = PAST
        return files or self._files()

    def close(self) -> None:
        """Stop to watch; servers of the queue are over by now."""
        os.close(self._end)
        self._looked.release()
        self._watching.join()
        os.close(self._ending)
        self.queue.shutdown()
        deadline = time.time() + CLOSE_SECONDS
        while self.queue.poll(deadline).completion_type not in (OVER, TIMEOUT):
            pass
        super().close()

    def _files(self) -> list[tuple[selectors.SelectorKey, int]]:
        """The files that are ready; as long as some are found the other thread rests."""
        if not self._rang:
            return []
        files = super().select(0)
        if not files:
            self._rang = False
            self._looked.release()
        return files

    def _rung(self, _: object) -> None:
        self._rang = True

    def _watch(self) -> None:
        files = select.poll()
        files.register(self.fileno(), select.POLLIN)
        files.register(self._ending, 0)
        while all(each != self._ending for each, _ in files.poll()):
            self._bell.ring()
            self._looked.acquire()


class CompletionLoop(asyncio.SelectorEventLoop):
    """The loop.

    Attributes:
        queue: gRPC's completions, each with a function as its tag, which is called with the event in the
            loop's thread.
    """

    def __init__(self) -> None:
        selector = CompletionSelector()
        super().__init__(selector)
        self.queue = selector.queue
