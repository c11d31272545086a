"""Whether what a person's job names is the project's own: its song, and every source.

The session service knows songs and uploads; this service knows what its own renders made. Tapelog's own services are
trusted to ask for what they know.
"""

import asyncio
from typing import Final, Protocol

from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis.errors import FieldViolation, InvalidArgument

from tapelog_render.application.access import Caller
from tapelog_render.application.asking import specs
from tapelog_render.application.job_index import JobIndex

LOOKUPS_AT_ONCE: Final = 16
"""A recipe names up to 256 sources; more at once would crowd other callers out of the session service."""
SHOWN_MAX: Final = 10
"""Foreign sources that one refusal lists."""


class Registry(Protocol):
    """What the session service knows of a project, asked with the caller's own token."""

    async def has_song(self, caller: Caller, project: str, song: str) -> bool:
        """Return whether a song is the project's; raises `Unavailable`, `PermissionDenied`."""
        ...

    async def has_asset(self, caller: Caller, project: str, sha256: str) -> bool:
        """Return whether a file was uploaded to the project; raises `Unavailable`, `PermissionDenied`."""
        ...


async def require_own(registry: Registry, index: JobIndex, caller: Caller, job: RenderJob, *, field: str) -> None:
    """Refuse a job of a person that names another project's song or audio.

    Raises
    ------
    InvalidArgument
        With a violation for the song and for each source; whether another project has them is not said.
    Unavailable
        The session service does not answer, so nothing is allowed.
    """
    if caller.kind == "service":
        return
    project, song = job.reference.project, job.reference.song
    violations = []
    if song and not await registry.has_song(caller, project, song):
        violations.append(FieldViolation(f"{field}.reference.song", f"{song} is no song of project {project}"))
    slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def is_foreign(sha256: str) -> bool:
        if index.was_made_in(caller.tenant, project, sha256):
            return False
        async with slots:
            return not await registry.has_asset(caller, project, sha256)

    sources = specs.assets_of(job)
    foreign = await asyncio.gather(*(is_foreign(sha256) for sha256 in sources))
    for sha256 in [source for source, is_not_ours in zip(sources, foreign, strict=True) if is_not_ours][:SHOWN_MAX]:
        text = f"asset {sha256} is neither uploaded to project {project} nor made by a render of it; upload it there"
        violations.append(FieldViolation(field, text))
    if violations:
        raise InvalidArgument(
            "NOT_OF_THIS_PROJECT",
            f"the job names what is not the project's own, first {violations[0].description}",
            fields=violations,
            metadata={"project": project},
        )
