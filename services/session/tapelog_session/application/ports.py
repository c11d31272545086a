"""What the application needs from the world beside the log and the object store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from tapelog.render.v1 import resources_pb2 as render_pb


@dataclasses.dataclass(frozen=True, slots=True)
class PartyRecord:
    """A person's name and contact: mutable and erasable, never in an event.

    Attributes
    ----------
    created_by : str
        Party that made the record; may correct it.
    request_id, request_hash : str
        The request that wrote it last.
    erased : bool
        Whether its key was destroyed; name and contact are then empty.
    """

    party: str
    display_name: str
    email: str
    created_by: str
    request_id: str = ""
    request_hash: str = ""
    erased: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class PartyEntry:
    """A record as it is kept, with the revision a change must name."""

    record: PartyRecord
    revision: int


class Parties(Protocol):
    """Party records by tenant and party id."""

    async def get(self, tenant: str, party: str) -> PartyEntry | None:
        """Return a record; None if there is none."""
        ...

    async def put(self, tenant: str, record: PartyRecord, revision: int) -> bool:
        """Keep a record; False if the entry is not at `revision` any more (0: there is none)."""
        ...

    async def erase(self, tenant: str, party: str) -> None:
        """Destroy the key of a record, and the record: nobody can read it again. Erasing again changes nothing."""
        ...


class RenderJobs(Protocol):
    """The render service, as the session service calls it."""

    async def create(self, tenant: str, job: render_pb.RenderJob, *, request_id: str, correlation_id: str) -> None:
        """Ask for a job; asking again with the same request_id changes nothing.

        Raises
        ------
        RenderUnavailable
            Try again later.
        RenderRefused
            Trying again will not help.
        """
        ...

    async def create_batch(
        self,
        tenant: str,
        jobs: Sequence[render_pb.RenderJob],
        reference: render_pb.RenderReference,
        *,
        request_id: str,
        correlation_id: str,
    ) -> None:
        """Ask for several jobs as one. Raises as `create`."""
        ...


class RenderUnavailable(Exception):  # noqa: N818 - it says what the service is
    """The render service does not answer, or is full; `retry_after_s` is its own advice."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RenderRefused(Exception):  # noqa: N818 - it says what the service did
    """The render service will never take this job as it is asked for.

    Attributes
    ----------
    is_of_job : bool
        The job itself is wrong; else this service may not ask for any, and somebody has to look at the installation.
    """

    def __init__(self, reason: str, message: str, *, is_of_job: bool = True) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.is_of_job = is_of_job
