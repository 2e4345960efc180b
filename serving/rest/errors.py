"""What can go wrong with a request over HTTP, and the one table that turns errors into statuses.

RequestError
├── TooLarge             its body is over the limit
├── HeadersTooLarge      its headers are over the limit
├── TooSlow              its body came too slowly
└── UnsupportedEncoding  its body is compressed in a way that is not known here
"""

# ruff: noqa: N818  (named for what happened; the base class says that it is an error)

from collections.abc import Mapping

from serving.errors import (
    Draining,
    Expired,
    Forbidden,
    InvalidRequest,
    InvalidTensor,
    LoadRefused,
    ModelNotFound,
    QueueFull,
    RequestError,
    Unauthenticated,
)


class TooLarge(RequestError):
    """Its body is over the limit."""


class HeadersTooLarge(RequestError):
    """Its headers are over the limit."""


class TooSlow(RequestError):
    """Its body came too slowly."""


class UnsupportedEncoding(RequestError):
    """Its body is compressed in a way that is not known here."""


STATUS: Mapping[type[RequestError], int] = {
    InvalidRequest: 400,
    InvalidTensor: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    ModelNotFound: 404,
    LoadRefused: 409,
    TooSlow: 408,
    TooLarge: 413,
    UnsupportedEncoding: 415,
    QueueFull: 429,
    HeadersTooLarge: 431,
    Draining: 503,
    Expired: 504,
}

# Seconds after which it is worth to ask again, and how to prove who one is.
HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}

INTERNAL_TEXT = "internal error: the server's log has the details"
