"""What the supervisor and its workers say to each other; not all ask for an answer."""

from pathlib import Path
from typing import Any

import msgspec

from serving.index import IndexEntry
from serving.settings import ModelSettings, ServerSettings
from serving.statistics import ModelCounts


class Message(msgspec.Struct, tag=True, kw_only=True):
    """Base of all."""


class Prepare(Message):
    """Load a version and hold it ready; answered by `Done`.

    Attributes:
        model: its name.
        version: its number.
        generation: what the supervisor calls this loading of it.
        settings: of the model.
    """

    model: str
    version: int
    generation: int
    settings: ModelSettings


class Live(Message):
    """One version that is to be served.

    Attributes:
        model: its name.
        version: its number.
        generation: which loading of it.
    """

    model: str
    version: int
    generation: int


class Swap(Message):
    """Serve exactly these from now on; answered by `Done`.

    Attributes:
        live: all were prepared before.
        index: what clients are told of the repository.
    """

    live: tuple[Live, ...]
    index: tuple[IndexEntry, ...]


class Start(Message):
    """The first message: what the worker needs to know.

    Attributes:
        settings: the server's.
        port: gRPC's, a number that the supervisor keeps reserved.
        address: to listen on, as numbers.
        http_socket: the file descriptor of the listening socket for REST; None for none.
    """

    settings: ServerSettings
    address: str
    port: int
    http_socket: int | None


class Open(Message):
    """Take requests; answered by `Done`."""


class Collect(Message):
    """Tell what was counted; answered by `Counted`. To the supervisor: of all workers together."""


class Load(Message):
    """To the supervisor: load a model anew; answered by `Done` once every worker has swapped."""

    model: str


class Unload(Message):
    """To the supervisor: stop serving a model; answered by `Done`."""

    model: str


class Drain(Message):
    """Answer what was accepted and end; answered by `Done`."""


class Counted(Message):
    """What was counted."""

    counts: tuple[ModelCounts, ...]


class Done(Message):
    """It is done.

    Attributes:
        refused: why not; empty if it is.
        unknown: what was asked for does not exist.
    """

    refused: str = ""
    unknown: bool = False


class Failed(Message):
    """The other side met an error of its own; its log has the details."""


AnyMessage = Prepare | Swap | Start | Open | Collect | Load | Unload | Drain | Counted | Done | Failed


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """A message on the wire.

    Attributes:
        number: of the question, the same in its answer.
        answers: whether it is one.
        message: what is said.
    """

    number: int
    answers: bool
    message: AnyMessage


def pack(frame: Frame) -> bytes:
    """The bytes of a frame."""
    return msgspec.msgpack.encode(frame, enc_hook=_plain)


def unpack(content: bytes) -> Frame:
    """The frame of some bytes."""
    return msgspec.msgpack.decode(content, type=Frame, dec_hook=_typed)


def _plain(value: Any) -> Any:  # noqa: ANN401  (msgspec's hook)
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot travel between processes")


def _typed(kind: type, value: Any) -> Any:  # noqa: ANN401  (msgspec's hook)
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} cannot travel between processes")
