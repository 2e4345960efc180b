"""The options of a command from three places: a flag, else a variable, else the configuration file."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from serving.configuration import DEFAULT, FILE, FLAG, Chosen
from serving.errors import ConfigError, quoted
from serving.notation import read_toml, refuse_unknown, shown
from serving.options_cli import OPTIONS, PREFIX, ServeOptions, variable

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
TOKEN_VARIABLE = f"{PREFIX}TOKEN"  # of the client's commands
# Kubernetes sets variables of these names for a Service called keraport, and KERAPORT_PORT itself.
OF_KUBERNETES = ("SERVICE_", "PORT_")
SERVICE_LINKS = " (Kubernetes sets it for a Service called keraport: turn off enableServiceLinks)"

# What TOML has for a type; an option of any other type reads the value itself.
TOML_TYPES: Mapping[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    Path: ((str,), "a path, as a text"),
}


def take_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take a configuration file's values for what neither a flag nor a variable says.

    Before any other option is read, for Typer names the flag alone where a value is wrong: variables and the
    file are checked here, so that errors name them.

    Raises:
        ConfigError: the file or one of its values cannot be used, or a variable's cannot.
    """
    for name in OPTIONS:
        if value := os.environ.get(variable(name)):
            hint = SERVICE_LINKS if value.startswith("tcp://") else ""
            _check(context, name, value, f"{variable(name)} is {quoted(value)}{hint}")
    if path is not None:
        context.default_map = _read(context, path)
    return path


def _read(context: typer.Context, path: Path) -> dict[str, object]:
    try:
        values = read_toml(path)
        refuse_unknown(values, OPTIONS)
        for key, value in values.items():
            called = f"{key} is {shown(value)}"
            _check_type(key, value, called)
            _check(context, key, value, called)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return values


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        envvar=CONFIG_VARIABLE,
        show_envvar=False,
        is_eager=True,
        callback=take_file,
        help="Read options from this file, by their names with underscores.",
    ),
]


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes `options: ServeOptions` as one that takes each of them, for Typer to read."""
    hints = get_type_hints(ServeOptions, include_extras=True)
    parameters = inspect.signature(command).parameters
    flat = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            # Typer calls a factory when the command runs, not before.
            default=each.default_factory if each.default is MISSING else each.default,
            annotation=_one_text(hints[each.name]),
        )
        for each in fields(ServeOptions)
    ]

    def run(**given: Any) -> None:  # noqa: ANN401  (as the signature below says)
        options = ServeOptions(**{name: given.pop(name) for name in OPTIONS})
        command(options=options, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    others = [each for name, each in parameters.items() if name != "options"]
    run.__dict__["__signature__"] = inspect.Signature([*others, *flat])
    return run


def _one_text(hint: Any) -> Any:  # noqa: ANN401  (an annotation)
    """What parses its text itself takes one, also where it makes a tuple of it."""
    option = hint.__metadata__[0]
    return Annotated[str, option] if option.parser is not None else hint


def chosen(context: typer.Context, options: ServeOptions) -> list[Chosen]:
    """Each option with where its value comes from."""
    return [
        Chosen(
            name=each.name,
            value=getattr(options, each.name),
            default=each.default,
            source=source(context, each.name),
        )
        for each in fields(ServeOptions)
    ]


def misspelt_variables(environment: Iterable[str]) -> list[str]:
    """A sentence for each variable that is nearly that of an option."""
    import difflib

    names = (CONFIG_VARIABLE, TOKEN_VARIABLE, *map(variable, OPTIONS))
    known = [name.removeprefix(PREFIX) for name in names]
    sentences = []
    for each in environment:
        name = each.removeprefix(PREFIX)
        if name != each and name not in known and not name.startswith(OF_KUBERNETES):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            sentences += [f"{each} is not known: did you mean {PREFIX}{other}?" for other in near]
    return sentences


def source(context: typer.Context, name: str) -> str:
    """Where an option's value comes from: `flag`, a variable's name, `file` or `default`."""
    origin = context.get_parameter_source(name)
    match origin.name if origin is not None else "":
        case "COMMANDLINE":
            return FLAG
        case "ENVIRONMENT":
            return variable(name)
        case "DEFAULT_MAP":
            return FILE
        case _:
            return DEFAULT


def _check(context: typer.Context, name: str, value: object, called: str) -> None:
    """Refuse a value that the option would refuse, by the name of where it stands."""
    (option,) = (option for option in context.command.params if option.name == name)
    try:
        option.process_value(context, value)
    except typer.BadParameter as error:
        raise ConfigError(f"{called}: {error.message}") from error


def _check_type(key: str, value: object, called: str) -> None:
    annotation = get_type_hints(ServeOptions, include_extras=True)[key]
    if annotation.__metadata__[0].parser is not None:
        return
    kind, *_ = get_args(annotation.__origin__) or (annotation.__origin__,)  # of `kind | None`
    types, expected = TOML_TYPES[kind]
    # A boolean is an int to Python, not to TOML.
    if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{called}: expected {expected}")
