"""A server as users run it: its own process, real gRPC."""

import json

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from serving.codec import decode, encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS


@pytest.fixture
def channel(digits_server):
    with grpc.insecure_channel(digits_server.url) as channel:
        yield channel


@pytest.fixture
def call(channel):
    """Call a method of the protocol by name, without keraport's client."""

    def call(name, request):
        method = METHODS[name]
        return channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )(request, timeout=30)

    return call


@pytest.fixture
def status_of(call):
    """The status code and text of a call that fails."""

    def status_of(name, request):
        with pytest.raises(grpc.RpcError) as caught:
            call(name, request)
        return caught.value.code(), caught.value.details()

    return status_of


def infer_request(images, **fields):
    request = pb.ModelInferRequest(**{"model_name": "digits"} | fields)
    encode({"image": images}, request.inputs, request.raw_input_contents)
    return request


def test_live_and_ready(call):
    assert call("ServerLive", pb.ServerLiveRequest()).live
    assert call("ServerReady", pb.ServerReadyRequest()).ready
    for version in ("", "1"):
        assert call("ModelReady", pb.ModelReadyRequest(name="digits", version=version)).ready


def test_metadata(call):
    server = call("ServerMetadata", pb.ServerMetadataRequest())
    assert server.name == "keraport"
    assert {"classification", "model_configuration", "model_repository", "statistics"} <= {*server.extensions}
    model = call("ModelMetadata", pb.ModelMetadataRequest(name="digits"))
    assert (model.name, list(model.versions), model.platform) == ("digits", ["1"], "onnxruntime_onnx")
    assert [(t.name, t.datatype, list(t.shape)) for t in model.inputs] == [
        ("image", "UINT8", [-1, 28, 28, 1])
    ]
    assert [(t.name, t.datatype, list(t.shape)) for t in model.outputs] == [
        ("logits", "FP32", [-1, 10]),
        ("probabilities", "FP32", [-1, 10]),
    ]


def test_config(call):
    config = call("ModelConfig", pb.ModelConfigRequest(name="digits")).config
    assert (config.name, config.backend, config.max_batch_size) == ("digits", "onnxruntime", 64)
    assert (config.input[0].data_type, list(config.input[0].dims)) == (pb.TYPE_UINT8, [28, 28, 1])
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 1024
    assert json.loads(config.parameters["labels"].string_value) == list("abcdefghij")


def test_index(call):
    models = call("RepositoryIndex", pb.RepositoryIndexRequest()).models
    assert [(entry.name, entry.version, entry.state) for entry in models] == [("digits", "1", "READY")]


def test_infer_raw(call, images, classifier):
    response = call("ModelInfer", infer_request(images, id="x-7"))
    assert (response.model_name, response.model_version, response.id) == ("digits", "1", "x-7")
    answer = decode(response.outputs, response.raw_output_contents)
    assert list(answer) == ["logits", "probabilities"]
    for name, values in classifier.expected(images).items():
        np.testing.assert_allclose(answer[name], values, atol=1e-4)


def test_infer_typed(call, images, classifier):
    request = pb.ModelInferRequest(model_name="digits", model_version="1")
    tensor = request.inputs.add(name="image", datatype="UINT8", shape=images.shape)
    tensor.contents.uint_contents.extend(images.ravel().tolist())
    response = call("ModelInfer", request)
    answer = decode(response.outputs, response.raw_output_contents)
    np.testing.assert_allclose(answer["logits"], classifier.expected(images)["logits"], atol=1e-4)


def test_only_the_requested_outputs_come(call, images):
    wanted = [pb.ModelInferRequest.InferRequestedOutputTensor(name="probabilities")]
    response = call("ModelInfer", infer_request(images, outputs=wanted))
    assert [tensor.name for tensor in response.outputs] == ["probabilities"]


@pytest.mark.parametrize(
    ("name", "request_", "text"),
    [
        (
            "ModelInfer",
            pb.ModelInferRequest(model_name="letters"),
            "no model 'letters' is loaded, but: digits",
        ),
        ("ModelReady", pb.ModelReadyRequest(name="../digits"), "no model '../digits' is loaded"),
        ("ModelMetadata", pb.ModelMetadataRequest(name="digits", version="2"), "version '2' of 'digits'"),
        ("ModelConfig", pb.ModelConfigRequest(), "no model '' is loaded"),
    ],
)
def test_unknown_models_are_not_found(status_of, name, request_, text):
    code, details = status_of(name, request_)
    assert code is grpc.StatusCode.NOT_FOUND
    assert text in details


def test_wrong_tensors_are_invalid(status_of, images):
    output = pb.ModelInferRequest.InferRequestedOutputTensor(name="classes")
    for request, text in (
        (infer_request(images[:, :27]), "'image' came in shape [5, 27, 28, 1], expected [-1, 28, 28, 1]"),
        (infer_request(images.astype(np.float32)), "'image' came as FP32, expected UINT8"),
        (infer_request(np.zeros((65, 28, 28, 1), np.uint8)), "came with 65 rows, expected 1 to 64"),
        (infer_request(images, outputs=[output]), "output 'classes' was asked for, expected any of: logits"),
        (pb.ModelInferRequest(model_name="digits"), "inputs none came, expected 'image'"),
    ):
        code, details = status_of("ModelInfer", request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text in details


@pytest.mark.parametrize("shape", [[1] * 100, [0, 2**62, 2**62], [2**40], [-1, 28, 28, 1]])
@pytest.mark.parametrize("raw", [True, False])
def test_impossible_shapes_are_invalid(status_of, shape, raw):
    request = pb.ModelInferRequest(model_name="digits", raw_input_contents=[b""] if raw else [])
    request.inputs.add(name="image", datatype="UINT8", shape=shape)
    code, details = status_of("ModelInfer", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "'image' came in shape [" in details
    assert str(shape[0]) in details


def test_however_long_the_names_a_refusal_can_be_read(status_of, images):
    long = "ä" * 20_000
    output = pb.ModelInferRequest.InferRequestedOutputTensor(name=long)
    unnamed = infer_request(images)
    unnamed.inputs[0].name = long
    untyped = infer_request(images)
    untyped.inputs[0].datatype = long
    for name, request, expected in (
        ("ModelInfer", infer_request(images, model_name=long), grpc.StatusCode.NOT_FOUND),
        ("ModelReady", pb.ModelReadyRequest(name="digits", version=long), grpc.StatusCode.NOT_FOUND),
        ("ModelInfer", infer_request(images, outputs=[output]), grpc.StatusCode.INVALID_ARGUMENT),
        ("ModelInfer", unnamed, grpc.StatusCode.INVALID_ARGUMENT),
        ("ModelInfer", untyped, grpc.StatusCode.INVALID_ARGUMENT),
    ):
        code, details = status_of(name, request)
        assert code is expected
        assert f"{'ä' * 99}..." in details


def test_an_id_has_a_sane_length(call, status_of, images):
    assert call("ModelInfer", infer_request(images, id="i" * 1024)).id == "i" * 1024
    code, details = status_of("ModelInfer", infer_request(images, id="ü" * 513))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "is over 1024 bytes: send a shorter one" in details


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("request", "sequence_id", {"int64_param": 3}),
        ("request", "sequence_id", {"string_param": "a"}),
        ("request", "sequence_start", {"bool_param": True}),
        ("request", "sequence_end", {"bool_param": True}),
        ("input", "shared_memory_region", {"string_param": "images"}),
        ("output", "shared_memory_region", {"string_param": "answers"}),
    ],
)
def test_what_is_not_supported_is_refused_not_ignored(status_of, images, place, name, value):
    output = pb.ModelInferRequest.InferRequestedOutputTensor(name="logits")
    request = infer_request(images, outputs=[output])
    holder = {"request": request, "input": request.inputs[0], "output": request.outputs[0]}[place]
    holder.parameters[name].CopyFrom(pb.InferParameter(**value))
    code, details = status_of("ModelInfer", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert f"has the parameter {name}, not supported here" in details


def test_parameters_that_change_no_answer_are_passed_over(call, images):
    request = infer_request(images)
    request.parameters["priority"].uint64_param = 1
    request.parameters["binary_data_output"].bool_param = True
    request.parameters["sequence_id"].int64_param = 0
    request.inputs[0].parameters["binary_data"].bool_param = True
    assert call("ModelInfer", request).model_name == "digits"


def test_a_message_over_the_limit_is_refused(status_of):
    request = pb.ModelInferRequest(model_name="digits", raw_input_contents=[bytes(65 * 1024 * 1024)])
    assert status_of("ModelInfer", request)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_failing_run_is_internal_and_says_nothing_of_the_inside(status_of, digits_server):
    request = infer_request(np.full((1, 28, 28, 1), 255, np.uint8))
    assert status_of("ModelInfer", request) == (
        grpc.StatusCode.INTERNAL,
        "internal error: the server's log has the details",
    )
    assert "indices element out of data bounds" in digits_server.log.read_text()


def test_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for service in ("", "inference.GRPCInferenceService"):
        request = health_pb2.HealthCheckRequest(service=service)
        assert health.Check(request, timeout=30).status == serving
        assert next(health.Watch(request, timeout=30)).status == serving
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=30)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest
    requests = [ask(list_services=""), ask(file_containing_symbol="inference.GRPCInferenceService")]
    services, file = stub.ServerReflectionInfo(iter(requests), timeout=30)
    assert {service.name for service in services.list_services_response.service} == {
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    proto = FileDescriptorProto.FromString(file.file_descriptor_response.file_descriptor_proto[0])
    assert {method.name for method in proto.service[0].method} == set(METHODS)


@pytest.mark.parametrize("kind", ["inputs", "outputs", "parameters"])
def test_more_than_any_model_needs_is_refused(status_of, kind):
    request = pb.ModelInferRequest(model_name="digits")
    for number in range(1025):
        if kind == "parameters":
            request.parameters[str(number)].bool_param = True
        else:
            getattr(request, kind).add(name=str(number))
    code, details = status_of("ModelInfer", request)
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, f"1025 {kind} came, expected at most 1024")


def test_many_typed_values_are_to_come_raw(status_of):
    request = pb.ModelInferRequest(model_name="digits")
    image = request.inputs.add(name="image", datatype="UINT8", shape=[1, (1 << 20) + 1])
    image.contents.uint_contents.extend([1] * ((1 << 20) + 1))
    code, details = status_of("ModelInfer", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "1048577 values came typed, expected at most 1048576: send raw contents"


@pytest.mark.parametrize("name", ["timeout", "priority"])
@pytest.mark.parametrize("value", [{"string_param": "5"}, {"double_param": 5.0}, {"int64_param": -5}])
def test_parameters_that_are_no_whole_numbers_are_refused(status_of, name, value):
    request = pb.ModelInferRequest(model_name="digits", parameters={name: pb.InferParameter(**value)})
    code, details = status_of("ModelInfer", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert f"the parameter {name} as {next(iter(value))}" in details


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_messages_are_refused_unless_allowed(digits_server, algorithm):
    with grpc.insecure_channel(digits_server.url, compression=algorithm) as channel:
        ask = channel.unary_unary(METHODS["ModelInfer"].path)
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"\0" * 100_000, timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
