"""Those who use a published model: the Python client and its commands."""

import importlib
from typing import TYPE_CHECKING

from clients.errors import (
    ClientError,
    DeadlineExceeded,
    FailedPrecondition,
    InputError,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ServerFault,
    ServerUnavailable,
    Unauthenticated,
)

if TYPE_CHECKING:
    from clients.aio import AsyncClient
    from clients.client import Client
    from clients.connection import Tls
    from clients.requests import InferRequest
    from clients.results import (
        ClassScore,
        InferResult,
        ModelConfig,
        ModelEntry,
        ModelMetadata,
        StreamAnswer,
        TensorSpec,
    )
    from clients.statistics import BatchStatistics, ModelStatistics, Spent

__all__ = [
    "AsyncClient",
    "BatchStatistics",
    "ClassScore",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InferRequest",
    "InferResult",
    "InputError",
    "InvalidRequest",
    "ModelConfig",
    "ModelEntry",
    "ModelMetadata",
    "ModelNotFound",
    "ModelStatistics",
    "Overloaded",
    "PermissionDenied",
    "ServerFault",
    "ServerUnavailable",
    "Spent",
    "StreamAnswer",
    "TensorSpec",
    "Tls",
    "Unauthenticated",
]

# Only who asks for a client pays for gRPC and numpy: `keraport --help` imports this package, too.
_HOMES = {
    "AsyncClient": "clients.aio",
    "Client": "clients.client",
    "InferRequest": "clients.requests",
    "Tls": "clients.connection",
    **dict.fromkeys(("BatchStatistics", "ModelStatistics", "Spent"), "clients.statistics"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'clients' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "clients.results")), name)
