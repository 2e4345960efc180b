"""What is told of gRPC's requests, refused ones too: in the access log, in counts, to clients by an id."""

import itertools
import json

import grpc
import pytest

from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

INFER, ADMIN = "infer-infer-infer", "admin-admin-admin"
NOT_SERVED = pb.ModelInferRequest(model_name="none", id="a-1")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, publish_classifier, start_server):
    """A server with tokens and an access log, and its log."""
    folder = tmp_path_factory.mktemp("told")
    publish_classifier(folder / "models")
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"infer {INFER}\nadmin {ADMIN}\n")
    log = folder / "access.log"
    return start_server(folder / "models", f"--tokens={tokens}", f"--access-log={log}"), log


@pytest.fixture
def lines(guarded):
    """What tells the lines that were logged since."""
    _, log = guarded
    before = len(log.read_text().splitlines())
    return lambda: [json.loads(line) for line in log.read_text().splitlines()[before:]]


@pytest.fixture
def ask(guarded):
    """Ask a method of the server; the answer or the error, and the trailing metadata."""
    with grpc.insecure_channel(guarded[0].url) as channel:

        def asked(name, request, token=INFER, metadata=()):
            method = METHODS[name]
            kind = channel.stream_stream if method.streams_request else channel.unary_unary
            call = kind(method.path, method.request.SerializeToString, method.response.FromString)
            metadata = (*metadata, *([("authorization", f"Bearer {token}")] if token else ()))
            if method.streams_request:
                return list(call(iter(request), timeout=30, metadata=metadata)), {}
            try:
                answer, done = call.with_call(request, timeout=30, metadata=metadata)
            except grpc.RpcError as error:
                return error, dict(error.trailing_metadata())
            return answer, dict(done.trailing_metadata())

        yield asked


@pytest.fixture
def failures(ask):
    """How many requests of the model were not answered."""

    def count():
        answer, _ = ask("ModelStatistics", pb.ModelStatisticsRequest(name="digits"))
        return answer.model_stats[0].inference_stats.fail.count

    return count


def inference(images, **fields):
    request = pb.ModelInferRequest(model_name="digits", **fields)
    request.inputs.add(name="image", datatype="UINT8", shape=images.shape)
    request.raw_input_contents.append(images.tobytes())
    return request


def told(line, *names):
    return tuple(line[name] for name in names)


@pytest.mark.parametrize(
    ("token", "name", "request_", "status"),
    [
        (None, "ModelInfer", NOT_SERVED, "UNAUTHENTICATED"),
        ("guess-guess-guess", "ModelInfer", NOT_SERVED, "UNAUTHENTICATED"),
        (
            INFER,
            "RepositoryModelLoad",
            pb.RepositoryModelLoadRequest(model_name="digits"),
            "PERMISSION_DENIED",
        ),
    ],
)
def test_who_is_turned_away_is_told_of(ask, lines, token, name, request_, status):
    error, _ = ask(name, request_, token, [("x-request-id", "h-1")])
    assert error.code().name == status
    (line,) = lines()
    assert told(line, "protocol", "method", "status", "id", "model") == ("grpc", name, status, "h-1", "")
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert "guess" not in json.dumps(line)


@pytest.mark.parametrize("name", ["ModelMetadata", "ModelReady", "ModelConfig", "ModelStatistics"])
def test_who_asks_for_a_model_names_it(ask, lines, name):
    for model, version in (("digits", ""), ("none", "7")):
        ask(name, METHODS[name].request(name=model, version=version))
    assert [told(line, "method", "model", "version", "status") for line in lines()] == [
        (name, "digits", "", "OK"),
        (name, "none", "7", "NOT_FOUND"),
    ]


def spoiled(images):
    """Requests that are refused while they are read."""
    short, shared, twice, typed = (inference(images, id="a-1", model_version="1") for _ in range(4))
    short.raw_input_contents[0] = short.raw_input_contents[0][1:]
    shared.parameters["sequence_id"].int64_param = 3
    for _ in range(2):
        twice.outputs.add(name="logits")
    typed.inputs[0].contents.bool_contents.append(True)
    return short, shared, twice, typed


def test_a_request_that_is_refused_while_it_is_read_names_and_counts_for_its_model(
    ask, lines, failures, images
):
    before = failures()
    for request in spoiled(images):
        error, trailing = ask("ModelInfer", request)
        assert (error.code().name, trailing["x-request-id"]) == ("INVALID_ARGUMENT", "a-1")
    spoiled_none = spoiled(images)[0]
    spoiled_none.model_name = "none"
    ask("ModelInfer", spoiled_none)
    assert failures() == before + 4
    said = [
        told(line, "id", "model", "version", "status") for line in lines() if line["method"] == "ModelInfer"
    ]
    refused = ("1", "INVALID_ARGUMENT")
    assert said == [("a-1", "digits", *refused)] * 4 + [("a-1", "none", *refused)]


def test_a_stream_names_which_of_its_requests_could_not_be_read(ask, lines, failures, images):
    before = failures()
    answers, _ = ask("ModelStreamInfer", [inference(images, id="a-0"), *spoiled(images)])
    assert [each.infer_response.id for each in answers] == ["a-0", *["a-1"] * 4]
    assert [bool(each.error_message) for each in answers] == [False, *[True] * 4]
    assert failures() == before + 4
    said = sorted(told(line, "id", "model") for line in lines() if line["method"] == "ModelStreamInfer")
    assert said == [("a-0", "digits"), *[("a-1", "digits")] * 4]


def test_an_id_that_is_too_long_comes_back_nowhere(ask, lines, images):
    answers, _ = ask("ModelStreamInfer", [inference(images, id="x" * 1025)])
    assert ("over 1024 bytes" in answers[0].error_message, answers[0].infer_response.id) == (True, "")
    (line,) = lines()
    assert (line["model"], "x" in line["id"]) == ("digits", False)


def test_the_id_of_the_line_is_the_answers(ask, lines, images):
    header = [("x-request-id", "h-1")]
    ids = []
    for request, metadata in itertools.product(
        (inference(images, id="a-1"), inference(images), NOT_SERVED, pb.ModelInferRequest()), (header, [])
    ):
        answer, trailing = ask("ModelInfer", request, metadata=metadata)
        ids.append(trailing["x-request-id"])
        assert getattr(answer, "id", request.id) == request.id  # the answer's own is the request's own
    assert ids == [line["id"] for line in lines()]
    made = [ids.pop(3), ids.pop(6)]
    assert ids == ["a-1", "a-1", "h-1", "a-1", "a-1", "h-1"]
    assert len(set(made)) == 2
    assert all(each.isalnum() and len(each) == 32 for each in made)
