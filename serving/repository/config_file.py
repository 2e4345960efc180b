"""The small typed file beside a model's versions that says how it is batched and run."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from serving.errors import ConfigError, ModelRefused
from serving.notation import parse_versions, read_toml, refuse_unknown, shown
from serving.repository.layout import confined
from serving.settings import ModelSettings

CONFIG_NAME = "config.toml"


def read_model_settings(folder: Path, defaults: ModelSettings) -> ModelSettings:
    """A model's settings: what its `config.toml` says, if it has one, and the defaults.

    Args:
        folder: the model's, in the repository.
        defaults: of what the file leaves out.

    Raises:
        ModelRefused: the file cannot be read, has unknown keys, or values that no setting can have.
    """
    path = folder / CONFIG_NAME
    if not path.is_symlink() and not path.exists():
        return defaults
    real = confined(path, folder.parent)
    try:
        values = read_toml(real)
        refuse_unknown(values, (each.name for each in fields(ModelSettings)))
        own = {key: _converted(key, value) for key, value in values.items()}
        return replace(defaults, **(_fitting(defaults, own) | own))
    except (ConfigError, ValueError) as error:
        # The client that asks for the repository's index reads this: the path stops at the model's name.
        raise ModelRefused(f"{folder.name}/{CONFIG_NAME}: {error}") from error


def _fitting(defaults: ModelSettings, own: Mapping[str, Any]) -> dict[str, Any]:
    """Those defaults that the model's own settings leave no room for, cut to what they leave."""
    rows = own.get("max_batch_rows", defaults.max_batch_rows)
    levels = own.get("priority_levels", defaults.priority_levels)
    return {
        "batch_rows": defaults.batch_rows and min(defaults.batch_rows, rows),
        "padding_buckets": tuple(bucket for bucket in defaults.padding_buckets if bucket <= rows),
        "default_priority": min(defaults.default_priority, levels),
    }


def _converted(key: str, value: object) -> Any:  # noqa: ANN401  (as the field's type says)
    try:
        if key == "versions":
            return parse_versions(value)
        return msgspec.convert(value, get_type_hints(ModelSettings)[key])
    except (msgspec.ValidationError, ValueError) as error:
        reason = str(error)
        raise ConfigError(f"{key} is {shown(value)}: {reason[0].lower()}{reason[1:]}") from error
