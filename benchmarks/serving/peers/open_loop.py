"""An open loop: requests that are sent when they are due, be the earlier ones answered or not.

python open_loop.py PORT PATH MESSAGE ARRIVALS RATE ANSWER_BYTES WARM_UP SECONDS: MESSAGE is a file, ARRIVALS
`even` or `random` (a Poisson process), ANSWER_BYTES the length of a right answer with gRPC's prefix. Prints a
JSON object: kept, p50_ms, p99_ms, failed. `kept` is the share of the requests that was answered by the end,
or soon after. It speaks HTTP/2 by itself: grpcio's client would leave the server less of the cores than the
server's own capacity takes, and h2load sends what is due in bursts.
"""

import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

SOON_S, GIVE_UP_S = 0.25, 60.0
FRAME_BYTES, READ_BYTES, WINDOW = 16_384, 1 << 20, 65_535
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW = 4  # of the settings
LARGEST = 2**31 - 1


class Kind(IntEnum):
    """Of HTTP/2's frames."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


class Connection:
    """One HTTP/2 connection on which one request is sent again and again."""

    def __init__(self, port: int, path: str, message: bytes, answer_bytes: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        # POST and http from HPACK's static table, the names of path, authority and content-type, too.
        self._headers = b"\x83\x86\x04" + text(path) + b"\x01" + text("localhost")
        self._headers += b"\x0f\x10" + text("application/grpc") + b"\x00" + text("te") + text("trailers")
        self._body = b"\0" + struct.pack(">I", len(message)) + message
        self._answer_bytes = answer_bytes
        settings = frame(Kind.SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, LARGEST))
        self.unsent = bytearray(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        self.unsent += frame(Kind.WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST - WINDOW))
        self._unread = b""
        self._stream, self._window, self._stream_window = -1, WINDOW, WINDOW
        self._bodies: dict[int, list[int]] = {}  # of a stream what its body still has, and its window
        self._received: dict[int, int] = {}

    def ask(self) -> int:
        """Send a request; its stream."""
        self._stream += 2
        self.unsent += frame(Kind.HEADERS, END_HEADERS, self._stream, self._headers)
        self._bodies[self._stream] = [len(self._body), self._stream_window]
        self._received[self._stream] = 0
        self._send_bodies()
        return self._stream

    def _send_bodies(self) -> None:
        """As much as the server's windows let through."""
        for stream in list(self._bodies):
            rest, window = self._bodies[stream]
            while (size := min(rest, window, self._window, FRAME_BYTES)) > 0:
                start = len(self._body) - rest
                rest, window, self._window = rest - size, window - size, self._window - size
                end = 0 if rest else END_STREAM
                self.unsent += frame(Kind.DATA, end, stream, self._body[start : start + size])
            self._bodies[stream] = [rest, window]
            if not rest:
                del self._bodies[stream]
            if self._window <= 0:
                return

    def flush(self) -> None:
        """Write what the socket takes."""
        try:
            del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            return

    def read(self) -> Iterator[tuple[int, bool]]:
        """Streams that have ended, and whether with a whole answer."""
        try:
            fresh = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not fresh:
            sys.exit("the server closed the connection")
        content, place = self._unread + fresh, 0
        while len(content) - place >= 9:  # noqa: PLR2004  (a frame's head)
            size = int.from_bytes(content[place : place + 3], "big")
            if len(content) - place < 9 + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", content, place + 3)
            payload, place = content[place + 9 : place + 9 + size], place + 9 + size
            self._control(kind, flags, stream, payload)
            if kind == Kind.DATA and stream in self._received:
                self._received[stream] += size
            ended = kind == Kind.RST_STREAM or (kind in (Kind.DATA, Kind.HEADERS) and flags & END_STREAM)
            if ended and stream in self._received:
                self._bodies.pop(stream, None)
                whole = self._received.pop(stream) == self._answer_bytes
                yield stream, kind != Kind.RST_STREAM and whole
        self._unread = content[place:]

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        match kind:
            case Kind.PING if not flags & ACK:
                self.unsent += frame(Kind.PING, ACK, 0, payload)
            case Kind.GOAWAY:
                sys.exit("the server says good-bye")
            case Kind.WINDOW_UPDATE:
                size = int.from_bytes(payload, "big")
                if not stream:
                    self._window += size
                elif stream in self._bodies:
                    self._bodies[stream][1] += size
                self._send_bodies()
            case Kind.SETTINGS if not flags & ACK:
                for name, value in struct.iter_unpack(">HI", payload):
                    if name == INITIAL_WINDOW:
                        for body in self._bodies.values():
                            body[1] += value - self._stream_window
                        self._stream_window = value
                self.unsent += frame(Kind.SETTINGS, ACK, 0)
                self._send_bodies()


def gaps(arrivals: str, rate: float) -> Iterator[float]:
    draw = random.Random(5)  # noqa: S311
    while True:
        yield 1 / rate if arrivals == "even" else draw.expovariate(rate)


def measure(connection: Connection, waits: Iterator[float], begin: float, end: float) -> dict[str, float]:
    """Ask until the end, then wait for what is not answered yet."""
    due, asked, latencies, late, failed = time.perf_counter(), {}, [], 0, 0
    while (now := time.perf_counter()) < end or asked:
        while due <= min(now, end):
            asked[connection.ask()] = due
            due += next(waits)
        if now > end + GIVE_UP_S:
            break
        connection.flush()
        writing = [connection.socket] if connection.unsent else []
        pause = max(0.0, due - time.perf_counter()) if now < end else 1.0
        if not select.select([connection.socket], writing, [], pause)[0]:
            continue
        answered = time.perf_counter()
        for stream, right in connection.read():
            asked_for = asked.pop(stream)
            if not begin <= asked_for < end:
                continue
            if right:
                latencies.append(answered - asked_for)
                late += answered > end + SOON_S
            else:
                failed += 1
    lost = len(asked) + failed
    if not latencies:
        sys.exit(f"no request was answered, {lost} were refused or lost")
    ordered = sorted(latencies)
    p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    kept = 1 - (late + lost) / (len(ordered) + lost)
    return {"kept": kept, "p50_ms": p50, "p99_ms": p99, "failed": failed}


if __name__ == "__main__":
    port, path, file, arrivals, rate, answer_bytes, warm_up_s, seconds = sys.argv[1:]
    connection = Connection(int(port), path, Path(file).read_bytes(), int(answer_bytes))
    begin = time.perf_counter() + float(warm_up_s)
    print(
        json.dumps(
            measure(connection, gaps(arrivals, float(rate)), begin, begin + float(seconds)),
        )
    )
