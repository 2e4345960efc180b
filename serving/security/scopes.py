"""What a token must allow for each RPC to be answered."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """What the bearer of a token may do."""

    INFER = "infer"
    """Ask models, and read what is served and how it fares."""

    ADMIN = "admin"
    """Load and unload models, and all that `infer` allows."""

    def covers(self, wanted: "Scope") -> bool:
        """Whether it allows what `wanted` allows."""
        return self is wanted or self is Scope.ADMIN


_INFERENCE: Mapping[str, Scope | None] = {
    # Orchestrators probe these without secrets; the answer is one bit.
    "ServerLive": None,
    "ServerReady": None,
    "ServerMetadata": Scope.INFER,
    "ModelReady": Scope.INFER,
    "ModelMetadata": Scope.INFER,
    "ModelConfig": Scope.INFER,
    "ModelInfer": Scope.INFER,
    "ModelStreamInfer": Scope.INFER,
    "ModelStatistics": Scope.INFER,
    "RepositoryIndex": Scope.INFER,
    "RepositoryModelLoad": Scope.ADMIN,
    "RepositoryModelUnload": Scope.ADMIN,
}

METHOD_SCOPES: Mapping[str, Scope | None] = {
    **{f"/inference.GRPCInferenceService/{name}": scope for name, scope in _INFERENCE.items()},
    "/grpc.health.v1.Health/Check": None,
    "/grpc.health.v1.Health/List": None,
    "/grpc.health.v1.Health/Watch": None,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Scope.INFER,
}
"""The path of each RPC to the scope that it needs; None if it needs no token."""
