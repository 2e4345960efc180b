"""Certificates from PEM files: checked before they are used, read again when the files change."""

import contextlib
import logging
import ssl
import stat
import threading
from dataclasses import dataclass, field

from serving.errors import SecurityError
from serving.security.files import Stamp, read_small, stamp, warn_if_open
from serving.settings import TlsSettings

log = logging.getLogger(__name__)

MAX_PEM_BYTES = 1024 * 1024

# Both ends are done after two turns each.
HANDSHAKE_TURNS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certified:
    """Files that fit each other.

    Attributes:
        certificate: the server's chain, PEM.
        key: its private key, PEM.
        client_ca: of those who may sign clients' certificates, PEM; None if clients need none.
        context: the same as Python's TLS wants it.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    context: ssl.SSLContext


class Certificates:
    """The certificates of a server, for use by several threads.

    A change takes effect at the next connection. Files that are unreadable or do not fit each other, as while
    they are being replaced one by one, leave those in use that were read before.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Read the files.

        Raises:
            SecurityError: one cannot be read, or they do not fit each other.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._stamp = _stamp(settings)
        self._certified = certify(settings)

    @property
    def mutual(self) -> bool:
        """Whether clients must show a certificate."""
        return self._settings.client_ca is not None

    def current(self) -> Certified:
        """The same object as before unless the files have changed."""
        with self._lock:
            seen = _stamp(self._settings)
            if seen != self._stamp:
                self._stamp = seen
                try:
                    self._certified = certify(self._settings)
                except SecurityError as error:
                    log.error("the certificates read before stay in use: %s", error)
                else:
                    log.info("%s was read again", self._settings.certificate)
            return self._certified


def certify(settings: TlsSettings) -> Certified:
    """Read certificates and check that they fit each other; warn of what clients will refuse.

    Raises:
        SecurityError: a file cannot be read or is no PEM, the key is encrypted or another certificate's.
    """
    before = _stamp(settings)
    certificate = read_small(settings.certificate, MAX_PEM_BYTES)
    key = read_small(settings.key, MAX_PEM_BYTES)
    client_ca = None if settings.client_ca is None else read_small(settings.client_ca, MAX_PEM_BYTES)
    context = _context(settings)
    # The context loads the files by itself; only if they stood still, it has what was read.
    if _stamp(settings) != before:
        raise SecurityError(f"{settings.certificate} or its key changed while it was read")
    warn_if_open(settings.key, stat.S_IRGRP | stat.S_IROTH)
    if refusal := _refusal(context, settings):
        log.warning("clients will not accept %s: %s", settings.certificate, refusal)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return Certified(certificate=certificate, key=key, client_ca=client_ca, context=context)


def _stamp(settings: TlsSettings) -> Stamp:
    named = (settings.certificate, settings.key, settings.client_ca)
    return stamp(*(path for path in named if path is not None))


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])

    def no_password() -> str:
        raise SecurityError(f"{settings.key} is encrypted: give a key without a password, of mode 600")

    try:
        context.load_cert_chain(settings.certificate, settings.key, password=no_password)
    except (ssl.SSLError, OSError) as error:
        raise SecurityError(
            f"{settings.certificate} and {settings.key} are no certificate and its key "
            f"({_reason(error)}): give a PEM chain, the server's own first, and the key that belongs to it"
        ) from error
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise SecurityError(
                f"{settings.client_ca} holds no certificate of an authority ({_reason(error)}): give PEM"
            ) from error
    return context


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else (error.strerror or "not PEM")


def _refusal(server: ssl.SSLContext, settings: TlsSettings) -> str | None:
    """Why a client that trusts this very certificate would still refuse it, as when it has expired.

    Shakes hands in memory, for Python's ssl reads a certificate's dates only from a peer's.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(settings.certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname="server"),
        server.wrap_bio(up, down, server_side=True),
    ]
    try:
        for _ in range(HANDSHAKE_TURNS):
            with contextlib.suppress(ssl.SSLWantReadError):
                ends[0].do_handshake()
            ends.reverse()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return _reason(error)
    return None
