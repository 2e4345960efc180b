"""What can go wrong between a client and a server.

ClientError
├── InputError          an address is none, or a file is missing, unreadable or not what the model takes
├── ServerUnavailable   nobody answers at the address, or the server is stopping
├── Unauthenticated     the server wants a token, or does not know the one that came
├── PermissionDenied    the server does not let this client do that
├── ModelNotFound       the server has no such model or version
├── InvalidRequest      the server or the codec rejects the tensors
├── FailedPrecondition  the server's state or settings forbid it, such as a version that it refuses to load
├── Overloaded          the server sheds load, or a message is over the size limit
├── DeadlineExceeded    no answer came within the time given
└── ServerFault         the server failed, or its answer cannot be read

Every message is one line that says what is wrong and, where there is one, the mend.
"""

# ruff: noqa: N818  (named for what happened; the base class says that it is an error)


class ClientError(Exception):
    """Base of the clients' errors."""


class InputError(ClientError):
    """An address is none, or a file is missing, unreadable or not what the model takes."""


class ServerUnavailable(ClientError):
    """Nobody answers at the address, or the server is stopping."""


class Unauthenticated(ClientError):
    """The server wants a token, or does not know the one that came."""


class PermissionDenied(ClientError):
    """The server does not let this client do that."""


class ModelNotFound(ClientError):
    """The server has no such model or version."""


class InvalidRequest(ClientError):
    """The server or the codec rejects the tensors."""


class FailedPrecondition(ClientError):
    """The server's state or settings forbid it, such as a version that it refuses to load."""


class Overloaded(ClientError):
    """The server sheds load, or a message is over the size limit."""


class DeadlineExceeded(ClientError):
    """No answer came within the time given."""


class ServerFault(ClientError):
    """The server failed, or its answer cannot be read."""
