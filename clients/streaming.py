"""A stream's requests on their way out and its answers on their way back, for both clients alike."""

from dataclasses import replace

from clients.calls import read_inference
from clients.errors import ClientError, ServerUnavailable
from clients.requests import InferRequest
from clients.results import StreamAnswer
from clients.statuses import answer_error
from serving.proto import inference_pb2 as pb


class Exchange:
    """One stream.

    Attributes:
        complete: whether all of the caller's requests were taken.
        fault: what they raised; None if they did not.
    """

    def __init__(self, url: str) -> None:
        self.complete = False
        self.fault: Exception | None = None
        self._url = url
        self._sent = 0
        self._answered = 0

    def send(self, request: InferRequest) -> pb.ModelInferRequest:
        """The next request's message.

        Raises:
            InputError: the request contradicts itself.
            InvalidRequest: an array's dtype is none of the protocol's.
        """
        message = (request if request.id else replace(request, id=str(self._sent))).message()
        self._sent += 1
        return message

    def receive(self, response: pb.ModelStreamInferResponse) -> StreamAnswer:
        """What one response says of its request."""
        self._answered += 1
        inference = response.infer_response
        if response.error_message:
            return StreamAnswer(id=inference.id, error=answer_error(response, self._url))
        try:
            return StreamAnswer(id=inference.id, answer=read_inference(inference))
        except ClientError as error:
            return StreamAnswer(id=inference.id, error=error)

    def end(self) -> None:
        """Look back once the server has ended the stream.

        Raises:
            Exception: what the caller's own requests raised; those before it are answered.
            ServerUnavailable: requests were left without an answer.
        """
        if self.fault is not None:
            raise self.fault
        if not self.complete or self._answered < self._sent:
            raise self.cut()

    def cut(self) -> ServerUnavailable:
        """What to raise where the server ended the stream too early."""
        return ServerUnavailable(
            f"the server at {self._url} ended the stream after {self._answered} answers, before every "
            "request had one: send the others again"
        )
