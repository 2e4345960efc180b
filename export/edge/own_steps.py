"""Steps of an inference that the generator does not know, with what infer.c says of each."""

from dataclasses import dataclass

from export.edge.own_kernels import MEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of every channel over all positions.

    Attributes:
        positions: rows times columns.
        channels: of which there is a mean each.
        input_zero_point, output_zero_point: of its tensors.
        multiplier, shift: of the sum of a channel: sum * multiplier * 2^(shift - 31).
    """

    positions: int
    channels: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int

    @property
    def output_bytes(self) -> int:
        """That it answers."""
        return self.channels

    @property
    def kernels(self) -> tuple[str, ...]:
        """The functions that its call needs."""
        return (MEAN,)

    def call(self, given: str, taken: str) -> str:
        """The statement that runs it.

        Args:
            given: what it reads.
            taken: where it writes.
        """
        numbers = (self.positions, self.channels, self.input_zero_point, self.output_zero_point)
        listed = ", ".join(map(str, (*numbers, self.multiplier, self.shift)))
        return f"model_mean({given}, {taken}, {listed});"


OwnStep = Mean
