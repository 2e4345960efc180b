"""The protocol's paths: what answers each, and what is told of it."""

from dataclasses import replace

from serving.rest.endpoints import Endpoint
from serving.rest.messages import (
    ControlRequest,
    IndexedModel,
    IndexRequest,
    InferenceAnswer,
    InferenceRequest,
    Live,
    Ready,
    ServerMetadata,
)
from serving.rest.service import RestService
from serving.security.scopes import Scope

MODEL = "/v2/models/{model}"
VERSION = "/versions/{version}"


def protocol(service: RestService) -> tuple[Endpoint, ...]:
    """All endpoints; those of inferences first, for they are asked for most."""
    return (
        *_both(
            Endpoint(
                method="POST",
                name="ModelInfer",
                path="/infer",
                handler=service.infer,
                scope=Scope.INFER,
                group="Inference",
                summary="Run a model",
                body=InferenceRequest,
                answer=InferenceAnswer,
                statuses=(400, 404, 408, 413, 415, 429, 503, 504),
            )
        ),
        *_health(service),
        *_metadata(service),
        *_repository(service),
    )


def _both(endpoint: Endpoint) -> tuple[Endpoint, Endpoint]:
    """An endpoint of a model's newest version, and of the one that is named."""
    return (
        replace(endpoint, path=MODEL + endpoint.path),
        replace(endpoint, path=MODEL + VERSION + endpoint.path, summary=f"{endpoint.summary}: one version"),
    )


def _health(service: RestService) -> tuple[Endpoint, ...]:
    live = Endpoint(
        name="ServerLive",
        path="/v2/health/live",
        handler=service.live,
        group="Health",
        summary="Whether the server should be left running",
        answer=Live,
        statuses=(503,),
    )
    ready = replace(
        live,
        name="ServerReady",
        path="/v2/health/ready",
        handler=service.ready,
        summary="Whether the server takes inferences",
        answer=Ready,
    )
    of_model = replace(
        ready,
        name="ModelReady",
        path="/ready",
        handler=service.model_ready,
        scope=Scope.INFER,
        summary="Whether a model takes inferences",
        statuses=(404, 503),
    )
    return (live, ready, *_both(of_model))


def _metadata(service: RestService) -> tuple[Endpoint, ...]:
    server = Endpoint(
        name="ServerMetadata",
        path="/v2",
        handler=service.server_metadata,
        scope=Scope.INFER,
        group="Metadata",
        summary="The server's name, version and extensions",
        answer=ServerMetadata,
    )
    all_statistics = replace(
        server,
        name="ModelStatistics",
        path="/v2/models/stats",
        handler=service.statistics,
        summary="What was counted of all models",
        answer="ModelStatisticsResponse",
    )
    metadata = replace(
        all_statistics,
        name="ModelMetadata",
        path="",
        handler=service.model_metadata,
        summary="What a model takes and gives",
        answer="ModelMetadataResponse",
        statuses=(404,),
    )
    config = replace(
        metadata,
        name="ModelConfig",
        path="/config",
        handler=service.model_config,
        summary="How a model is batched, and its labels",
        answer="ModelConfig",
    )
    statistics = replace(
        metadata,
        name="ModelStatistics",
        path="/stats",
        handler=service.statistics,
        summary="What was counted of a model",
        answer="ModelStatisticsResponse",
    )
    # Before the model's own path, which would take it for a model of that name.
    return (server, all_statistics, *_both(metadata), *_both(config), *_both(statistics))


def _repository(service: RestService) -> tuple[Endpoint, ...]:
    index = Endpoint(
        method="POST",
        name="RepositoryIndex",
        path="/v2/repository/index",
        handler=service.repository_index,
        scope=Scope.INFER,
        group="Repository",
        summary="The models of the repository and their state",
        body=IndexRequest,
        answer=list[IndexedModel],
        statuses=(400,),
    )
    load = replace(
        index,
        name="RepositoryModelLoad",
        path="/v2/repository/models/{model}/load",
        handler=service.load,
        scope=Scope.ADMIN,
        summary="Load a model or load it again",
        body=ControlRequest,
        answer=dict,
        statuses=(400, 403, 404),
    )
    unload = replace(
        load,
        name="RepositoryModelUnload",
        path="/v2/repository/models/{model}/unload",
        handler=service.unload,
        summary="Serve a model no longer",
    )
    return (index, load, unload)
