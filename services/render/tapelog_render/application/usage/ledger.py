"""The usage ledger: reserves when a render is asked for, settles or releases when it ends.

Reservations are made by the request itself, so that its caller reads them at once, and again from the log, so that a
crash between the two loses none. Every step is idempotent, in any order and however often it comes.
"""

import hashlib
from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import RenderCancelled, RenderFailed, RenderRequested, RenderSucceeded
from tapelog.render.v1.resources_pb2 import UsageEntry
from tapelog_chassis import ids
from tapelog_chassis.event_log import AggregateId, Metadata, StoredEvent

from tapelog_render.application.asking import admission, specs
from tapelog_render.application.events import ACTOR, REGISTRY, USAGE, Repositories
from tapelog_render.domain import usage
from tapelog_render.domain.usage import Account


class UsageLedger:
    """Writes the usage accounts.

    Parameters
    ----------
    repositories : Repositories
    """

    def __init__(self, repositories: Repositories) -> None:
        self._jobs = repositories.jobs
        self._accounts = repositories.accounts

    async def reserve(self, tenant: str, cause: str, entries: Sequence[UsageEntry], metadata: Metadata) -> None:
        """Reserve for the jobs of one account; what is reserved already stays as it is.

        Parameters
        ----------
        cause : str
            Name of what asks for it, a job's or a batch's.
        """
        if not entries:
            return
        await self._execute(
            AggregateId(USAGE, tenant, entries[0].account),
            lambda account: usage.reserve(account, entries),
            cause=f"{tenant}/{cause}",
            step="reserve",
            metadata=metadata,
        )

    async def on_event(self, stored: StoredEvent) -> None:
        """Bring the account of a job up to one of the job's events.

        Raises
        ------
        ServiceError
            The log cannot be read or written just now (`Unavailable`, `Aborted`, `ResourceExhausted`), or not be
            trusted (`DataLoss`).
        """
        event = REGISTRY.decode(stored)
        if not isinstance(event, RenderRequested | RenderSucceeded | RenderFailed | RenderCancelled):
            return
        job_id, tenant = stored.aggregate.id, stored.aggregate.tenant
        job = (await self._jobs.load(stored.aggregate)).state
        entry = admission.usage_entry_of(job_id, job.asked)
        if entry is None:
            return
        metadata = Metadata(
            actor=ACTOR,
            correlation_id=stored.metadata.correlation_id,
            causation_id=stored.event_id,
            project=entry.account,
            song=entry.song,
            external_ref=entry.external_ref,
        )
        # Another replica may still have the request in hand; then this makes the reservation and its repeat nothing.
        await self.reserve(tenant, job_id, [entry], metadata)
        decide: Callable[[Account], Sequence[Message]]
        match event:
            case RenderSucceeded():
                quantity_ms = specs.made_ms(event.result, event.kind)
                decide = lambda account: usage.settle(account, job=job_id, quantity_ms=quantity_ms)  # noqa: E731
            case RenderFailed():
                reason = event.reason
                decide = lambda account: usage.release(account, job=job_id, reason=reason)  # noqa: E731
            case RenderCancelled():
                decide = lambda account: usage.release(account, job=job_id, reason="CANCELLED")  # noqa: E731
            case _:
                return
        account = AggregateId(USAGE, tenant, entry.account)
        await self._execute(account, decide, cause=f"{tenant}/{job_id}", step="close", metadata=metadata)

    async def _execute(
        self,
        account: AggregateId,
        decide: Callable[[Account], Sequence[Message]],
        *,
        cause: str,
        step: str,
        metadata: Metadata,
    ) -> None:
        await self._accounts.execute(
            account,
            decide,
            request_id=ids.follow_up_request_id(cause, f"usage/{step}"),
            request_hash=hashlib.sha256(f"{cause}|{step}".encode()).hexdigest(),
            metadata=metadata,
        )
