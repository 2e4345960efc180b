"""gRPC's core, as grpcio's own two servers use it.

It is no public interface, so all that is used of it comes from here: a server and its completion queue,
calls, and the operations of a batch. `pyproject.toml` admits the releases of grpcio that it was tested with.
"""

import os
from typing import Any

# From 1.76 on gRPC reads a server's sockets in threads of its own, and hands over what came. Without them the
# thread that waits for completions reads by itself, as before: at a third of the CPU time, half the latency.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")

from grpc._cython import cygrpc as untyped  # type: ignore[attr-defined]

cygrpc: Any = untyped

# A queue, what is found in it, and what a batch is made of.
CompletionQueue = Any
Event = Any
Operation = Any

NO_FLAGS = 0
