"""Generates docs/reference from the protos: one page per package, with the comments as the text.

Without a flag it writes the pages. ``--check`` fails if the committed pages are not what the protos give.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gen_protos import ROOT, include_flags, proto_files
from generated_files import write_or_check
from google.protobuf import descriptor_pb2

TARGET = ROOT / "docs" / "reference"
PACKAGES = ("common", "session", "render", "notify")

SCALARS = {
    number: name.removeprefix("TYPE_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}
# Where the parts of a file stand in its descriptor: the path of a comment begins with these field numbers.
MESSAGE, ENUM, SERVICE = 4, 5, 6
FIELD, METHOD, VALUE = 2, 2, 2

Comments = dict[tuple[int, ...], str]


def descriptors() -> descriptor_pb2.FileDescriptorSet:
    """Compile every proto, with comments."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", *include_flags(), f"--descriptor_set_out={image}"]
        subprocess.run([*command, "--include_source_info", *proto_files()], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())


def comments_of(file: descriptor_pb2.FileDescriptorProto) -> Comments:
    """Return the comment before each element, by its path."""
    return {
        tuple(location.path): " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
        if location.leading_comments
    }


def type_name(field: descriptor_pb2.FieldDescriptorProto) -> str:
    """Return a field's type as a reader of protos writes it."""
    name = field.type_name.removeprefix(".").removeprefix("tapelog.") or SCALARS[field.type]
    repeated = field.label == descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    return f"repeated {name}" if repeated else name


def cell(text: str) -> str:
    """Escape a table cell."""
    return re.sub(r"\|", r"\\|", text)


def service_lines(service: descriptor_pb2.ServiceDescriptorProto, index: int, comments: Comments) -> Iterator[str]:
    """Yield a service: its guarantees, then its methods."""
    yield f"## {service.name}\n"
    yield comments.get((SERVICE, index), "") + "\n"
    for number, method in enumerate(service.method):
        asked = method.input_type.rsplit(".", 1)[1]
        answered = method.output_type.rsplit(".", 1)[1]
        asked = f"stream {asked}" if method.client_streaming else asked
        answered = f"stream {answered}" if method.server_streaming else answered
        yield f"### {method.name}\n"
        yield f"`{asked}` -> `{answered}`\n"
        yield comments.get((SERVICE, index, METHOD, number), "") + "\n"


def message_lines(message: descriptor_pb2.DescriptorProto, index: int, comments: Comments) -> Iterator[str]:
    """Yield a message and its fields."""
    yield f"### {message.name}\n"
    yield comments.get((MESSAGE, index), "") + "\n"
    if not message.field:
        return
    yield "| field | type | meaning |\n| --- | --- | --- |"
    for number, field in enumerate(message.field):
        meaning = cell(comments.get((MESSAGE, index, FIELD, number), ""))
        yield f"| `{field.name}` | `{type_name(field)}` | {meaning} |"
    yield ""


def enum_lines(enum: descriptor_pb2.EnumDescriptorProto, index: int, comments: Comments) -> Iterator[str]:
    """Yield an enum and its values."""
    yield f"### {enum.name}\n"
    yield comments.get((ENUM, index), "") + "\n"
    yield "| value | number | meaning |\n| --- | --- | --- |"
    for number, value in enumerate(enum.value):
        yield f"| `{value.name}` | {value.number} | {cell(comments.get((ENUM, index, VALUE, number), ''))} |"
    yield ""


def page(package: str, files: list[descriptor_pb2.FileDescriptorProto]) -> str:
    """Return the page of one package: services first, then events, then everything they speak of."""
    services: list[str] = []
    events: list[str] = []
    types: list[str] = []
    for file in files:
        comments = comments_of(file)
        messages = events if file.name.endswith("/events.proto") else types
        for index, service in enumerate(file.service):
            services += service_lines(service, index, comments)
        for index, message in enumerate(file.message_type):
            messages += message_lines(message, index, comments)
        for index, enum in enumerate(file.enum_type):
            types += enum_lines(enum, index, comments)
    lines = [f"# tapelog.{package}.v1\n", "Generated from the protos by `make reference`.\n", *services]
    if events:
        lines += ["## Events\n", *events]
    lines += ["## Messages\n", *types]
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    files = descriptors().file
    return {
        f"{package}.md": page(package, [file for file in files if file.package == f"tapelog.{package}.v1"])
        for package in PACKAGES
    }


def main() -> int:
    """Write the pages, or compare them."""
    return write_or_check({TARGET / name: text for name, text in pages().items()}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
