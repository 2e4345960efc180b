"""What can go wrong while models are served.

ServingError
├── RepositoryError  there is no repository, or nothing in it can be served
├── ModelRefused     one published version must not or cannot be served
├── WorkerLost       no worker process is left to do what is asked
├── ConfigError      a configuration file cannot be used
├── StartError       a worker process cannot do what it is to begin with
├── AddressError     the server cannot listen where it should
├── SecurityError    a certificate, key or token file cannot be used
├── ObservationError  requests cannot be logged or traced as told
└── RequestError     one request cannot be answered
    ├── ModelNotFound  no such model or version is loaded
    ├── LoadRefused    a model that was to be loaded must not or cannot be served
    ├── Unauthenticated  no token came, or none that is known
    ├── Forbidden      the client may not do this
    ├── InvalidRequest  it is too long somewhere, or asks for what this server does not do
    ├── InvalidTensor  a tensor is not what the protocol or the model expects
    ├── QueueFull      too many requests wait already
    ├── Expired        the request's deadline passed before its turn came
    └── Draining       the server is stopping

These classes know nothing of gRPC: `serving.rpc.status` and `serving.rest.errors`
hold the tables that turn them into status codes.
Every message is one line that says what is wrong and what to do. What a client wrote is quoted in it by
`quoted`: whoever relays the message, such as gRPC in a header, must not be made to fail by its length.
"""

# ruff: noqa: N818  (named for what happened; the base class says that it is an error)

QUOTED_CHARACTERS = 100


def shortened(text: str) -> str:
    """A text's first hundred characters."""
    return text if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS]}..."


def quoted(text: str) -> str:
    """A text between quotation marks, escaped and shortened."""
    return shortened(repr(text[: QUOTED_CHARACTERS + 1]))


class ServingError(Exception):
    """Base of the serving stage's errors."""


class RepositoryError(ServingError):
    """There is no repository, or nothing in it can be served."""


class ModelRefused(ServingError):
    """One published version must not or cannot be served."""


class WorkerLost(ServingError):
    """No worker process is left to do what is asked."""


class ConfigError(ServingError):
    """A configuration file cannot be used."""


class StartError(ServingError):
    """A worker process cannot do what it is to begin with."""


class AddressError(ServingError):
    """The server cannot listen where it should."""


class SecurityError(ServingError):
    """A certificate, key or token file cannot be used."""


class ObservationError(ServingError):
    """Requests cannot be logged or traced as told."""


class RequestError(ServingError):
    """One request cannot be answered."""


class ModelNotFound(RequestError):
    """No such model or version is loaded."""


class LoadRefused(RequestError):
    """A model that was to be loaded must not or cannot be served."""


class Forbidden(RequestError):
    """The client may not do this."""


class Unauthenticated(RequestError):
    """No token came, or none that is known."""


class InvalidRequest(RequestError):
    """It is too long somewhere, or asks for what this server does not do."""


class InvalidTensor(RequestError):
    """A tensor is not what the protocol or the model expects."""


class QueueFull(RequestError):
    """Too many requests wait already."""


class Expired(RequestError):
    """The request's deadline passed before its turn came."""


class Draining(RequestError):
    """The server is stopping."""
