"""What a client asks a model for."""

from collections.abc import Sequence
from dataclasses import dataclass

from clients.errors import InputError, InvalidRequest
from clients.names import of_unicode
from export.runner import Feed
from serving.codec import encode
from serving.errors import InvalidTensor
from serving.proto import inference_pb2 as pb

MAX_CLASSES = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """One request of a stream.

    Attributes:
        model: its name.
        inputs: input name to array, the first dimension counts rows.
        outputs: the outputs wanted; by default all.
        version: by default the newest.
        id: of the request, echoed in its answer; by default its place in the stream, counted from 0.
        priority: 1 is served first; 0 for the model's default.
        classification: so many top classes in place of each output's values, which `outputs` must name.
        timeout_s: how long it may wait in the server's queue; None for the model's default.
    """

    model: str
    inputs: Feed
    outputs: Sequence[str] | None = None
    version: str = ""
    id: str = ""
    priority: int = 0
    classification: int = 0
    timeout_s: float | None = None

    @of_unicode()
    def message(self) -> pb.ModelInferRequest:
        """The request as the protocol has it.

        Raises:
            InputError: a number is out of range, a name is no Unicode, or classes are wanted of no output.
            InvalidRequest: an array's dtype is none of the protocol's.
        """
        self._check()
        message = pb.ModelInferRequest(model_name=self.model, model_version=self.version, id=self.id)
        for name in self.outputs or ():
            output = message.outputs.add(name=name)
            if self.classification:
                output.parameters["classification"].int64_param = self.classification
        if self.priority:
            message.parameters["priority"].uint64_param = self.priority
        if self.timeout_s is not None:
            message.parameters["timeout"].int64_param = max(1, round(self.timeout_s * 1e6))
        try:
            encode(self.inputs, message.inputs, message.raw_input_contents)
        except InvalidTensor as error:
            raise InvalidRequest(str(error)) from error
        return message

    def _check(self) -> None:
        if not 0 <= self.priority < 2**32:
            raise InputError(f"priority is {self.priority}: give 1 or more, or 0 for the model's default")
        if not 0 <= self.classification <= MAX_CLASSES:
            raise InputError(f"classification is {self.classification}: give how many classes are wanted")
        if self.classification and not self.outputs:
            raise InputError("classification replaces the outputs that are named: give outputs=[...], too")
        if self.timeout_s is not None and not 0 < self.timeout_s < 2**40:
            raise InputError(f"timeout_s is {self.timeout_s}: give seconds above 0")
