"""A studio that makes usage, and a billing system that books it: what scenarios about billing share."""

import json
import socket
from datetime import UTC, datetime
from typing import Final

from tapelog.render.v1 import events_pb2 as usage
from tapelog.render.v1 import resources_pb2 as render_res
from tapelog_chassis.event_log import AggregateId, EventLog
from tapelog_notify.testing import TENANT, Recorder
from tapelog_notify.testing_hostile import HostileEndpoint, Request
from tapelog_render.application.events import REGISTRY
from tapelog_render.domain.statement import Period, statement_of

ACCOUNT: Final = "prj-1"
ALERTS: Final = ("tapelog.render_job.render_failed.v1", "tapelog.song.stage_sent_back.v1")


class Ledger:
    """What happens in the studio: usage is reserved and settled, renders fail, songs are sent back."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.usage_ids: list[str] = []
        self.alert_ids: list[str] = []
        self._jobs = 0

    async def bill(self, count: int) -> None:
        """Append this many usage events, two a job, in the account's order."""
        for _ in range(count // 2):
            self._jobs += 1
            entry = render_res.UsageEntry(
                account=ACCOUNT, song="sng-1", job=f"job-{self._jobs}", quantity_ms=1000 + self._jobs, reserved_ms=2000
            )
            for message in (usage.UsageReserved(entry=entry), usage.UsageSettled(entry=entry)):
                word = type(message).__name__.removeprefix("Usage").lower()
                (stored,) = await self._recorder.append(
                    ACCOUNT,
                    context="usage",
                    type_=f"tapelog.usage_account.usage_{word}.v1",
                    schema=message.DESCRIPTOR.full_name,
                    data=message.SerializeToString(),
                )
                self.usage_ids.append(stored.event_id)

    async def alert(self) -> None:
        """Let a render fail and a song be sent back."""
        for context, type_, schema in (
            ("render", ALERTS[0], "tapelog.render.v1.RenderFailed"),
            ("session", ALERTS[1], "tapelog.session.v1.StageSentBack"),
        ):
            (stored,) = await self._recorder.append(f"{context}-1", context=context, type_=type_, schema=schema)
            self.alert_ids.append(stored.event_id)


class Invoice:
    """What the billing system makes of its requests: booked once by id, in the order of arrival."""

    def __init__(self) -> None:
        self.booked: dict[str, int] = {}
        self.requests: list[Request] = []

    def book(self, endpoint: HostileEndpoint) -> None:
        """Take over what an endpoint accepted."""
        self.requests += endpoint.requests
        for request in endpoint.requests:
            told = json.loads(request.body)
            if 200 <= request.behaviour.status < 300 and request.behaviour.manner == "answer":
                settled = told["type"].endswith("usage_settled.v1")
                quantity_ms = int(told["data"]["entry"]["quantity_ms"]) if settled else 0
                self.booked.setdefault(told["id"], quantity_ms)


async def total_of(log: EventLog) -> int:
    """Return what the ledger itself says is to be paid."""
    stored = await log.load(AggregateId("usage", TENANT, ACCOUNT))
    whole = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC))
    return statement_of(((event, REGISTRY.decode(event)) for event in stored), whole).totals.billed_ms


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
