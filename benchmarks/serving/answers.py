"""What a model answers: computed by onnxruntime here, read from what a server sent, and compared."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.errors import BenchmarkError
from export.sessions import SessionSettings, open_session
from serving.proto import inference_pb2 as pb

# Batches of other sizes round otherwise, in networks of fifty layers by some 1e-5 of the largest value.
TOLERANCE = 1e-3

Answer = Mapping[str, NDArray[np.float32]]


class Reference:
    """The right answers of one model."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, SessionSettings())
        self._names = [output.name for output in self._session.get_outputs()]

    def answer(self, images: NDArray[np.uint8]) -> Answer:
        """What these images give."""
        values = self._session.run(self._names, {self._session.get_inputs()[0].name: images})
        return dict(zip(self._names, values, strict=True))


def message_of(answer: Answer, model: str) -> bytes:
    """The protocol's ModelInferResponse."""
    message = pb.ModelInferResponse(model_name=model, model_version="1")
    for name, values in answer.items():
        message.outputs.add(name=name, datatype="FP32", shape=values.shape)
        message.raw_output_contents.append(values.tobytes())
    return message.SerializeToString()


def read_message(message: bytes) -> Answer:
    """The outputs of a ModelInferResponse, raw or typed."""
    response = pb.ModelInferResponse.FromString(message)
    answer = {}
    for number, output in enumerate(response.outputs):
        if response.raw_output_contents:
            values = np.frombuffer(response.raw_output_contents[number], np.float32)
        else:
            values = np.array(output.contents.fp32_contents, np.float32)
        answer[output.name] = values.reshape(output.shape)
    return answer


def check(answer: Answer, right: Answer) -> None:
    """Refuse a wrong answer.

    Args:
        answer: at least one of the model's outputs.
        right: all of them.

    Raises:
        BenchmarkError: it is wrong.
    """
    if not answer or not answer.keys() <= right.keys():
        raise BenchmarkError(f"{sorted(answer)} are answered, not {sorted(right)}")
    for name, values in answer.items():
        expected = right[name]
        allowed = TOLERANCE * float(np.abs(expected).max())
        if values.shape != expected.shape or not np.allclose(values, expected, rtol=0, atol=allowed):
            raise BenchmarkError(f"the {name} that are answered are not what onnxruntime computes")
