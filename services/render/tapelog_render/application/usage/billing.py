"""Statements of usage accounts, and corrections of what is billed."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tapelog.render.v1.events_pb2 import UsageAdjusted
from tapelog.render.v1.render_service_pb2 import AdjustUsageRequest, GetStatementRequest
from tapelog.render.v1.resources_pb2 import Statement as StatementResource
from tapelog.render.v1.resources_pb2 import StatementLine
from tapelog_chassis import ids
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import FailedPrecondition, InvalidArgument
from tapelog_chassis.event_log import AggregateId, Metadata
from tapelog_chassis.rpc import pages

from tapelog_render.application.access import Caller, Permissions, granted
from tapelog_render.application.events import USAGE, Repositories
from tapelog_render.application.queries import USAGE_READERS
from tapelog_render.application.usage.books import Books
from tapelog_render.domain import usage
from tapelog_render.domain.errors import AdjustmentRefused
from tapelog_render.domain.statement import Period

LINES_DEFAULT: Final = 1000
LINES_MAX: Final = 5000
"""A line takes about 400 bytes, so a page stays below half of the 4 MiB that a message may have."""
ADJUSTMENT_MS_MAX: Final = 366 * 24 * 3_600_000
REASON_CHARS_MAX: Final = 500
FINAL_AFTER: Final = timedelta(minutes=1)
"""An event is recorded a moment after the time it carries; after this no event of a past period comes any more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Billing:
    """What statements need."""

    books: Books
    repositories: Repositories
    permissions: Permissions
    clock: Clock


async def get_statement(billing: Billing, caller: Caller, request: GetStatementRequest) -> StatementResource:
    """Return what an account used in a period, a page of its lines."""
    ids.validate_id(request.account, field="account")
    size = pages.coerce_page_size(request.page_size, default=LINES_DEFAULT, largest=LINES_MAX)
    cursor = pages.decode_page_token(request.page_token, request)
    period = Period(
        _time(request.start_time, "start_time", is_set=request.HasField("start_time")),
        _time(request.end_time, "end_time", is_set=request.HasField("end_time")),
    )
    if period.end <= period.start:
        raise InvalidArgument.of_field("end_time", "must be later than start_time", reason="EMPTY_PERIOD")
    await granted(billing.permissions, caller, request.account, tenant_roles=USAGE_READERS)
    statement = (await billing.books.of(AggregateId(USAGE, caller.tenant, request.account))).statement(period)
    first = int(cursor) if cursor else 0
    last = min(first + size, len(statement.lines))
    return StatementResource(
        account=request.account,
        start_time=request.start_time,
        end_time=request.end_time,
        lines=statement.lines[first:last],
        totals=statement.totals,
        account_sequence=statement.account_sequence,
        is_final=billing.clock.now() >= period.end + FINAL_AFTER,
        next_page_token=pages.encode_page_token(str(last), request) if last < len(statement.lines) else "",
    )


async def adjust_usage(billing: Billing, caller: Caller, request: AdjustUsageRequest) -> StatementLine:
    """Correct a settled quantity; return the line that it makes."""
    ids.validate_request_id(request.request_id)
    ids.validate_id(request.account, field="account")
    if not request.adjustment_ms:
        raise InvalidArgument.of_field("adjustment_ms", "is 0: give the milliseconds to add or take away")
    if abs(request.adjustment_ms) > ADJUSTMENT_MS_MAX:
        raise InvalidArgument.of_field(
            "adjustment_ms", f"{request.adjustment_ms} ms is beyond {ADJUSTMENT_MS_MAX} ms either way, which is a year"
        )
    if not 0 < len(request.reason) <= REASON_CHARS_MAX:
        raise InvalidArgument.of_field(
            "reason", f"has {len(request.reason)} characters; say why in 1 to {REASON_CHARS_MAX}"
        )
    aggregate = AggregateId(USAGE, caller.tenant, request.account)
    claim = (await billing.repositories.accounts.load(aggregate)).state.claim_of(request.job)
    try:
        outcome = await billing.repositories.accounts.execute(
            aggregate,
            lambda account: usage.adjust(
                account, job=request.job, adjustment_ms=request.adjustment_ms, reason=request.reason
            ),
            request_id=request.request_id,
            request_hash=ids.request_hash(request),
            metadata=Metadata(
                actor=caller.party,
                on_behalf_of=caller.on_behalf_of,
                role_used="ADMIN",
                correlation_id=caller.correlation_id,
                project=request.account,
                song=claim.song if claim is not None else "",
            ),
        )
    except AdjustmentRefused as refused:
        raise FailedPrecondition(
            refused.reason, str(refused), violations=[(refused.reason, request.job, str(refused))]
        ) from refused
    event = UsageAdjusted.FromString(outcome.events[-1].data)
    whole = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    lines = (await billing.books.of(aggregate)).statement(whole).lines
    made = outcome.events[-1].event_id
    return next(line for line in lines if line.event_ids[-1] == made and line.job == event.entry.job)


def _time(value: Timestamp, field: str, *, is_set: bool) -> datetime:
    if not is_set:
        raise InvalidArgument.of_field(field, "is not set; a period has a start and an end", reason="PERIOD_MISSING")
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field(field, "is not a time", reason="INVALID_TIME") from None
