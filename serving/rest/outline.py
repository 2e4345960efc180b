"""The outline of a request in JSON, looked at before anything is made of it.

A client's quarter of a million inputs, or its million parameters, would hold up all others for seconds while
they become objects, only to be refused for their number.
"""

import msgspec

from serving.errors import InvalidRequest
from serving.protocol import MAX_NAMED
from serving.rest.json_codec import decode_json

# Of a request's JSON without the inputs' `data`; smaller ones are as soon read as looked at.
MAX_OUTLINE_BYTES = 256 * 1024


class _Input(msgspec.Struct):
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


# As many places as inputs may come. msgspec refuses a longer array at once, a list's only when it is made.
_Inputs = msgspec.defstruct(
    "_Inputs",
    [(f"input{place}", _Input | msgspec.UnsetType, msgspec.UNSET) for place in range(MAX_NAMED)],
    array_like=True,
    forbid_unknown_fields=True,
)


class _Outline(msgspec.Struct):
    inputs: _Inputs  # type: ignore[valid-type]  # made above


_DECODER = msgspec.json.Decoder(_Outline)


def check_outline(head: memoryview) -> None:
    """Refuse a request that names too much.

    Args:
        head: its JSON.

    Raises:
        InvalidRequest: it has too many inputs, or too much beside their values; or it is no such request.
    """
    if len(head) <= MAX_OUTLINE_BYTES:
        return
    values = 0
    for each in msgspec.structs.astuple(decode_json(head, _DECODER, "the request").inputs):
        if each is msgspec.UNSET:
            break
        values += len(memoryview(each.data))
    if len(head) - values > MAX_OUTLINE_BYTES:
        raise InvalidRequest(
            f"the request has {len(head) - values} bytes of JSON beside its data, "
            f"expected at most {MAX_OUTLINE_BYTES}: name less"
        )
