"""Mutated requests that a seed and a number bring back, and what may be said to each of them."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from serving.codec import encode
from serving.proto import inference_pb2 as pb

# Most of a request is pixels, of which one is as good as another: mutations prefer what stands around them.
HEAD_BYTES = 64
INTEGERS = (0, 1, -1, 2, 27, 28, 127, 128, 255, 256, 784, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, -1.0, 1e30, float("inf"), float("nan"))
TEXTS = (
    "", "digits", "image", "logits", "probabilities", "UINT8", "FP32", "BYTES", "BF16", "1", "01", "-1",
    "9" * 30, "..", "../digits", "digits/1", "digits\0", "\n", "%s%n", "ä", "\U0001f600" * 40, "x" * 1025,
    "x" * 20_000,
    "timeout", "priority", "classification", "sequence_id", "binary_data", "shared_memory_region",
)  # fmt: skip
LENGTH_DELIMITED = 2


class Mutator:
    """Changes messages of one kind: their fields, their wire form, their bytes."""

    def __init__(self, kind: type[Message], seeds: Sequence[bytes]):
        self._kind = kind
        self._seeds = seeds

    def case(self, number: int) -> bytes:
        """The request of a number: always the same."""
        chance = random.Random(number)  # noqa: S311  (nobody must not guess it)
        content = chance.choice(self._seeds)
        for _ in range(chance.choice((1, 1, 1, 1, 2, 4))):
            mutate = chance.choice((self._fields, self._fields, _wire, _wire, self._bytes, self._splice))
            content = mutate(content, chance)
        return content if chance.random() > 0.02 else chance.randbytes(chance.randrange(300))

    def _fields(self, content, chance):
        try:
            message = self._kind.FromString(content)
        except DecodeError:
            return content
        _change_field(message, chance)
        return message.SerializeToString()

    def _splice(self, content, chance):
        other = chance.choice(self._seeds)
        return content[: _position(content, chance)] + other[_position(other, chance) :]

    def _bytes(self, content, chance):
        changed = bytearray(content)
        at = _position(content, chance)
        length = chance.choice((1, 1, 2, 4, 16))
        match chance.randrange(6):
            case 0 if changed:
                changed[min(at, len(changed) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                changed[at : at + length] = chance.randbytes(length)
            case 2:
                changed[at:at] = chance.randbytes(length)
            case 3:
                del changed[at : at + length]
            case 4:
                del changed[at:]
            case _:
                changed[at:at] = changed[at : at + 8 * length]
        return bytes(changed)


def _position(content, chance):
    if chance.random() < 0.8:
        at = chance.randrange(HEAD_BYTES)
        return min(at, len(content)) if chance.random() < 0.8 else max(0, len(content) - at)
    return chance.randrange(len(content) + 1)


def _change_field(message, chance):
    """Change one field of a message, or of one inside it, to something that its type allows."""
    inside = [
        child
        for field, value in message.ListFields()
        if field.message_type is not None and not field.message_type.GetOptions().map_entry
        for child in (value if field.is_repeated else [value])
    ]
    if inside and chance.random() < 0.6:
        return _change_field(chance.choice(inside), chance)
    if not message.DESCRIPTOR.fields:
        return None
    field = chance.choice(message.DESCRIPTOR.fields)
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _change_field(value[chance.choice(TEXTS)], chance)
    elif chance.random() < 0.2:
        message.ClearField(field.name)
    elif field.is_repeated:
        _change_repeated(value, field, chance)
    elif field.message_type is not None:
        value.SetInParent()
    else:
        setattr(message, field.name, _scalar(field, chance))
    return None


def _change_repeated(values, field, chance):
    if values and chance.random() < 0.3:
        del values[chance.randrange(len(values))]
    elif field.message_type is not None:
        values.add().CopyFrom(chance.choice(values)) if values else values.add()
    elif values and chance.random() < 0.5:
        values[chance.randrange(len(values))] = _scalar(field, chance)
    else:
        values.extend(_scalar(field, chance) for _ in range(chance.choice((1, 1, 2, 3, 40))))


def _scalar(field, chance):
    kinds = FieldDescriptor
    if field.type == kinds.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 4, 783, 784, 785, 1568)))
    bounds = {
        kinds.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
        kinds.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
        kinds.CPPTYPE_UINT32: (0, 2**32 - 1),
        kinds.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
        kinds.CPPTYPE_UINT64: (0, 2**64 - 1),
        kinds.CPPTYPE_BOOL: (0, 1),
    }
    if field.cpp_type in bounds:
        low, high = bounds[field.cpp_type]
        return max(low, min(chance.choice(INTEGERS), high))
    return chance.choice(TEXTS if field.cpp_type == kinds.CPPTYPE_STRING else FLOATS)


def _wire(content, chance):
    """Write the same or nearly the same message in another of its wire forms."""
    try:
        parts = _split(content)
    except IndexError:
        return content
    if not parts:
        return content + _varint(chance.choice((0, 7, 80, 1 << 29)) << 3) + b"\x01"
    at = chance.randrange(len(parts))
    number, kind, value = parts[at]
    match chance.randrange(8):
        case 0:
            chance.shuffle(parts)
        case 1:
            parts.insert(chance.randrange(len(parts) + 1), parts[at])  # the last of two counts, or both
        case 2:
            del parts[at]
        case 3 if kind == LENGTH_DELIMITED:
            parts[at] = (number, kind, _wire(value, chance))
        case 4 if kind == LENGTH_DELIMITED and value:
            middle = chance.randrange(len(value) + 1)
            parts[at : at + 1] = [(number, kind, value[:middle]), (number, kind, value[middle:])]
        case 5:  # a field that nobody knows
            unknown = chance.choice((9, 15, 16, 99, 2**29 - 1))
            parts.insert(at, (unknown, LENGTH_DELIMITED, chance.randbytes(chance.randrange(20))))
        case 6:
            parts[at] = (chance.randrange(1, 12), kind, value)
        case _:  # more bytes than the number needs
            joined = b"".join(map(_join, parts[:at])) + _long_varint(number << 3 | kind)
            return (
                joined
                + _join(parts[at])[len(_varint(number << 3 | kind)) :]
                + b"".join(map(_join, parts[at + 1 :]))
            )
    return b"".join(map(_join, parts))


def _split(content):
    """The fields of a message's wire form: number, wire type, value; IndexError if it has no such form."""
    parts = []
    at = 0
    while at < len(content):
        tag, at = _read_varint(content, at)
        number, kind = tag >> 3, tag & 7
        match kind:
            case 0:
                _, end = _read_varint(content, at)
            case 1 | 5:
                end = at + (8 if kind == 1 else 4)
            case 2:
                length, at = _read_varint(content, at)
                end = at + length
            case _:
                raise IndexError
        if end > len(content):
            raise IndexError
        parts.append((number, kind, content[at:end]))
        at = end
    return parts


def _join(part):
    number, kind, value = part
    length = _varint(len(value)) if kind == LENGTH_DELIMITED else b""
    return _varint(number << 3 | kind) + length + value


def _read_varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _long_varint(value):
    short = _varint(value)
    return short[:-1] + bytes([short[-1] | 0x80, 0x80, 0x00])


def _seeds():
    """Requests that are answered, in all the forms that clients give them."""
    images = np.random.default_rng(1).integers(0, 255, (3, 28, 28, 1), dtype=np.uint8)
    output = pb.ModelInferRequest.InferRequestedOutputTensor
    requests = [
        pb.ModelInferRequest(model_name="digits"),
        pb.ModelInferRequest(model_name="digits", model_version="1", id="an id"),
        pb.ModelInferRequest(model_name="digits", outputs=[output(name="logits")]),
        pb.ModelInferRequest(
            model_name="digits", id="7", outputs=[output(name="probabilities"), output(name="logits")]
        ),
    ]
    for rows, request in enumerate(requests):
        encode({"image": images[: 1 + rows % 3]}, request.inputs, request.raw_input_contents)
    requests[2].parameters["priority"].uint64_param = 1
    requests[3].parameters["timeout"].int64_param = 60_000_000
    typed = pb.ModelInferRequest(model_name="digits", id="typed")
    tensor = typed.inputs.add(name="image", datatype="UINT8", shape=[1, 28, 28, 1])
    tensor.contents.uint_contents.extend(images[0].reshape(-1).tolist())
    return [request.SerializeToString() for request in (*requests, typed)]


class Oracle:
    """What may be answered to a ModelInfer request, by the protobuf library and numpy alone."""

    def __init__(self, classifier):
        self._expected = classifier.expected

    def check(self, content: bytes, code: StatusCode, answer: bytes | None) -> None:
        """Fail if that is no right reply to these bytes."""
        try:
            request = pb.ModelInferRequest.FromString(content)
        except DecodeError:
            assert code is StatusCode.INVALID_ARGUMENT
            return
        known = request.model_name == "digits" and request.model_version in ("", "1")
        images = _images(request)
        fails = images is not None and (images[:, 0] == 255).any()  # the model itself does
        match code:
            case StatusCode.OK:
                assert known
                assert images is not None
                assert not fails
                self._check_answer(request, images, pb.ModelInferResponse.FromString(answer))
            case StatusCode.NOT_FOUND:
                assert not known
            case StatusCode.INVALID_ARGUMENT:
                assert not (known and images is not None and _is_plain(request))
            case StatusCode.INTERNAL:
                assert known
                assert fails
            case StatusCode.DEADLINE_EXCEEDED:
                assert "timeout" in request.parameters
            case _:
                pytest.fail(f"no request deserves {code}")

    def check_streamed(self, content: bytes, answer: pb.ModelStreamInferResponse) -> None:
        """The same for an answer on a stream, which has a text instead of a status."""
        if not answer.error_message:
            self.check(content, StatusCode.OK, answer.infer_response.SerializeToString())
        else:
            status = answer.infer_response.parameters["status"].string_param
            self.check(content, StatusCode[status], None)

    def _check_answer(self, request, images, response):
        assert (response.model_name, response.model_version, response.id) == ("digits", "1", request.id)
        wanted = [output.name for output in request.outputs] or ["logits", "probabilities"]
        assert [tensor.name for tensor in response.outputs] == list(dict.fromkeys(wanted))
        expected = self._expected(images)
        for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True):
            values = expected[tensor.name]
            if tensor.datatype == "BYTES":
                _check_classes(request, tensor, raw, values)
                continue
            assert (tensor.datatype, list(tensor.shape)) == ("FP32", [len(images), 10])
            np.testing.assert_allclose(np.frombuffer(raw, "<f4").reshape(-1, 10), values, atol=1e-4)


def _check_classes(request, tensor, raw, values):
    """`value:index:label`, the highest first, as many as the request asks of an output."""
    asked = [output.parameters["classification"] for output in request.outputs if output.name == tensor.name]
    k = min(asked[-1].int64_param or asked[-1].uint64_param, 10)
    assert list(tensor.shape) == [len(values), k]
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    for row, index in zip(np.repeat(np.arange(len(values)), k), order.ravel(), strict=True):
        size = int.from_bytes(raw[:4], "little")
        value, place, label = raw[4 : 4 + size].decode().split(":")
        raw = raw[4 + size :]
        np.testing.assert_allclose([float(value), values[row, int(place)]], values[row, index], atol=1e-4)
        assert label == "abcdefghij"[int(place)]
    assert raw == b""


def _images(request):
    """The request's rows of pixels; None if it has not exactly one whole tensor of them."""
    if len(request.inputs) != 1:
        return None
    tensor = request.inputs[0]
    rows = tensor.shape[0] if tensor.shape else 0
    if (tensor.name, tensor.datatype) != ("image", "UINT8") or list(tensor.shape[1:]) != [28, 28, 1]:
        return None
    raw = request.raw_input_contents
    values = np.frombuffer(raw[0], np.uint8) if len(raw) == 1 else np.array(tensor.contents.uint_contents)
    others = [field.name for field, _ in tensor.contents.ListFields() if field.name != "uint_contents"]
    if len(raw) > 1 or others or (raw and tensor.HasField("contents")):
        return None
    if not 1 <= rows <= 64 or len(values) != rows * 784 or values.max() > 255:
        return None
    return values.reshape(rows, 784).astype(np.uint8)


def _is_plain(request):
    """Nothing in it that a server may refuse to do."""
    holders = [request, *request.inputs, *request.outputs]
    return (
        not any(holder.parameters for holder in holders)
        and len(request.id.encode()) <= 1024
        and sorted(output.name for output in request.outputs)
        in ([], ["logits"], ["probabilities"], ["logits", "probabilities"])
    )


@pytest.fixture(scope="session")
def infer_cases() -> Callable[[int], bytes]:
    """The mutated ModelInfer request of a number."""
    return Mutator(pb.ModelInferRequest, _seeds()).case


@pytest.fixture(scope="session")
def cases_of() -> Callable[[type[Message], Sequence[Message]], Callable[[int], bytes]]:
    """The mutated requests of another method."""

    def cases_of(kind, seeds):
        return Mutator(kind, [seed.SerializeToString() for seed in seeds]).case

    return cases_of


@pytest.fixture(scope="session")
def oracle(classifier) -> Oracle:
    return Oracle(classifier)
