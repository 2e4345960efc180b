"""How a client reaches a server: address, TLS, token."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from clients.address import check_address
from clients.errors import InputError

if TYPE_CHECKING:
    import grpc

# What a bearer token may be made of: RFC 6750.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Talk over TLS; the files are PEM and read when the client is made.

    Attributes:
        ca: whose certificates the server's must be signed by; None for those that gRPC trusts.
        certificate: the client's chain, where the server asks for one.
        key: its private key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Reject half of a pair.

        Raises:
            InputError: there is a certificate without a key, or a key without a certificate.
        """
        if (self.certificate is None) != (self.key is None):
            raise InputError("a client's certificate and its key go together: give both, or neither")


class Security(TypedDict, total=False):
    """What a client takes beside the address, as `Connection` has it."""

    tls: Tls | None
    token: str | None
    allow_insecure_token: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a server is, and how to talk to it.

    Attributes:
        url: HOST:PORT.
        tls: None for none.
        token: sent with every call; None for none.
        allow_insecure_token: send it without TLS to other machines, too.
    """

    url: str
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)
    allow_insecure_token: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked before anything is sent.

        Raises:
            InputError: the address is none, the token cannot be sent, or would be sent in the clear.
        """
        check_address(self.url)
        if self.token is None:
            return
        if TOKEN.fullmatch(self.token) is None:
            raise InputError(
                "the token is empty or holds other than letters, digits and ._~+/-: see its file"
            )
        if self.tls is None and not self.allow_insecure_token and not _is_loopback(self.url):
            raise InputError(
                f"the token would go to {self.url} in the clear: use TLS, or allow an insecure token"
            )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    def credentials(self) -> "grpc.ChannelCredentials | None":
        """What gRPC needs for TLS; None without.

        Raises:
            InputError: a file cannot be read.
        """
        if self.tls is None:
            return None
        import grpc

        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.tls.ca),
            private_key=_read(self.tls.key),
            certificate_chain=_read(self.tls.certificate),
        )


def _is_loopback(url: str) -> bool:
    host = url.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give the path of a PEM file") from error
