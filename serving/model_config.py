"""A model's metadata and configuration, in the protocol's messages."""

import json

from export.manifest import TensorInfo
from serving.batcher import BatchLimits
from serving.proto import inference_pb2 as pb
from serving.session import Session

PLATFORM = "onnxruntime_onnx"
BACKEND = "onnxruntime"


def metadata_message(session: Session) -> pb.ModelMetadataResponse:
    """Names, datatypes and shapes, -1 for free dimensions."""
    return pb.ModelMetadataResponse(
        name=session.name,
        versions=[session.version],
        platform=PLATFORM,
        inputs=[_tensor_metadata(tensor) for tensor in session.manifest.inputs],
        outputs=[_tensor_metadata(tensor) for tensor in session.manifest.outputs],
    )


def config_message(session: Session, limits: BatchLimits) -> pb.ModelConfig:
    """Triton's configuration: dimensions without the batch, how requests are batched, class labels.

    The labels, for which the protocol has no field, are a JSON list under the parameter `labels`.
    """
    manifest = session.manifest
    return pb.ModelConfig(
        name=session.name,
        platform=PLATFORM,
        backend=BACKEND,
        version_policy=pb.ModelVersionPolicy(latest=pb.ModelVersionPolicy.Latest(num_versions=1)),
        max_batch_size=limits.max_rows,
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
        dynamic_batching=pb.ModelDynamicBatching(
            max_queue_delay_microseconds=round(limits.max_delay_ms * 1000),
            default_queue_policy=pb.ModelQueuePolicy(
                allow_timeout_override=True, max_queue_size=limits.max_queue
            ),
        ),
        parameters={"labels": pb.ModelParameter(string_value=json.dumps(manifest.labels))},
    )


def config_datatype(datatype: str) -> str:
    """What a configuration calls one of the protocol's datatypes, such as `TYPE_FP32`."""
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def _tensor_metadata(tensor: TensorInfo) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )
