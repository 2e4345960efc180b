"""Ctrl-C and SIGTERM while TensorFlow is at work."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def held_interrupts() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and SIGTERM back until the step under way is done; a second one takes effect at once.

    An exception in the midst of TensorFlow's own code may be lost there, or crash it.

    Yields:
        A function to call between steps, which raises KeyboardInterrupt if one came.
    """
    received: list[int] = []

    def note(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    def check() -> None:
        if received:
            raise KeyboardInterrupt

    held = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                held[number] = signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
