"""What can go wrong while models are served.

ServingError
├── RepositoryError  there is no repository, or nothing in it can be served
├── ModelRefused     one published version must not or cannot be served
├── AddressError     the server cannot listen where it should
└── RequestError     one request cannot be answered
    ├── ModelNotFound  no such model or version is loaded
    ├── InvalidTensor  a tensor is not what the protocol or the model expects
    ├── QueueFull      too many requests wait already
    ├── Expired        the request's deadline passed before its turn came
    └── Draining       the server is stopping

These classes know nothing of gRPC: `serving.service` holds the one table that turns them into status codes.
Every message is one line that says what is wrong and what to do.
"""

# ruff: noqa: N818  (named for what happened; the base class says that it is an error)


class ServingError(Exception):
    """Base of the serving stage's errors."""


class RepositoryError(ServingError):
    """There is no repository, or nothing in it can be served."""


class ModelRefused(ServingError):
    """One published version must not or cannot be served."""


class AddressError(ServingError):
    """The server cannot listen where it should."""


class RequestError(ServingError):
    """One request cannot be answered."""


class ModelNotFound(RequestError):
    """No such model or version is loaded."""


class InvalidTensor(RequestError):
    """A tensor is not what the protocol or the model expects."""


class QueueFull(RequestError):
    """Too many requests wait already."""


class Expired(RequestError):
    """The request's deadline passed before its turn came."""


class Draining(RequestError):
    """The server is stopping."""
