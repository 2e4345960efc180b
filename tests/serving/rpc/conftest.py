"""A server of the tests' own methods, and a channel to it."""

import asyncio
import contextlib

import grpc.aio
import pytest

from serving.rpc.loop import CompletionLoop
from serving.rpc.server import Server


def pytest_asyncio_loop_factories():
    """The loop that a worker has."""
    return {"completions": CompletionLoop}


class Bench:
    """Starts servers, each with a channel to it, and ends both."""

    def __init__(self, stack):
        self._stack = stack

    async def serve(self, unary=None, streams=None, **options):
        server = Server(unary or {}, streams or {}, options=(), **options)
        port = server.listen("127.0.0.1:0", None)
        server.start()
        stopped = False

        async def stop(within_s=0.0):
            nonlocal stopped
            if not stopped:
                stopped = True
                await server.stop(within_s)

        self._stack.push_async_callback(stop)
        channel = await self._stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        channel.server = server
        channel.stop_server = stop
        return channel


@pytest.fixture
async def bench():
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(30):
        yield Bench(stack)
