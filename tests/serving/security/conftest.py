"""Certificates as PEM files."""

import logging
from pathlib import Path

import pytest
import trustme

from serving.rpc.loop import CompletionLoop
from serving.settings import TlsSettings


def pytest_asyncio_loop_factories():
    """The loop that a worker has."""
    return {"completions": CompletionLoop}


class Files:
    """A server's certificate, key and trusted authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key, self.client_ca = (
            folder / name for name in ("cert.pem", "key.pem", "ca.pem")
        )

    def settings(self, *, mutual: bool = False) -> TlsSettings:
        return TlsSettings(
            certificate=self.certificate, key=self.key, client_ca=self.client_ca if mutual else None
        )

    def write_certificate(self, issued: trustme.LeafCert) -> None:
        self.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    def write_key(self, issued: trustme.LeafCert) -> None:
        self.key.touch(mode=0o600)
        self.key.write_bytes(issued.private_key_pem.bytes())

    def write(self, issued: trustme.LeafCert, client_ca: trustme.CA | None = None) -> None:
        self.write_certificate(issued)
        self.write_key(issued)
        if client_ca is not None:
            self.trust(client_ca)

    def trust(self, client_ca: trustme.CA) -> None:
        self.client_ca.write_bytes(client_ca.cert_pem.bytes())


@pytest.fixture(scope="session")
def files_in() -> type[Files]:
    return Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def other_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture):
    """What was logged as a warning or worse, so far."""
    with caplog.at_level(logging.WARNING):
        yield lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
