"""`keraport serve` with mutual TLS and tokens: gRPC and REST alike."""

import http.client
import json
import ssl
import time

import grpc
import pytest

from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

INFER = "infer-infer-infer"
ADMIN = "admin-admin-admin"


@pytest.fixture(scope="module")
def secured(tmp_path_factory, publish_classifier, start_server, files_in, authority):
    """A server, its files, and where its ports are."""
    folder = tmp_path_factory.mktemp("secured")
    files = files_in(folder)
    files.write(authority.issue_cert("localhost", "127.0.0.1"), authority)
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"infer {INFER}\nadmin {ADMIN}\n")
    publish_classifier(folder / "models")
    server = start_server(
        folder / "models",
        "--repository-control",
        f"--tls-certificate={files.certificate}",
        f"--tls-key={files.key}",
        f"--tls-client-ca={files.client_ca}",
        f"--tokens={tokens}",
    )
    return server, tokens


@pytest.fixture
def grpc_status(secured, authority):
    """The status of a call with some token; None for an answer."""
    server, _ = secured
    client = authority.issue_cert("client@example.org")
    pems = {
        "root_certificates": authority.cert_pem.bytes(),
        "private_key": client.private_key_pem.bytes(),
        "certificate_chain": client.cert_chain_pems[0].bytes(),
    }

    def status(name, request, token=None, *, certified=True):
        credentials = grpc.ssl_channel_credentials(
            **(pems if certified else {"root_certificates": pems["root_certificates"]})
        )
        method = METHODS[name]
        with grpc.secure_channel(server.url, credentials) as channel:
            call = channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
            metadata = [("authorization", f"Bearer {token}")] if token else []
            try:
                call(request, timeout=30, metadata=metadata)
            except grpc.RpcError as error:
                return error.code()
        return None

    return status


@pytest.fixture
def http_status(secured, authority):
    """The status and body of a request with some token."""
    server, _ = secured
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def status(method, path, token=None, *, certified=True):
        if certified:
            authority.issue_cert("client@example.org").configure_cert(context)
        port = int(server.http_url.rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return status


def test_grpc_asks_for_a_certificate(grpc_status):
    ready = pb.ServerReadyRequest()
    assert grpc_status("ServerReady", ready) is None
    assert grpc_status("ServerReady", ready, ADMIN, certified=False) is grpc.StatusCode.UNAVAILABLE


def test_rest_asks_for_a_certificate(http_status):
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        http_status("GET", "/v2/health/ready", ADMIN, certified=False)
    assert http_status("GET", "/v2/health/ready")[0] == 200


@pytest.mark.parametrize(
    ("token", "metadata", "load"),
    [
        (None, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED),
        ("another-token-here", grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED),
        (INFER, None, grpc.StatusCode.PERMISSION_DENIED),
        (ADMIN, None, None),
    ],
)
def test_grpc_asks_for_a_token(grpc_status, token, metadata, load):
    assert grpc_status("ModelMetadata", pb.ModelMetadataRequest(name="digits"), token) is metadata
    assert (
        grpc_status("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="digits"), token) is load
    )


@pytest.mark.parametrize(
    ("token", "metadata", "load"),
    [(None, 401, 401), ("another-token-here", 401, 401), (INFER, 200, 403), (ADMIN, 200, 200)],
)
def test_rest_asks_for_a_token(http_status, token, metadata, load):
    status, text = http_status("GET", "/v2/models/digits", token)
    assert status == metadata, text
    assert "another-token" not in text
    assert http_status("POST", "/v2/repository/models/digits/load", token)[0] == load
    if metadata == 200:
        assert json.loads(text)["name"] == "digits"


def test_a_token_that_is_taken_back_opens_nothing(secured, grpc_status):
    server, tokens = secured
    before = tokens.read_text()
    request = pb.ModelMetadataRequest(name="digits")
    tokens.write_text(before.replace(INFER, "infer-infer-infer-2"))
    try:
        deadline = time.monotonic() + 30
        while grpc_status("ModelMetadata", request, INFER) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert grpc_status("ModelMetadata", request, "infer-infer-infer-2") is None
    finally:
        tokens.write_text(before)
    assert INFER not in server.log.read_text()
