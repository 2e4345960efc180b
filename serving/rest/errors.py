"""What can go wrong with a request over HTTP, and the one table that turns errors into statuses.

InvalidRequest
├── NoSuchPath           there is no such path
├── NotAllowed           it is another method's path
├── TooLarge             its body is over the limit
├── HeadersTooLarge      its headers are over the limit
├── TooSlow              its body came too slowly
└── UnsupportedEncoding  its body is compressed in a way that is not known here
"""

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


class NoSuchPath(InvalidRequest):
    """There is no such path."""


class NotAllowed(InvalidRequest):
    """It is another method's path."""


class TooLarge(InvalidRequest):
    """Its body is over the limit."""


class HeadersTooLarge(InvalidRequest):
    """Its headers are over the limit."""


class TooSlow(InvalidRequest):
    """Its body came too slowly."""


class UnsupportedEncoding(InvalidRequest):
    """Its body is compressed in a way that is not known here."""


STATUS: Mapping[type[RequestError], int] = {
    InvalidRequest: 400,
    InvalidTensor: 400,
    LoadRefused: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    ModelNotFound: 404,
    NoSuchPath: 404,
    NotAllowed: 405,
    TooSlow: 408,
    TooLarge: 413,
    UnsupportedEncoding: 415,
    QueueFull: 429,
    HeadersTooLarge: 431,
    Draining: 503,
    Expired: 504,
}

# How to prove who one is, the seconds after which it is worth to ask again, and that it should be on another
# connection: else the server, when it ends, would meet a client's next request on this one.
HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1", "Connection": "close"},
}
