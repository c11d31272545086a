"""A sample of every protobuf message: made from its descriptor, the same on every run."""

from typing import Any, Final

from google.protobuf import json_format, symbol_database
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog.common.v1 import event_pb2 as _common  # noqa: F401 - imported so that its messages can be found by name
from tapelog.notify.v1 import events_pb2 as _notify  # noqa: F401 - the same
from tapelog.render.v1 import events_pb2 as _render  # noqa: F401 - the same
from tapelog.session.v1 import events_pb2 as _session  # noqa: F401 - the same

DEPTH_MAX: Final = 2
"""How deep a sample goes: deep enough to show a form, and no whole recipe in a table."""
NEVER: Final = frozenset({"secret"})
"""Fields that no event ever carries."""
TIME: Final = "2026-05-01T12:00:00Z"
_BY_NAME: Final = {
    "project": "prj-01jx3n8q5t6v7w8x9y0z1a2b3c", "song": "sng-01jx3n8q5t6v7w8x9y0z1a2b3c", "account": "prj-1",
    "job": "job-01jx3n8q5t6v7w8x9y0z1a2b3c", "render_job": "job-01jx3n8q5t6v7w8x9y0z1a2b3c", "party": "pty-ana",
    "created_by": "pty-ana", "worker": "wrk-1", "sha256": "9f86d081884c7d65", "sample_digest": "2c26b46b68ffc68f",
    "recipe_digest": "5e884898da280471", "usage_key": "6b86b273ff34fce1", "reason": "SOURCE_TRUNCATED",
    "rule": "alertRules/alr-1", "title": "A title", "media_type": "audio/wav",
}  # fmt: skip


def message_class(full_name: str) -> type[Message]:
    """Return a message's class by its full name; its module must have been imported."""
    found: type[Message] = symbol_database.Default().GetSymbol(full_name)
    return found


def sample(full_name: str) -> dict[str, Any]:
    """Return a sample in protobuf's JSON form, with the field names of the protos."""
    message = message_class(full_name)()
    _fill(message, 0)
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def _fill(message: Message, depth: int) -> None:
    chosen: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None:
            if oneof.name in chosen:
                continue
            chosen.add(oneof.name)
        if is_map(field) or field.name in NEVER:
            continue
        if field.message_type is not None:
            _fill_message(message, field, depth)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(field))
        else:
            setattr(message, field.name, _value(field))


def _fill_message(message: Message, field: Any, depth: int) -> None:
    kind = field.message_type.full_name
    if kind.startswith("google.protobuf.") and kind not in {"google.protobuf.Timestamp", "google.protobuf.Duration"}:
        return
    if depth >= DEPTH_MAX and not kind.startswith("google.protobuf."):
        return
    part = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
    if kind == "google.protobuf.Timestamp":
        part.FromJsonString(TIME)
    elif kind == "google.protobuf.Duration":
        part.FromJsonString("3600s")
    else:
        part.SetInParent()
        _fill(part, depth + 1)


def _value(field: Any) -> Any:
    if field.enum_type is not None:
        numbers = [value.number for value in field.enum_type.values]
        return next((number for number in numbers if number), 0)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = _BY_NAME.get(field.name, field.name.replace("_", " "))
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return -1.5
    return 180_000 if field.name.endswith("_ms") else 1


def is_map(field: Any) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def schema_key(full_name: str) -> str:
    """Return the key of a message's schema: tools differ in whether one may have dots."""
    return full_name.replace(".", "_")


def json_schema(descriptor: Any) -> dict[str, Any]:
    """Return the JSON schema of a message's JSON form; other messages are referred to by name."""
    properties = {field.name: _field_schema(field) for field in descriptor.fields}
    return {"type": "object", "properties": properties} if properties else {"type": "object"}


def referred(descriptor: Any) -> set[str]:
    """Return the messages that a message has as fields, those of Google left out."""
    found = set()
    for field in descriptor.fields:
        value = field.message_type.fields_by_name["value"] if is_map(field) else field
        if value.message_type is not None and not value.message_type.full_name.startswith("google."):
            found.add(value.message_type.full_name)
    return found


def _field_schema(field: Any) -> dict[str, Any]:
    if is_map(field):
        value = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _one(value)}
    return {"type": "array", "items": _one(field)} if field.is_repeated else _one(field)


def _one(field: Any) -> dict[str, Any]:
    if field.message_type is not None:
        name = field.message_type.full_name
        if name == "google.protobuf.Timestamp":
            return {"type": "string", "format": "date-time"}
        if name == "google.protobuf.Duration":
            return {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"}
        return (
            {"type": "object"} if name.startswith("google.") else {"$ref": f"#/components/schemas/{schema_key(name)}"}
        )
    if field.enum_type is not None:
        # New values may be added, so that the list is what is known now.
        return {"type": "string", "examples": [value.name for value in field.enum_type.values[1:4]]}
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return {"type": "number"}
        case FieldDescriptor.CPPTYPE_INT64 | FieldDescriptor.CPPTYPE_UINT64:
            return {"type": "string", "pattern": "^-?[0-9]+$"}
        case FieldDescriptor.CPPTYPE_INT32 | FieldDescriptor.CPPTYPE_UINT32:
            return {"type": "integer"}
    return {"type": "string"}
