"""The protocol's protobuf messages in Triton's JSON: its field names, and 64-bit numbers as numbers."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_Json = dict[str, Any]


def to_json(message: Message) -> _Json:
    """A message's fields, those with their default value too; unset sub-messages are left out."""
    # protobuf's own json_format makes strings of 64-bit integers, which Triton does not.
    return {
        field.name: _value(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _value(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401  (a field may hold anything)
    if not field.is_repeated:
        return _single(field, value)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        return {str(key): _single(of_value, value[key]) for key in sorted(value)}
    return [_single(field, each) for each in value]


def _single(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401
    if field.message_type is not None:
        return to_json(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    return value
