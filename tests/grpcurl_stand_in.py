"""Stands in for grpcurl where it is not installed, so that the shell examples are run against the real service.

It takes the options that the examples use, compiles the protos they name, calls the service over gRPC, and prints
answers in the canonical JSON mapping of protobuf, as grpcurl does: two spaces of indent, default values left out.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import grpc
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

FAILED_BASE = 64
"""grpcurl ends with this plus the status code of a refused call."""


def _pool(import_paths: list[str], protos: list[str]) -> descriptor_pool.DescriptorPool:
    """Return what the named files and their imports declare."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "protos.binpb"
        roots = [f"-I{path}" for path in (*import_paths, str(Path(grpc_tools.__file__).parent / "_proto"))]
        if protoc.main(["protoc", *roots, "--include_imports", f"--descriptor_set_out={made}", *protos]) != 0:
            raise SystemExit(1)
        files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def main() -> int:
    """Make one call."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-import-path", action="append", default=[])
    parser.add_argument("-proto", action="append", default=[])
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", default="{}")
    parser.add_argument("address")
    parser.add_argument("method")
    asked = parser.parse_args()
    pool = _pool(asked.import_path, asked.proto)
    service_name, _, method_name = asked.method.partition("/")
    method = pool.FindServiceByName(service_name).methods_by_name[method_name]
    request = json_format.Parse(asked.d, message_factory.GetMessageClass(method.input_type)(), descriptor_pool=pool)
    metadata = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in asked.H)]
    with grpc.insecure_channel(asked.address) as channel:
        call = channel.unary_stream(
            f"/{service_name}/{method_name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        try:
            for answer in call(request, metadata=metadata):
                sys.stdout.write(json_format.MessageToJson(answer, descriptor_pool=pool, ensure_ascii=False) + "\n")
                sys.stdout.flush()
        except grpc.RpcError as error:
            status = error.code()
            sys.stderr.write(f"ERROR:\n  Code: {status.name}\n  Message: {error.details()}\n")
            return FAILED_BASE + int(status.value[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
