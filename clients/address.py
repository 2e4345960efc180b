"""Where a server is."""

import re

from clients.errors import InputError

# A name, an IPv4 address, or an IPv6 one in brackets; then the port.
ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]):([0-9]{1,5})")
MAX_PORT = 65535

DEFAULT_URL = "127.0.0.1:8001"


def check_address(url: str) -> str:
    """Return the address if gRPC can try it.

    Raises:
        InputError: it is not HOST:PORT.
    """
    match = ADDRESS.fullmatch(url)
    if match is None:
        raise InputError(f"{url[:100]!r} is no address: give HOST:PORT such as 127.0.0.1:8001 or [::1]:8001")
    if not 1 <= int(match[3]) <= MAX_PORT:
        raise InputError(f"{url[:100]!r} has no such port: give one from 1 to {MAX_PORT}")
    return url
