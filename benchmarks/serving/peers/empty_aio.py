"""The least that grpcio's aio server can do: one generic handler that answers known bytes at once.

python empty_aio.py PORT ANSWERS: ANSWERS is a folder; a file in it is called as the request is long.
"""

import asyncio
import sys
from pathlib import Path

import grpc
import grpc.aio


async def main() -> None:
    answers = {int(path.name): path.read_bytes() for path in Path(sys.argv[2]).iterdir()}  # noqa: ASYNC240

    async def infer(request: bytes, _: object) -> bytes:
        return answers[len(request)]

    handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(infer)}
    options = [("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", -1)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),)
    )
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
