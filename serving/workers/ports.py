"""The server's addresses: kept from other programs, shared among the workers."""

import contextlib
import socket
from collections.abc import Iterator

from serving.errors import AddressError

BACKLOG = 1024


def keep_port(host: str, port: int, option: str) -> socket.socket:
    """Reserve a port on which only this server's processes will listen, each by itself.

    Args:
        host: a name or address of this machine.
        port: 0 takes any free one.
        option: to name in an error, such as `--port`.

    Returns:
        A bound socket that does not listen; while it is open the port stays reserved.

    Raises:
        AddressError: the address is taken or not this machine's.
    """
    with _telling(host, port, option):
        family, address = _resolve(host, port)
        # Ports that are shared can be joined by any process of the same user: see first that nobody is there.
        if port:
            with _socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        kept = _socket(family)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(address)
        return kept


def listen(host: str, port: int, option: str) -> socket.socket:
    """Listen on an address with one socket, which processes may share.

    Raises:
        AddressError: the address is taken or not this machine's.
    """
    with _telling(host, port, option):
        family, address = _resolve(host, port)
        listener = _socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        return listener


def address_of(bound: socket.socket, host: str | None = None) -> str:
    """A socket's address as gRPC and URLs write it; under the host's own name if one is given."""
    address, port = bound.getsockname()[:2]
    return named(host or address, port)


def named(host: str, port: int) -> str:
    """An address as gRPC and URLs write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def _resolve(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return family, address


@contextlib.contextmanager
def _telling(host: str, port: int, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AddressError(
            f"cannot listen on {named(host, port)} ({error.strerror or error}): "
            f"stop what listens there, or give another {option} or --host"
        ) from error
