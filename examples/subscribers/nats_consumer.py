"""An in-house tool that reads its own NATS consumer, with nothing of Tapelog but the generated protos.

    python nats_consumer.py --url nats://127.0.0.1:4222 --creds tool.creds --inbox _INBOX_sub-… --consumer sub-…

URL, credentials, inbox prefix and consumer are in the answer of CreateSubscription; the credentials open this consumer
and nothing else.
"""

import argparse
import asyncio
import sys

import nats
import nats.errors
from google.protobuf import json_format, symbol_database

# Imported so that the events' messages can be found by the name in `ce-dataschema`.
from tapelog.notify.v1 import events_pb2 as _notify  # noqa: F401
from tapelog.render.v1 import events_pb2 as _render  # noqa: F401
from tapelog.session.v1 import events_pb2 as _session  # noqa: F401

STREAM = "PUB"
BATCH = 10
WAIT_S = 5.0


async def read(url: str, creds: str, inbox: str, consumer: str, count: int) -> None:
    """Print `count` events, each acknowledged after it was handled."""
    connection = await nats.connect(url, user_credentials=creds, inbox_prefix=inbox)
    try:
        subscription = await connection.jetstream().pull_subscribe_bind(consumer, stream=STREAM)
        while count > 0:
            try:
                messages = await subscription.fetch(min(BATCH, count), timeout=WAIT_S)
            except nats.errors.TimeoutError:
                continue  # nothing new
            for message in messages:
                headers = message.headers or {}
                schema = headers["ce-dataschema"].removeprefix("proto:")
                event = symbol_database.Default().GetSymbol(schema).FromString(message.data)
                data = json_format.MessageToJson(event, indent=None, preserving_proto_field_name=True)
                print(headers["ce-id"], headers["ce-type"], headers.get("tl-song", "-"), data, flush=True)
                await message.ack()
                count -= 1
    finally:
        await connection.close()


def main() -> int:
    """Parse the options and read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("url", "creds", "inbox", "consumer"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--count", type=int, default=10, help="events to read before it ends")
    asked = parser.parse_args()
    asyncio.run(read(asked.url, asked.creds, asked.inbox, asked.consumer, asked.count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
