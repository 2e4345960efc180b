"""How settings are written: in flags and variables as text, in TOML files as TOML's own values."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving.errors import ConfigError, quoted, shortened
from serving.settings import Policy, VersionPolicy

MAX_FILE_BYTES = 64 * 1024
OFF = "off"

VERSIONS = "all, latest, latest:2 or 1,3"
DIGITS = re.compile(r"[0-9]{1,18}")


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a configuration file.

    Raises:
        ConfigError: it is no regular file, larger than 64 KiB, or not TOML; the message does not name it.
    """
    import tomllib

    try:
        # Not to wait for whoever writes into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError("it is no regular file: put a file in its place")
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"it is larger than {MAX_FILE_BYTES // 1024} KiB: a configuration is not")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"it is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"it is not TOML: {shortened(str(error))}") from error


def refuse_unknown(keys: Iterable[str], known: Iterable[str]) -> None:
    """Refuse the first key that is not known.

    Raises:
        ConfigError: there is one; with what may be meant, and all that are known.
    """
    import difflib

    known = list(known)
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(f"{quoted(key)} is not known: {meant}the keys are {', '.join(known)}")


def parse_port(value: object) -> int | None:
    """A port, or None of `off`.

    Raises:
        ValueError: it is neither.
    """
    if value == OFF:
        return None
    if (number := _whole(value)) is None or number > 65_535:  # noqa: PLR2004
        raise ValueError(f"expected a port from 0 to 65,535, or {OFF}")
    return number


def parse_rows(value: object) -> tuple[int, ...]:
    """Numbers of rows: of a list, or of `8,16,32`.

    Raises:
        ValueError: it is neither.
    """
    parts = [part.strip() for part in value.split(",") if part] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("expected numbers of rows such as 8,16,32")
    numbers = tuple(_whole(part) for part in parts)
    if None in numbers:
        raise ValueError("expected numbers of rows such as 8,16,32")
    return tuple(number for number in numbers if number is not None)


def parse_versions(value: object) -> VersionPolicy:
    """A policy: of `all`, `latest`, `latest:2`, `1,3` as text, of `{latest = 2}` or `[1, 3]`.

    Raises:
        ValueError: it is none of these.
    """
    match value:
        case VersionPolicy():
            return value
        case "all":
            return VersionPolicy(kind=Policy.ALL)
        case "latest":
            return VersionPolicy()
        case str() if value.startswith("latest:"):
            latest = _whole(value.removeprefix("latest:"))
        case {"latest": count, **others} if not others:
            latest = _whole(count)
        case str() | list() | tuple():
            parts = value.split(",") if isinstance(value, str) else value
            numbers = [_whole(part) for part in parts]
            listed = tuple(number for number in numbers if number)
            if not listed or len(listed) < len(numbers):
                raise ValueError(f"expected {VERSIONS}")
            return VersionPolicy(kind=Policy.LISTED, versions=listed)
        case _:
            latest = None
    if latest is None:
        raise ValueError(f"expected {VERSIONS}")
    return VersionPolicy(latest=latest)


def shown(value: object) -> str:
    """A value that a file holds, as a message quotes it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case _:
            return shortened(str(value))


def plain(value: object) -> Any:  # noqa: ANN401  (what TOML and JSON both have, and None)
    """A setting's value as TOML and JSON write it."""
    match value:
        case VersionPolicy(kind=Policy.ALL):
            return "all"
        case VersionPolicy(kind=Policy.LISTED):
            return list(value.versions)
        case VersionPolicy():
            return {"latest": value.latest}
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def toml_text(value: object) -> str:
    """A value that `plain` gave, in TOML.

    Raises:
        ConfigError: it is a text that is not Unicode, such as an odd file name.
    """
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return f"{{ {', '.join(f'{key} = {toml_text(each)}' for key, each in value.items())} }}"
        case list():
            return f"[{', '.join(map(toml_text, value))}]"
        case str():
            return _toml_string(value)
        case _:
            return repr(value)


def _toml_string(text: str) -> str:
    import json

    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{quoted(text)} cannot be written as UTF-8: rename it") from error
    # JSON escapes what TOML does, but for one control character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _whole(value: object) -> int | None:
    """A whole number from 0, as a number or its digits; None of anything else."""
    if isinstance(value, str):
        return int(value) if DIGITS.fullmatch(value.strip()) and value.isascii() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value >= 0 else None
