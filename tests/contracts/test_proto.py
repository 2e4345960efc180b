"""The wire is Triton's, field for field, and the committed stubs are what inference.proto gives."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from export.manifest import DATATYPES
from serving.model_config import config_datatype
from serving.proto import inference_pb2 as pb

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "serving" / "proto"


def messages_of(container, prefix=".inference"):
    """Full name to message, nested ones too, of a file or message."""
    direct = container.message_type if isinstance(container, FileDescriptorProto) else container.nested_type
    found = {}
    for message in direct:
        name = f"{prefix}.{message.name}"
        found |= {name: message} | messages_of(message, name)
    return found


def enums_of(file):
    """Full name to the numbers of an enum's names."""
    owners = {".inference": file} | messages_of(file)
    return {
        f"{name}.{enum.name}": {value.name: value.number for value in enum.value}
        for name, owner in owners.items()
        for enum in owner.enum_type
    }


def fields_of(message):
    """Everything that a field's encoding depends on."""
    return {
        field.name: (
            field.number,
            field.type,
            field.label,
            field.type_name,
            message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None,
        )
        for field in message.field
    }


def methods_of(file):
    return {
        (service.name, method.name): (
            method.input_type,
            method.output_type,
            method.client_streaming,
            method.server_streaming,
        )
        for service in file.service
        for method in service.method
    }


@pytest.fixture(scope="module")
def triton():
    result = subprocess.run(
        [ROOT / ".venv-interop" / "bin" / "python", ROOT / "tests" / "interop" / "descriptors.py"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return FileDescriptorSet.FromString(result.stdout).file


@pytest.fixture(scope="module")
def ours():
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return file


def test_every_message_has_tritons_fields(ours, triton):
    theirs = {name: message for file in triton for name, message in messages_of(file).items()}
    mine = messages_of(ours)
    assert len(mine) > 30
    for name, message in mine.items():
        expected = fields_of(theirs[name])
        for field, facts in fields_of(message).items():
            assert facts == expected.get(field), f"{name}.{field}"


def test_every_enum_is_tritons(ours, triton):
    theirs = {name: values for file in triton for name, values in enums_of(file).items()}
    for name, values in enums_of(ours).items():
        assert values == theirs[name], name


def test_every_method_is_tritons(ours, triton):
    theirs = {key: types for file in triton for key, types in methods_of(file).items()}
    mine = methods_of(ours)
    assert len(mine) == 12
    assert mine.items() <= theirs.items()


def test_every_datatype_has_its_number_in_the_configuration():
    assert {config_datatype(datatype) for datatype in DATATYPES} <= set(pb.DataType.DESCRIPTOR.values_by_name)


def test_the_stubs_are_what_the_proto_gives(tmp_path):
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", PROTO, PROTO / "inference.proto"]
    subprocess.run([*command, f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"], timeout=60, check=True)
    for name in ("inference_pb2.py", "inference_pb2.pyi"):
        assert (tmp_path / name).read_text() == (PROTO / name).read_text(), "run `make proto`"
