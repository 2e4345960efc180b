"""What is said at the start of a server that strangers may reach."""

from pathlib import Path

import pytest

from serving.security.exposure import exposures
from serving.settings import ServerSettings, TlsSettings

ONE_SIDED = TlsSettings(certificate=Path("cert.pem"), key=Path("key.pem"))
MUTUAL = TlsSettings(certificate=Path("cert.pem"), key=Path("key.pem"), client_ca=Path("ca.pem"))
TOKENS = Path("tokens")


def told(**settings):
    return " ".join(exposures(ServerSettings(repository=Path("models"), **settings)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_nothing_is_said_on_loopback(host):
    assert told(host=host, repository_control=True) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "server.example"])  # noqa: S104  (told, not listened on)
def test_without_tokens_or_certificates_anyone_may_use_models(host):
    assert told(host=host).startswith(f"whoever reaches {host} may use models: give --tokens")
    assert "may use and unload models" in told(host=host, repository_control=True)
    assert "whoever reaches" in told(host=host, tls=ONE_SIDED)


def test_tokens_want_tls():
    assert told(host="10.0.0.1", tokens=TOKENS).startswith("tokens come to 10.0.0.1 in the clear: give --tls")


@pytest.mark.parametrize("settings", [{"tls": MUTUAL}, {"tls": ONE_SIDED, "tokens": TOKENS}])
def test_nothing_is_said_of_what_is_closed(settings):
    assert told(host="10.0.0.1", repository_control=True, **settings) == ""
