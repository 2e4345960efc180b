"""The options of `keraport serve` as they hold, and how they are printed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.notation import OFF, plain, toml_text

FILE, DEFAULT, FLAG = "file", "default", "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One option as it holds.

    Attributes:
        name: its key in the configuration file.
        value: None for none.
        default: where nobody says anything.
        source: `flag`, a variable's name, `file` or `default`.
    """

    name: str
    value: object
    default: object
    source: str

    @property
    def written(self) -> Any:  # noqa: ANN401  (as TOML and JSON both have it, or None)
        """The value as a file has it; None of what a file can only leave out."""
        if self.value is None and self.default is not None:
            return OFF
        return plain(self.value)


def as_toml(options: Iterable[Chosen]) -> str:
    """The options as a file that `--config` takes, each with where it came from.

    Raises:
        ConfigError: one is a text that is not Unicode.
    """
    lines = ["# keraport serve --config THIS_FILE"]
    for option in options:
        if option.written is None:
            lines.append(f"# {option.name} is not set")
        else:
            lines.append(f"{option.name} = {toml_text(option.written)}  # {option.source}")
    return "\n".join(lines)


def as_json(options: Iterable[Chosen]) -> str:
    """The same as one JSON document."""
    import json

    facts: Mapping[str, object] = {
        option.name: {"value": option.written, "source": option.source} for option in options
    }
    return json.dumps(facts, indent=2)
