"""TLS and tokens: what is refused before anything is sent, and what a server that asks for both lets in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import trustme

import clients
from clients import AsyncClient, Client, InferRequest, Tls
from clients.connection import Connection

TOKENS = {"infer": "a-token-that-may-ask-0001", "admin": "a-token-that-may-steer-02"}


@pytest.mark.parametrize("url", ["localhost:8001", "127.0.0.1:8001", "127.1.2.3:8001", "[::1]:8001"])
def test_a_token_stays_on_this_machine_without_tls(url):
    assert Connection(url=url, token="abc").metadata == (("authorization", "Bearer abc"),)  # noqa: S106


@pytest.mark.parametrize(
    "url", ["10.0.0.1:8001", "example.org:8001", "[::2]:8001", "127.0.0.1.example.org:1"]
)
async def test_a_token_leaves_this_machine_by_tls_or_by_permission(url):
    for kind in (Client, AsyncClient):
        with pytest.raises(clients.InputError, match="in the clear"):
            kind(url, token="abc")  # noqa: S106
    assert Connection(url=url, token="abc", tls=Tls()).metadata  # noqa: S106
    assert Connection(url=url, token="abc", allow_insecure_token=True).metadata  # noqa: S106
    assert not Connection(url=url).metadata


@pytest.mark.parametrize("token", ["", "two words", "line\n", "Zoë", "a" * 9 + "\0"])
def test_what_is_no_token(token):
    with pytest.raises(clients.InputError, match="the token is empty or holds other") as caught:
        Client(token=token)
    assert not token or token not in str(caught.value)


def test_a_token_is_not_shown():
    assert "secret" not in repr(Connection(url="localhost:1", token="secret"))  # noqa: S106


def test_files_that_do_not_do(tmp_path):
    with pytest.raises(clients.InputError, match="go together"):
        Tls(certificate=tmp_path / "cert.pem")
    with pytest.raises(clients.InputError, match=r"none\.pem cannot be read \(No such file"):
        Client(tls=Tls(ca=tmp_path / "none.pem"))


@dataclass(frozen=True, kw_only=True)
class Secured:
    """A server that asks for certificates and tokens, and the files of those that it lets in."""

    url: str
    ca: Path
    certificate: Path
    key: Path
    token_file: Path
    version: Path

    @property
    def tls(self):
        return Tls(ca=self.ca, certificate=self.certificate, key=self.key)

    @property
    def options(self):
        files = {
            "tls-ca": self.ca,
            "tls-cert": self.certificate,
            "tls-key": self.key,
            "token-file": self.token_file,
        }
        return [f"--url={self.url}", *(f"--{name}={path}" for name, path in files.items())]


@pytest.fixture(scope="module")
def secured(tmp_path_factory, publish_classifier, start_server):
    folder, authority = tmp_path_factory.mktemp("secured"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("server", "client"):
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.key").chmod(0o600)
        (folder / f"{name}.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    tokens = folder / "tokens"
    tokens.touch(0o600)
    tokens.write_text("".join(f"{scope} {token}\n" for scope, token in TOKENS.items()))
    (folder / "token").write_text(f"{TOKENS['infer']}\n")
    version = publish_classifier(folder / "models")
    server = start_server(
        folder / "models",
        f"--tls-certificate={folder / 'server.pem'}",
        f"--tls-key={folder / 'server.key'}",
        f"--tls-client-ca={folder / 'ca.pem'}",
        f"--tokens={tokens}",
        "--repository-control",
    )
    return Secured(
        url=server.url,
        ca=folder / "ca.pem",
        certificate=folder / "client.pem",
        key=folder / "client.key",
        token_file=folder / "token",
        version=version,
    )


async def test_those_that_are_known_get_in(secured, classifier, images):
    request = InferRequest(model="digits", inputs={"image": images})
    with Client(secured.url, tls=secured.tls, token=TOKENS["infer"]) as client:
        results = [client.infer("digits", {"image": images})]
        results += [answer.result() for answer in client.stream([request])]
    async with AsyncClient(secured.url, tls=secured.tls, token=TOKENS["infer"]) as other:
        results.append(await other.infer("digits", {"image": images}))
        results += [answer.result() async for answer in other.stream([request])]
    for result in results:
        np.testing.assert_allclose(
            result.outputs["logits"], classifier.expected(images)["logits"], rtol=1e-4, atol=1e-4
        )


def test_a_token_must_be_known(secured, images):
    for token in (None, "a-token-that-nobody-knows"):
        with Client(secured.url, tls=secured.tls, token=token) as client:
            assert client.live()
            with pytest.raises(clients.Unauthenticated, match="token"):
                client.infer("digits", {"image": images})
            with pytest.raises(clients.Unauthenticated, match="token"):
                # Whether the server refuses the stream or its requests.
                next(client.stream([InferRequest(model="digits", inputs={"image": images})])).result()


def test_a_token_allows_what_its_scope_says(secured):
    with (
        Client(secured.url, tls=secured.tls, token=TOKENS["infer"]) as client,
        pytest.raises(clients.PermissionDenied, match="admin"),
    ):
        client.load("digits")
    with Client(secured.url, tls=secured.tls, token=TOKENS["admin"]) as client:
        client.load("digits")


def test_certificates_must_be_trusted(secured, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    stranger = Tls(ca=tmp_path / "other.pem", certificate=secured.certificate, key=secured.key)
    with (
        Client(secured.url, tls=stranger) as client,
        pytest.raises(clients.ServerUnavailable, match="check certificates"),
    ):
        client.live()
    for tls in (Tls(ca=secured.ca), None):  # without a certificate of its own, without TLS
        with Client(secured.url, tls=tls) as client, pytest.raises(clients.ServerUnavailable):
            client.live()


def test_the_commands_take_the_same_options(secured, keraport, classifier, images, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", images)
    classes = classifier.expected(images)["logits"].argmax(axis=1)
    np.savez(tmp_path / "data.npz", x_test=images, y_test=classes)
    assert keraport("predict", tmp_path / "x.npy", *secured.options).returncode == 0
    assert "READY" in keraport("models", "list", *secured.options).stdout
    served = keraport("parity", secured.version, *secured.options, "--data", tmp_path / "data.npz")
    assert "0 beyond" in served.stdout, served.stderr
    *without_token, _ = secured.options
    result = keraport("models", "stats", *without_token)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    monkeypatch.setenv("KERAPORT_TOKEN", TOKENS["infer"])
    assert keraport("models", "stats", *without_token).returncode == 0


def test_what_is_no_token_file(keraport, tmp_path):
    (tmp_path / "long").write_text("a" * 20_000)
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "empty").write_text("\n")
    for name, message in (
        ("long", "holds no token"),
        ("binary", "holds no token"),
        ("empty", "the token is empty"),
        ("none", "cannot be read (No such file"),
    ):
        result = keraport("models", "list", "--token-file", tmp_path / name)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert message in result.stderr
