"""Progress of a training run on a terminal, or as plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.record import Epoch


class ConsoleListener:
    """A bar with the time left for the epoch under way, and one line for each epoch that is done."""

    def __init__(self, console: Console, epochs: int) -> None:
        self._console = console
        self._epochs = epochs
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("preparing", total=None)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line or paragraph."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar, whose length is the whole run."""
        self._bar.update(
            self._task,
            description=f"epoch {epoch}/{self._epochs}",
            completed=(epoch - 1) * steps + step,
            total=self._epochs * steps,
        )

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        """Print an epoch's figures."""
        training, validation = (
            f"loss {loss:.4f}" + ("" if accuracy is None else f"  accuracy {accuracy:.2%}")
            for loss, accuracy in (
                (epoch.loss, epoch.accuracy),
                (epoch.validation_loss, epoch.validation_accuracy),
            )
        )
        self.say(
            f"epoch {epoch.epoch:>2}/{self._epochs}  {training}  validation {validation}  "
            f"{epoch.seconds:.1f} s{'  best so far' if best else ''}"
        )
