"""Statements from the ledger, corrections, and a billing system of its own that comes to the same total."""

import asyncio
import json
import os
import re
import sqlite3
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from tapelog.render.v1.events_pb2 import UsageAdjusted, UsageSettled
from tapelog.render.v1.render_service_pb2 import AdjustUsageRequest, GetStatementRequest
from tapelog.render.v1.resources_pb2 import RenderKind, Statement, StatementLineKind, UsageEntry
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.event_log import AggregateId, Metadata
from tapelog_chassis.testing import eventually
from tapelog_notify.testing import running_notify, settings_for
from tapelog_render.application.events import REGISTRY, Repositories
from tapelog_render.domain import usage

from .conftest import StudioFactory
from .material import PROJECT
from .studio import TENANT, Studio

SUBSCRIBER = Path(__file__).parents[3] / "examples" / "billing" / "subscriber.py"
YEAR = timedelta(days=365)


async def settle(studio: Studio, job: str, quantity_ms: int, *, song: str = "sng-1") -> None:
    """Reserve and settle in the account, as the ledger does when a render succeeds."""
    accounts = Repositories.on(studio.log()).accounts
    account = AggregateId("usage", TENANT, PROJECT)
    entry = UsageEntry(
        usage_key=usage.usage_key(
            account=PROJECT, song=song, recipe_digest=job, kind=RenderKind.RENDER_KIND_MIX, cycle=1
        ),
        account=PROJECT,
        song=song,
        kind=RenderKind.RENDER_KIND_MIX,
        job=job,
        reserved_ms=quantity_ms + 5,
        cycle=1,
    )
    metadata = Metadata(actor="svc-render", project=PROJECT, song=song)
    for decide in (
        lambda state: usage.reserve(state, [entry]),
        lambda state: usage.settle(state, job=job, quantity_ms=quantity_ms),
    ):
        await accounts.execute(account, decide, request_id=str(uuid.uuid4()), request_hash="", metadata=metadata)


def period(start: datetime, end: datetime, **more: object) -> GetStatementRequest:
    """Ask for a statement."""
    request = GetStatementRequest(account=PROJECT, **more)  # type: ignore[arg-type]
    request.start_time.FromDatetime(start)
    request.end_time.FromDatetime(end)
    return request


async def statement(studio: Studio, start: datetime, end: datetime) -> Statement:
    """Read a statement as a billing reader."""
    caller = studio.caller("pty-bill", kind="person", roles=["BILLING_READER"])
    found: Statement = await studio.stub.GetStatement(period(start, end), metadata=caller)
    return found


async def adjust(studio: Studio, job: str, ms: int, *, roles: tuple[str, ...] = ("ADMIN",), request_id: str = ""):
    """Correct what is billed for a job."""
    request = AdjustUsageRequest(
        account=PROJECT,
        job=job,
        adjustment_ms=ms,
        reason="rendered twice by mistake",
        request_id=request_id or str(uuid.uuid4()),
    )
    return await studio.stub.AdjustUsage(request, metadata=studio.caller("pty-admin", kind="person", roles=roles))


async def test_a_statement_has_lines_adjustments_and_the_events_behind_them(open_studio: StudioFactory) -> None:
    """Sums are those of the events; periods side by side share nothing; a correction falls into its own period."""
    async with open_studio(spawn_workers=False) as studio:
        now = datetime.now(UTC)
        for number in range(5):
            await settle(studio, f"job-{number}", 1000 * (number + 1))
        between = datetime.now(UTC)
        request_id = str(uuid.uuid4())
        line = await adjust(studio, "job-2", -500, request_id=request_id)
        assert await adjust(studio, "job-2", -500, request_id=request_id) == line
        await settle(studio, "job-5", 6000)
        whole = await statement(studio, now - YEAR, now + YEAR)
        first = await statement(studio, now - YEAR, between)
        second = await statement(studio, between, now + YEAR)
        stored = await studio.log().load(AggregateId("usage", TENANT, PROJECT))
        sums = {
            UsageSettled: sum(e.entry.quantity_ms for e in map(REGISTRY.decode, stored) if isinstance(e, UsageSettled)),
            UsageAdjusted: sum(e.adjustment_ms for e in map(REGISTRY.decode, stored) if isinstance(e, UsageAdjusted)),
        }
        totals = whole.totals
        assert (totals.settled_ms, totals.adjusted_ms) == (sums[UsageSettled], sums[UsageAdjusted]) == (21_000, -500)
        assert (totals.billed_ms, totals.lines, totals.open_ms, whole.is_final) == (20_500, 7, 0, False)
        assert [*first.lines, *second.lines] == list(whole.lines)
        assert [item.kind for item in second.lines] == [
            StatementLineKind.STATEMENT_LINE_KIND_ADJUSTMENT,
            StatementLineKind.STATEMENT_LINE_KIND_RENDER,
        ]
        names = {event.event_id: type(REGISTRY.decode(event)).__name__ for event in stored}
        assert {tuple(names[id_] for id_ in item.event_ids) for item in whole.lines} == {
            ("UsageReserved", "UsageSettled"),
            ("UsageSettled", "UsageAdjusted"),
        }
        assert second.lines[0] == line
        assert second.lines[0].settle_time == first.lines[2].time
        # In pages it is the same statement.
        pages, token = [], ""
        while True:
            asked = period(now - YEAR, now + YEAR, page_size=3, page_token=token)
            page = await studio.stub.GetStatement(asked, metadata=studio.caller())
            pages += page.lines
            assert page.totals == totals
            if not (token := page.next_page_token):
                break
        assert pages == list(whole.lines)


async def test_who_may_correct_and_what_not(open_studio: StudioFactory) -> None:
    """Only a tenant's admin corrects; not below zero, nothing that is not settled, not without a reason."""
    async with open_studio(spawn_workers=False) as studio:
        await settle(studio, "job-1", 1000)
        refused: dict[str, grpc.StatusCode] = {}
        for name, call in {
            "reader": adjust(studio, "job-1", -1, roles=("BILLING_READER",)),
            "below": adjust(studio, "job-1", -1001),
            "unknown": adjust(studio, "job-9", -1),
            "nothing": adjust(studio, "job-1", 0),
            "stranger": studio.stub.GetStatement(
                period(datetime.now(UTC), datetime.now(UTC) + YEAR), metadata=studio.caller("pty-x", kind="person")
            ),
            "backwards": studio.stub.GetStatement(
                period(datetime.now(UTC), datetime.now(UTC) - YEAR), metadata=studio.caller()
            ),
        }.items():
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call
            refused[name] = error.value.code()
        assert refused == {
            "reader": grpc.StatusCode.PERMISSION_DENIED,
            "below": grpc.StatusCode.FAILED_PRECONDITION,
            "unknown": grpc.StatusCode.FAILED_PRECONDITION,
            "nothing": grpc.StatusCode.INVALID_ARGUMENT,
            "stranger": grpc.StatusCode.PERMISSION_DENIED,
            "backwards": grpc.StatusCode.INVALID_ARGUMENT,
        }
        await adjust(studio, "job-1", -1000)
        assert (await statement(studio, datetime.now(UTC) - YEAR, datetime.now(UTC) + YEAR)).totals.billed_ms == 0


@asynccontextmanager
async def subscriber(db: Path, secret: str, port: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the example billing system; it is killed with SIGKILL at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SUBSCRIBER), "serve", "--db", str(db), "--port", str(port),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TAPELOG_WEBHOOK_SECRET": secret},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20.0):
            found = re.search(r"http://127.0.0.1:(\d+)/", (await process.stderr.readline()).decode())
        assert found is not None
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_billing_system_that_was_down_comes_to_the_same_total(
    open_studio: StudioFactory, tmp_path: Path
) -> None:
    """Killed four times while usage is settled and corrected, it misses and doubles nothing."""
    db, secret = tmp_path / "ledger.sqlite", "whsec_" + "QUFB" * 8
    async with open_studio(spawn_workers=False) as studio:
        changes = {"webhook_schedule_s": (0.0, *[0.2] * 19), "webhook_timeout_s": 2.0}
        settings = settings_for(studio.broker, studio.folder, **changes)
        async with running_notify(settings) as notify:
            async with subscriber(db, secret, 0) as (_, port):
                url = f"http://127.0.0.1:{port}/"
                await notify.create(url, types=["tapelog.usage_account.*"], secret=secret)
            for life in range(3):
                for number in range(6):
                    await settle(studio, f"job-{life}-{number}", 1000 + number)
                await adjust(studio, f"job-{life}-0", -250)
                async with subscriber(db, secret, int(port)):
                    for number in range(6, 12):
                        await settle(studio, f"job-{life}-{number}", 1000 + number)
            token = LocalIssuer.open(studio.folder / "identity").mint(
                audiences=["render"], tenant=TENANT, party="pty-b", kind="person", tenant_roles=["BILLING_READER"]
            )

            async def proof() -> dict[str, object]:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, str(SUBSCRIBER), "prove", "--db", str(db), "--account", PROJECT,
                    "--address", studio.stub_address, "--start", "2020-01-01T00:00:00Z",
                    "--end", "2100-01-01T00:00:00Z",
                    stdout=asyncio.subprocess.PIPE, env={**os.environ, "TAPELOG_TOKEN": token},
                )  # fmt: skip
                output, _ = await process.communicate()
                found: dict[str, object] = json.loads(output)
                assert (process.returncode == 0) is found["equal"]
                return found

            async with subscriber(db, secret, int(port)):
                await eventually(lambda: _is_equal(proof), every_s=0.5, within_s=30.0)
            with sqlite3.connect(db) as ledger:
                ledger.execute("UPDATE ledger SET quantity_ms = quantity_ms + 1 WHERE job = 'job-1-3'")
            ledger.close()
            assert len((await proof())["wrong"]) == 1  # type: ignore[arg-type]  # a list
            with sqlite3.connect(db) as ledger:
                ledger.execute("UPDATE ledger SET quantity_ms = quantity_ms - 1 WHERE job = 'job-1-3'")
            ledger.close()
            found = await proof()
            assert (found["lines"], found["ledger_ms"]) == (39, 3 * sum(1000 + n for n in range(12)) - 750)


async def _is_equal(proof: Callable[[], Awaitable[dict[str, object]]]) -> bool:
    return bool((await proof())["equal"])
