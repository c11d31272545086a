r"""Follows events over gRPC and survives every break: the position last seen is all there is to remember.

TAPELOG_TOKEN="$(tapelog token pty-tool --tenant-role AUDITOR)" \
    python grpc_follow.py --address 127.0.0.1:7103 --type 'tapelog.song.stage_*' --after 0 --count 10
"""

import argparse
import os
import sys
import time

import grpc
from tapelog.notify.v1 import notify_service_pb2, notify_service_pb2_grpc

PAUSE_S = 0.5
"""Before a stream that ended is opened again."""


def follow(address: str, token: str, types: list[str], position: int, count: int) -> None:
    """Print `count` events behind a position."""
    with grpc.insecure_channel(address) as channel:
        stub = notify_service_pb2_grpc.NotifyServiceStub(channel)
        while count > 0:
            request = notify_service_pb2.SubscribeRequest()
            request.filter.types.extend(types)
            request.start.after_position = position
            try:
                for response in stub.Subscribe(request, metadata=[("authorization", f"Bearer {token}")]):
                    if response.HasField("heartbeat"):
                        position = response.heartbeat.position
                        continue
                    event = response.event
                    position = event.position
                    print(event.id, event.type, event.song or "-", event.position, flush=True)
                    count -= 1
                    if count == 0:
                        return
            except grpc.RpcError as error:
                if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}:
                    raise
                time.sleep(PAUSE_S)


def main() -> int:
    """Parse the options and follow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True)
    parser.add_argument("--type", action="append", default=[], help="type or prefix with *, may be repeated")
    parser.add_argument("--after", type=int, default=0, help="position last seen; 0 begins with the first event")
    parser.add_argument("--count", type=int, default=10, help="events to read before it ends")
    asked = parser.parse_args()
    follow(asked.address, os.environ["TAPELOG_TOKEN"], asked.type, asked.after, asked.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
