"""A render that the render service refuses for good: it is the song's failure, and nobody else waits for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.event_log import Metadata, StoredEvent
from tapelog_chassis.ids import follow_up_request_id

from tapelog_session.application.following.processes import PARTY
from tapelog_session.application.ports import RenderRefused
from tapelog_session.domain import songs
from tapelog_session.domain.song import Song
from tapelog_session.domain.tracking import comps, recording
from tapelog_session.domain.versioning import stems, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX

STEP: Final = "render/refused"
ERROR_CHARS_MAX: Final = 1000
"""A refusal may list many fields; the first ones say what to do."""


async def record_refusal(
    repository: Repository[Song], stored: StoredEvent, cause: Message, refusal: RenderRefused
) -> None:
    """Record on the song that what a fact asked for cannot be rendered, and why.

    Parameters
    ----------
    stored, cause : StoredEvent, Message
        The fact, as it is stored and as it was meant.
    """
    metadata = stored.metadata
    await repository.execute(
        stored.aggregate,
        lambda song: _failures(song, cause, str(refusal)[:ERROR_CHARS_MAX]),
        request_id=follow_up_request_id(stored.event_id, STEP),
        # A repeat may be refused in other words, and is the same command.
        request_hash=hashlib.sha256(STEP.encode()).hexdigest(),
        metadata=Metadata(
            actor=PARTY,
            correlation_id=metadata.correlation_id,
            causation_id=stored.event_id,
            project=metadata.project,
            song=metadata.song,
            external_ref=metadata.external_ref,
        ),
    )


def _failures(song: Song, cause: Message, error: str) -> Sequence[Message]:
    match cause:
        case events_pb2.TakeRecorded() | events_pb2.TakeCleaned():
            return recording.record_check_failure(song, cause.take, error)
        case events_pb2.CompSet():
            passages = comps.passages_digest(cause.comp)
            return comps.record_comp_render(song, cause.track, passages, audio=None, render_job="", error=error)
        case events_pb2.MixVersionProposed():
            return versions.record_render_failure(song, MIX, cause.number, "", error)
        case events_pb2.MasterVersionProposed():
            return versions.record_render_failure(song, MASTER, cause.number, "", error)
        case events_pb2.AlternatesRequested():
            return [
                failure
                for alternate in cause.alternates
                for failure in songs.record_alternate(
                    song, cause.mix_number, alternate.id, audio=None, render_job="", error=error
                )
            ]
        case events_pb2.StemsRequested():
            return stems.record_stems(song, cause.mix_number, (), render_job="", error=error)
    raise TypeError(f"{type(cause).__name__} asks for no render")
