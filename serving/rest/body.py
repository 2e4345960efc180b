"""Bodies on their way in and out: counted, timed and compressed."""

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serving.errors import InvalidRequest, QueueFull, quoted
from serving.rest.errors import TooLarge, TooSlow, UnsupportedEncoding

# A body has ten seconds, and one more for each 16 KiB of it: slow networks do, whoever dribbles does not.
BODY_SECONDS = 10.0
BODY_BYTES_A_SECOND = 16 * 1024

# Bodies of so many times the largest may be on their way in at once.
BODIES_AT_ONCE = 16

# zlib's window sizes, plus 16 for gzip's framing; HTTP's deflate is zlib's.
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

COMPRESSED_FROM = 1024
_LEVEL = 1  # tensors hardly shrink further for three times the work


class BodyReader:
    """Reads bodies, and knows how much all that are on their way hold."""

    def __init__(self, max_bytes: int) -> None:
        """Set the limits.

        Args:
            max_bytes: of one body, as it comes and decompressed.
        """
        self._max_bytes = max_bytes
        self._held = 0

    async def read(self, request: Request, *, max_bytes: int | None = None) -> tuple[bytearray, int]:
        """Read a request's body.

        Returns:
            The body, decompressed, and the number of bytes that came.

        Raises:
            TooLarge: it is over the limit.
            TooSlow: it does not come.
            QueueFull: too much is on its way already.
            UnsupportedEncoding: it is compressed in an unknown way.
            InvalidRequest: it is not what its encoding says.
            asyncio.CancelledError: the client is gone.
        """
        limit = min(max_bytes or self._max_bytes, self._max_bytes)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity" and encoding not in _WINDOWS:
            raise UnsupportedEncoding(f"the content encoding is {quoted(encoding)}, expected gzip or deflate")
        # h11 has made sure that it is a number.
        if int(request.headers.get("content-length", "0")) > limit:
            raise _too_large(limit)
        body = await self._receive(request, limit)
        size = len(body)
        if size and encoding != "identity":
            body = await asyncio.to_thread(_decompressed, body, _WINDOWS[encoding], limit)
        return body, size

    async def _receive(self, request: Request, limit: int) -> bytearray:
        body = bytearray()
        deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline) as timeout:
                async for chunk in request.stream():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > limit:
                        raise _too_large(limit)
                    if self._held > BODIES_AT_ONCE * self._max_bytes:
                        raise QueueFull("too many bodies are on their way: try again in a moment")
                    timeout.reschedule(deadline + len(body) / BODY_BYTES_A_SECOND)
        except ClientDisconnect as error:
            raise asyncio.CancelledError from error
        except TimeoutError as error:
            raise TooSlow("the body came too slowly: send it at once") from error
        finally:
            self._held -= len(body)
        return body


async def compressed(response: Response, accepted: str) -> Response:
    """Compress an answer if whoever asked takes it so.

    Args:
        response: with its whole body.
        accepted: the request's `Accept-Encoding`.
    """
    encoding = _chosen(accepted)
    if encoding is None or len(response.body) < COMPRESSED_FROM:
        return response
    content = await asyncio.to_thread(_compressed, bytes(response.body), _WINDOWS[encoding])
    response.body = content
    response.headers["Content-Length"] = str(len(content))
    response.headers["Content-Encoding"] = encoding
    return response


def _chosen(accepted: str) -> str | None:
    qualities: dict[str, float] = {}
    for item in accepted.lower().split(",")[:16]:
        name, _, quality = item.partition(";")
        try:
            qualities[name.strip()] = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
    best = max(("gzip", "deflate"), key=lambda name: qualities.get(name, 0.0))
    return best if qualities.get(best, 0.0) > 0 else None


def _compressed(content: bytes, window: int) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, window)
    return packer.compress(content) + packer.flush()


def _decompressed(content: bytearray, window: int, limit: int) -> bytearray:
    unpacker = zlib.decompressobj(window)
    try:
        body = bytearray(unpacker.decompress(content, limit + 1))
    except zlib.error as error:
        raise InvalidRequest(f"the body cannot be decompressed: {error}") from error
    if len(body) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise InvalidRequest("the body is not one whole compressed stream: send it again")
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes: split the request")
