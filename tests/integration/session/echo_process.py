"""A bare gRPC server that answers with a stored message: what one unary call costs without any of ours."""

import asyncio
import sys

import grpc
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

METHOD = ("tapelog.bench.v1.Echo", "AddNote")


async def _serve() -> None:
    answer = pb.Note(id="nt-1", text="louder, please", author="pia", version="x" * 120)

    async def handle(_request: wire.AddNoteRequest, _context: object) -> pb.Note:
        return answer

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=wire.AddNoteRequest.FromString, response_serializer=pb.Note.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(METHOD[0], {METHOD[1]: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())
