"""Write Triton's own protocol to stdout, a FileDescriptorSet; run by the interpreter of .venv-interop."""

import sys

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import model_config_pb2, service_pb2

if __name__ == "__main__":
    files = FileDescriptorSet()
    for module in (model_config_pb2, service_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    sys.stdout.buffer.write(files.SerializeToString())
