"""Offer a service load from a process of its own: `python offer.py '{"address": …}'` prints what came of it as JSON.

With `rate` calls begin at that rate, whatever becomes of those before (an open loop, as many people make it); with
`at_once` so many are always under way.
"""

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.auth import LocalIssuer

REFUSED_STREAM = "RST_STREAM with error code 7"
"""How the transport refuses a call that is one too many on its connection: the service has not seen it."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
"""Otherwise channels to one address share a connection."""


@dataclass(kw_only=True)
class Offer:
    """What is offered."""

    address: str
    issuer_dir: str
    party: str
    songs: list[str]
    seconds: float
    rate: float = 0.0
    at_once: int = 0
    call_s: float = 10.0
    connections: int = 8
    codes: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    good: int = 0

    async def run(self) -> dict[str, object]:
        """Offer it."""
        issuer = LocalIssuer.open(Path(self.issuer_dir))
        token = issuer.mint(audiences=["session"], tenant="local", party=self.party, kind="person")
        self._metadata = (("authorization", f"Bearer {token}"),)
        channels = [grpc.aio.insecure_channel(self.address, options=OWN_CONNECTION) for _ in range(self.connections)]
        self._stubs = [SessionServiceStub(channel) for channel in channels]
        self._end_s = time.monotonic() + self.seconds
        async with asyncio.TaskGroup() as group:
            if self.at_once:
                for number in range(self.at_once):
                    group.create_task(self._keep_asking(number))
            else:
                await self._begin_at_a_rate(group)
        for channel in channels:
            await channel.close()
        self.latencies_s.sort()
        return {
            "good_per_s": self.good / self.seconds,
            "offered_per_s": sum(self.codes.values()) / self.seconds,
            "codes": self.codes,
            "reasons": self.reasons,
            "p99_s": self.latencies_s[int(0.99 * (len(self.latencies_s) - 1))] if self.latencies_s else 0.0,
        }

    async def _begin_at_a_rate(self, group: asyncio.TaskGroup) -> None:
        begun_s, begun = time.monotonic(), 0
        while (now_s := time.monotonic()) < self._end_s:
            while begun < (now_s - begun_s) * self.rate:
                group.create_task(self._ask(begun))
                begun += 1
            await asyncio.sleep(0.005)

    async def _keep_asking(self, number: int) -> None:
        while time.monotonic() < self._end_s:
            await self._ask(number)
            number += self.at_once

    async def _ask(self, number: int) -> None:
        request = rpc.AddNoteRequest(
            song=self.songs[number % len(self.songs)],
            text="an offer",
            severity=res.NOTE_SEVERITY_SHOULD,
            request_id=str(uuid.uuid4()),
        )
        begun_s = time.monotonic()
        try:
            await self._stubs[number % self.connections].AddNote(request, timeout=self.call_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as failure:
            code, details = failure.code().name, str(failure.details())
            if REFUSED_STREAM in details:
                code = "REFUSED_STREAM"
            self.codes[code] += 1
            self.reasons.setdefault(code, details[:200])
            return
        self.codes["OK"] += 1
        ended_s = time.monotonic()
        self.latencies_s.append(ended_s - begun_s)
        self.good += ended_s <= self._end_s


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(Offer(**json.loads(sys.argv[1])).run())))
