r"""A billing system in small: usage events by webhook into a ledger of its own, and the proof that its total is right.

    TAPELOG_WEBHOOK_SECRET=whsec_… python subscriber.py serve --db ledger.sqlite --port 8090
    TAPELOG_TOKEN=… python subscriber.py prove --db ledger.sqlite --address 127.0.0.1:7002 --account prj-1 \
        --start 2026-01-01T00:00:00Z --end 2027-01-01T00:00:00Z

`serve` needs the standard library alone. `prove` needs grpcio and the generated protos; it ends with 1 on a difference.
"""

import argparse
import base64
import hmac
import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

TOLERANCE_S = 5 * 60
BODY_BYTES_MAX = 64 * 1024
SETTLED = "tapelog.usage_account.usage_settled.v1"
ADJUSTED = "tapelog.usage_account.usage_adjusted.v1"
SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS ledger (
    event_id TEXT PRIMARY KEY, account TEXT NOT NULL, song TEXT NOT NULL, job TEXT NOT NULL,
    kind TEXT NOT NULL, quantity_ms INTEGER NOT NULL, time TEXT NOT NULL
);
"""


def open_ledger(path: str) -> sqlite3.Connection:
    """Open the ledger; what is committed survives a killed process and a lost power supply."""
    ledger = sqlite3.connect(path)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("PRAGMA synchronous = FULL")
    ledger.executescript(SCHEMA)
    return ledger


def book(ledger: sqlite3.Connection, event: Mapping[str, Any]) -> bool:
    """Book an event once: its id and its line are written together, or neither is."""
    with ledger:
        if not ledger.execute("INSERT OR IGNORE INTO seen VALUES (?)", (event["id"],)).rowcount:
            return False
        if event["type"] in {SETTLED, ADJUSTED}:
            data = event["data"]
            entry = data["entry"]
            # 64-bit numbers are text in protobuf's JSON; a zero is left out.
            quantity = entry.get("quantity_ms", 0) if event["type"] == SETTLED else data["adjustment_ms"]
            line = (event["id"], entry["account"], entry["song"], entry["job"], entry["kind"], int(quantity))
            ledger.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)", (*line, event["time"]))
    return True


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> bool:
    """Verify a signature by Standard Webhooks 1.0.0; while a secret is replaced there are two, and one must fit."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, "sha256")
    expected = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(item, expected) for item in headers.get("webhook-signature", "").split())


class Hook(BaseHTTPRequestHandler):
    """Answers one delivery: 204 once it is booked, 401 where it is not genuine."""

    secret = ""
    ledger: sqlite3.Connection
    timeout = 10

    def do_POST(self) -> None:
        """Verify, book, and only then accept."""
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length <= BODY_BYTES_MAX else b""
        if not is_genuine(self.secret, self.headers, body, now_s=time.time()):
            self.send_error(401)
            return
        event = json.loads(body)
        if book(self.ledger, event):
            print(event["id"], event["type"], flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep standard output for what is booked."""


def serve(asked: argparse.Namespace) -> int:
    """Take webhooks until interrupted."""
    Hook.secret = os.environ.get("TAPELOG_WEBHOOK_SECRET", "")
    if not Hook.secret.startswith("whsec_"):
        print("set TAPELOG_WEBHOOK_SECRET to the secret that CreateSubscription showed", file=sys.stderr)
        return 2
    Hook.ledger = open_ledger(asked.db)
    server = HTTPServer(("127.0.0.1", asked.port), Hook)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


def prove(asked: argparse.Namespace) -> int:
    """Compare the ledger with Tapelog's statement, event by event."""
    import grpc
    from tapelog.render.v1 import render_service_pb2 as pb
    from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub

    period = (datetime.fromisoformat(asked.start), datetime.fromisoformat(asked.end))
    rows = open_ledger(asked.db).execute(
        "SELECT event_id, quantity_ms, time FROM ledger WHERE account = ?", (asked.account,)
    )
    ours = {
        event_id: quantity_ms
        for event_id, quantity_ms, text in rows
        if period[0] <= datetime.fromisoformat(text).astimezone(UTC) < period[1]
    }
    request = pb.GetStatementRequest(account=asked.account)
    request.start_time.FromDatetime(period[0])
    request.end_time.FromDatetime(period[1])
    metadata = [("authorization", f"Bearer {os.environ['TAPELOG_TOKEN']}")]
    theirs: dict[str, int] = {}
    with grpc.insecure_channel(asked.address) as channel:
        stub = RenderServiceStub(channel)
        while True:
            statement = stub.GetStatement(request, metadata=metadata)
            theirs |= {line.event_ids[-1]: line.quantity_ms for line in statement.lines}
            request.page_token = statement.next_page_token
            if not request.page_token:
                break
    missing, extra = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
    wrong = [event_id for event_id in ours.keys() & theirs.keys() if ours[event_id] != theirs[event_id]]
    is_equal = ours == theirs and sum(ours.values()) == statement.totals.billed_ms
    print(json.dumps({
        "equal": is_equal, "lines": len(ours), "ledger_ms": sum(ours.values()),
        "statement_ms": statement.totals.billed_ms, "missing": sorted(missing), "extra": sorted(extra),
        "wrong": sorted(wrong),
    }))  # fmt: skip
    return 0 if is_equal else 1


def main() -> int:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve", help="take webhooks into the ledger")
    serving.add_argument("--db", required=True)
    serving.add_argument("--port", type=int, default=8090, help="port on 127.0.0.1; 0 takes a free one")
    serving.set_defaults(run=serve)
    proving = commands.add_parser("prove", help="compare the ledger with a statement")
    for name in ("db", "address", "account", "start", "end"):
        proving.add_argument(f"--{name}", required=True)
    proving.set_defaults(run=prove)
    asked = parser.parse_args()
    return int(asked.run(asked))


if __name__ == "__main__":
    sys.exit(main())
