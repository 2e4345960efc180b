"""TLS over the wire, for gRPC and for HTTP: who gets through, and that changed files count at once."""

import asyncio
import contextlib
import socket
import ssl

import pytest

from serving.rpc.server import Server
from serving.security.certificates import Certificates
from serving.security.tls import grpc_credentials, ssl_context


@contextlib.asynccontextmanager
async def grpc_server(certificates):
    server = Server({}, {}, options=())
    port = server.listen("127.0.0.1:0", grpc_credentials(certificates))
    server.start()
    yield port
    await server.stop(0)


@contextlib.asynccontextmanager
async def http_server(certificates):
    async def greet(_, writer):
        writer.write(b"welcome")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=ssl_context(certificates))
    async with server:
        yield server.sockets[0].getsockname()[1]


class Client:
    """A TLS client that trusts one authority and may have a certificate of its own."""

    def __init__(self, trusted, issued=None, version=None):
        self.context = ssl.create_default_context()
        trusted.configure_trust(self.context)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        if issued is not None:
            issued.configure_cert(self.context)
        if version is not None:
            self.context.maximum_version = self.context.minimum_version = version
        self.session = None

    async def reaches(self, port):
        """Whether the server lets it in; it goes on with its last session, if it can."""
        return await asyncio.to_thread(self._reaches, port)

    def _reaches(self, port):
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            self.context.wrap_socket(plain, server_hostname="localhost", session=self.session) as wrapped,
        ):
            # Both servers speak first. Under TLS 1.3 a refusal comes only now.
            if wrapped.recv(1):
                self.session = wrapped.session
                self.protocol = wrapped.selected_alpn_protocol()
                return True
        return False


@pytest.fixture(params=[grpc_server, http_server], ids=["grpc", "http"])
async def serve(request):
    """Start a server with the files' certificates."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(settings):
            return await stack.enter_async_context(request.param(Certificates(settings)))

        yield start


def issue(authority):
    return authority.issue_cert("localhost")


async def test_clients_that_trust_the_authority_get_through(serve, files, authority, other_authority):
    files.write(issue(authority))
    port = await serve(files.settings())
    client = Client(authority)
    assert await client.reaches(port)
    assert client.protocol in ("h2", "http/1.1")
    assert not await Client(other_authority).reaches(port)


async def test_old_versions_of_tls_are_refused(serve, files, authority):
    files.write(issue(authority))
    port = await serve(files.settings())
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        assert await Client(authority, version=version).reaches(port)
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old = Client(authority, version=ssl.TLSVersion.TLSv1_1)
    old.context.set_ciphers("ALL:@SECLEVEL=0")
    assert not await old.reaches(port)


async def test_a_new_certificate_is_shown_without_a_restart(serve, files, authority, other_authority):
    files.write(issue(authority))
    port = await serve(files.settings())
    assert await Client(authority).reaches(port)
    issued = issue(other_authority)
    files.write_key(issued)
    assert await Client(authority).reaches(port)
    files.write_certificate(issued)
    assert await Client(other_authority).reaches(port)
    assert not await Client(authority).reaches(port)


async def test_mutual_tls_lets_in_only_those_with_a_certificate(serve, files, authority, other_authority):
    files.write(issue(authority), authority)
    port = await serve(files.settings(mutual=True))
    assert await Client(authority, issue(authority)).reaches(port)
    assert not await Client(authority, issue(other_authority)).reaches(port)
    assert not await Client(authority).reaches(port)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_authority_that_was_removed_is_trusted_no_more(
    serve, files, authority, other_authority, version
):
    files.write(issue(authority), authority)
    port = await serve(files.settings(mutual=True))
    before = Client(authority, issue(authority), version)
    after = Client(authority, issue(other_authority), version)
    assert await before.reaches(port)
    assert not await after.reaches(port)
    files.trust(other_authority)
    assert await after.reaches(port)
    assert before.session is not None  # a resumed session would not show the certificate again
    assert not await before.reaches(port)


async def test_a_plain_client_gets_nothing(serve, files, authority):
    files.write(issue(authority))
    port = await serve(files.settings())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert b"welcome" not in await reader.read()
    writer.close()
