"""A webhook receiver with nothing but the standard library: verifies, deduplicates, answers fast.

    TAPELOG_WEBHOOK_SECRET=whsec_… python webhook_receiver.py --port 8099

Verification follows Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, and a timestamp of the last minutes.
Each accepted event is printed as one line of JSON.
"""

import argparse
import base64
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 5 * 60
"""Older requests may be recorded ones that somebody sends again; newer ones come from a wrong clock."""
BODY_BYTES_MAX = 64 * 1024


class NotGenuineError(Exception):
    """The request was not made by the holder of the secret just now."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> str:
    """Return the id of a genuine event; raise `NotGenuineError` for anything else."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event_id or not timestamp.isdigit():
        raise NotGenuineError("webhook-id or webhook-timestamp is missing")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise NotGenuineError(f"the timestamp {timestamp} is more than {TOLERANCE_S} s away from now")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, "sha256")).decode()
    # There are several signatures while a secret is being replaced; one that fits is enough.
    for item in headers.get("webhook-signature", "").split():
        version, _, signature = item.partition(",")
        if version == "v1" and hmac.compare_digest(signature, expected):
            return event_id
    raise NotGenuineError("no signature fits")


class Receiver(BaseHTTPRequestHandler):
    """Answers one request: 204 for a genuine event, 401 for anything else."""

    secret = ""
    # Deliveries repeat after a timeout or a restart. A real receiver keeps the ids in its database, written in the same
    # transaction as what the event leads to.
    seen: dict[str, bool] = {}  # noqa: RUF012 - one memory for all requests is what is wanted
    timeout = 10

    def do_POST(self) -> None:
        """Take one delivery."""
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_BYTES_MAX:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        try:
            event_id = verify(self.secret, self.headers, body, now_s=time.time())
        except NotGenuineError as error:
            self.send_error(401, str(error))
            return
        if event_id not in self.seen:
            self.seen[event_id] = True
            event = json.loads(body)
            print(json.dumps({"id": event["id"], "type": event["type"], "position": event["position"]}), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep standard output for events."""


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8099, help="port on 127.0.0.1; 0 takes a free one")
    asked = parser.parse_args()
    Receiver.secret = os.environ.get("TAPELOG_WEBHOOK_SECRET", "")
    if not Receiver.secret.startswith("whsec_"):
        print("set TAPELOG_WEBHOOK_SECRET to the secret that CreateSubscription showed", file=sys.stderr)
        return 2
    server = ThreadingHTTPServer(("127.0.0.1", asked.port), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
