"""TLS for gRPC and for HTTP, with the certificates that are current when a client connects."""

import ssl
from typing import TYPE_CHECKING, Any

from serving.security.certificates import Certificates, Certified

if TYPE_CHECKING:
    import grpc


def grpc_credentials(certificates: Certificates) -> "grpc.ServerCredentials":
    """What `add_secure_port` takes."""
    import grpc

    served = certificates.current()

    def renewed() -> "grpc.ServerCertificateConfiguration | None":
        """What gRPC asks for at every connection; None for no change."""
        nonlocal served
        current = certificates.current()
        if current is served:
            return None
        served = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(served),
        renewed,  # type: ignore[arg-type]  # None is gRPC's own word for no change, which its stubs leave out
        require_client_authentication=certificates.mutual,
    )


def ssl_context(certificates: Certificates) -> ssl.SSLContext:
    """What asyncio and uvicorn take, for HTTP/1.1."""
    context = _RenewedContext(ssl.PROTOCOL_TLS_SERVER)
    context.certificates = certificates
    return context


class _RenewedContext(ssl.SSLContext):
    """Hands every connection to a context made of the current files.

    A context cannot forget: an authority removed from the file would stay trusted by one that loads it again,
    as would clients that resume a session of before.
    """

    certificates: Certificates

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:  # noqa: ANN401  (handed on)
        """Begin a connection, as asyncio does."""
        return self.certificates.current().context.wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401  (handed on)
        """Begin a connection, as blocking servers do."""
        return self.certificates.current().context.wrap_socket(*arguments, **options)


def _configuration(certified: Certified) -> "grpc.ServerCertificateConfiguration":
    import grpc

    return grpc.ssl_server_certificate_configuration(
        [(certified.key, certified.certificate)], root_certificates=certified.client_ca
    )
