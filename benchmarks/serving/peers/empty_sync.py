"""The least that grpcio's sync server can do: one generic handler that answers known bytes at once.

python empty_sync.py PORT ANSWERS: ANSWERS is a folder; a file in it is called as the request is long.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

answers = {int(path.name): path.read_bytes() for path in Path(sys.argv[2]).iterdir()}
handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(lambda request, _: answers[len(request)])}
options = [("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", -1)]
server = grpc.server(ThreadPoolExecutor(4), options=options)
server.add_generic_rpc_handlers(
    (grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),)
)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
