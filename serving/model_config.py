"""A model's metadata and configuration, in the protocol's messages."""

import json
from collections.abc import Sequence

from export.manifest import TensorInfo
from serving.proto import inference_pb2 as pb
from serving.session import Session
from serving.settings import ModelSettings, Policy, VersionPolicy

PLATFORM = "onnxruntime_onnx"
BACKEND = "onnxruntime"


def metadata_message(session: Session, versions: Sequence[str]) -> pb.ModelMetadataResponse:
    """Names, datatypes and shapes, -1 for free dimensions; the versions are those that are served."""
    return pb.ModelMetadataResponse(
        name=session.name,
        versions=versions,
        platform=PLATFORM,
        inputs=[_tensor_metadata(tensor) for tensor in session.manifest.inputs],
        outputs=[_tensor_metadata(tensor) for tensor in session.manifest.outputs],
    )


def config_message(session: Session, settings: ModelSettings) -> pb.ModelConfig:
    """Triton's configuration: dimensions without the batch, how requests are batched, class labels.

    The labels, for which the protocol has no field, are a JSON list under the parameter `labels`.
    """
    manifest = session.manifest
    return pb.ModelConfig(
        name=session.name,
        platform=PLATFORM,
        backend=BACKEND,
        version_policy=_policy_message(settings.versions),
        max_batch_size=settings.max_batch_rows,
        input=[
            pb.ModelInput(name=tensor.name, data_type=config_datatype(tensor.datatype), dims=tensor.shape[1:])
            for tensor in manifest.inputs
        ],
        output=[
            pb.ModelOutput(
                name=tensor.name, data_type=config_datatype(tensor.datatype), dims=tensor.shape[1:]
            )
            for tensor in manifest.outputs
        ],
        instance_group=[
            pb.ModelInstanceGroup(count=settings.sessions, kind=pb.ModelInstanceGroup.Kind.KIND_CPU)
        ],
        dynamic_batching=pb.ModelDynamicBatching(
            preferred_batch_size=_preferred_rows(settings),
            max_queue_delay_microseconds=round(settings.max_delay_ms * 1000),
            priority_levels=settings.priority_levels,
            default_priority_level=settings.default_priority or settings.priority_levels,
            default_queue_policy=pb.ModelQueuePolicy(
                default_timeout_microseconds=round(settings.default_timeout_ms * 1000),
                allow_timeout_override=True,
                max_queue_size=settings.max_queue,
            ),
        ),
        parameters={"labels": pb.ModelParameter(string_value=json.dumps(manifest.labels))},
    )


def _preferred_rows(settings: ModelSettings) -> list[int]:
    """What batches are filled up to, and the most that is put into one."""
    most = settings.batch_rows or settings.max_batch_rows
    return [*(bucket for bucket in settings.padding_buckets if bucket < most), most]


def config_datatype(datatype: str) -> str:
    """What a configuration calls one of the protocol's datatypes, such as `TYPE_FP32`."""
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def _tensor_metadata(tensor: TensorInfo) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )


def _policy_message(policy: VersionPolicy) -> pb.ModelVersionPolicy:
    message = pb.ModelVersionPolicy
    if policy.kind is Policy.ALL:
        return message(all=message.All())
    if policy.kind is Policy.LISTED:
        return message(specific=message.Specific(versions=policy.versions))
    return message(latest=message.Latest(num_versions=policy.latest))
