"""Those who use a published model: the Python client and its commands."""

import importlib
from typing import TYPE_CHECKING

from clients.errors import (
    ClientError,
    DeadlineExceeded,
    InputError,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerFault,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from clients.client import AsyncClient, Client
    from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata, TensorSpec

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "InferResult",
    "InputError",
    "InvalidRequest",
    "ModelConfig",
    "ModelEntry",
    "ModelMetadata",
    "ModelNotFound",
    "Overloaded",
    "ServerFault",
    "ServerUnavailable",
    "TensorSpec",
]

_CLIENTS = ("AsyncClient", "Client")


def __getattr__(name: str) -> object:
    # Only who asks for a client pays for gRPC and numpy: `keraport --help` imports this package, too.
    if name not in __all__:
        raise AttributeError(f"module 'clients' has no attribute {name!r}")
    home = importlib.import_module("clients.client" if name in _CLIENTS else "clients.results")
    return getattr(home, name)
