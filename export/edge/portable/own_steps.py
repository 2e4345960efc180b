"""Steps of an inference that the generator does not know, and what infer.c says of each."""

from dataclasses import dataclass

from export.edge.c_text import c_numbers

TABLE = """\
static const int8_t {name}[{size}] = {{
{numbers}
}};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStep:
    """One call of a kernel of our own.

    Attributes:
        kernel: the C of its function, and of what that calls.
        function: its name.
        numbers: its arguments after the input and the output.
        table: a constant array that is its last argument; none if empty.
        output_bytes: that it answers.
        in_place: whether its output may be its input.
    """

    kernel: str
    function: str
    numbers: tuple[int, ...]
    table: tuple[int, ...] = ()
    output_bytes: int
    in_place: bool

    def constants(self, name: str) -> str:
        """The C of its table.

        Args:
            name: of the table.
        """
        return TABLE.format(name=name, size=len(self.table), numbers=c_numbers(self.table)) * bool(self.table)

    def call(self, name: str, given: str, taken: str) -> str:
        """The statement that runs it.

        Args:
            name: of its table.
            given: what it reads.
            taken: where it writes.
        """
        arguments = (given, taken, *map(str, self.numbers), *([name] if self.table else []))
        return f"{self.function}({', '.join(arguments)});"
