"""Process (b): how a render ended is recorded on the song that asked for it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from typing import Final

import structlog
from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.event_log import Metadata

from tapelog_session.application.following.processes import PARTY, UnprocessableError
from tapelog_session.application.following.render_requests import job_id_of
from tapelog_session.domain import songs
from tapelog_session.domain.errors import DomainError, Unknown
from tapelog_session.domain.names import KindValue, SongName
from tapelog_session.domain.song import Song
from tapelog_session.domain.tracking import comps, recording
from tapelog_session.domain.versioning import stems, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX

_KEY: Final = re.compile(
    r"takes/(?P<take>[a-z][a-z0-9-]{0,31})"
    r"|comps/(?P<comp>[a-z][a-z0-9-]{0,31})/(?P<passages>[0-9a-f]{16})"
    r"|(?P<kind>mix|master)Versions/(?P<number>[1-9][0-9]{0,5})"
    r"(?:/(?:alternates/(?P<alternate>[a-z][a-z0-9-]{0,31})|(?P<stems>stems)))?"
)

EndOfRender = render_events.RenderSucceeded | render_events.RenderFailed | render_events.RenderCancelled
ENDS: Final[dict[str, type[EndOfRender]]] = {
    "tapelog.render_job.render_succeeded.v1": render_events.RenderSucceeded,
    "tapelog.render_job.render_failed.v1": render_events.RenderFailed,
    "tapelog.render_job.render_cancelled.v1": render_events.RenderCancelled,
}

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class RenderOutcome:
    """A public event of the render service that ends a job."""

    event_id: str
    tenant: str
    job: str
    correlation_id: str
    end: EndOfRender


async def record_outcome(repository: Repository[Song], outcome: RenderOutcome) -> None:
    """Record how a render ended; the event's id makes a repeat harmless.

    Renders that people asked for by themselves are none of the song's business, whatever reference they gave them.

    Raises
    ------
    UnprocessableError
        Our own job names something that the song does not have.
    """
    reference = outcome.end.reference
    match = _KEY.fullmatch(reference.key)
    if match is None or not reference.song:
        _log.debug("render without a reference of ours", job=outcome.job, key=reference.key)
        return
    is_alternate = match["alternate"] is not None
    name = SongName(reference.project, reference.song)
    if not is_alternate and outcome.job != job_id_of(outcome.tenant, name, reference.key):
        _log.warning("render with our reference, asked for by somebody else", job=outcome.job, key=reference.key)
        return

    def decide(song: Song) -> Sequence[Message]:
        if not song.exists or song.project != reference.project:
            raise Unknown("NO_SUCH_SONG", f"there is no {name}")
        return _decide(song, match, outcome)

    try:
        await repository.execute(
            repository.aggregate(outcome.tenant, reference.song),
            decide,
            request_id=outcome.event_id,
            request_hash=hashlib.sha256(outcome.end.SerializeToString(deterministic=True)).hexdigest(),
            metadata=Metadata(
                actor=PARTY,
                correlation_id=outcome.correlation_id,
                causation_id=outcome.event_id,
                project=reference.project,
                song=reference.song,
            ),
        )
    except DomainError as refusal:
        if is_alternate and isinstance(refusal, Unknown):
            # Jobs of a batch have ids of their own, so this may be somebody else's.
            _log.warning("render of an alternate nobody asked for", job=outcome.job, cause=refusal.message)
            return
        raise UnprocessableError(f"job {outcome.job} ({reference.key}): {refusal.message}") from refusal


def _decide(song: Song, match: re.Match[str], outcome: RenderOutcome) -> Sequence[Message]:
    if match["take"]:
        return _take(song, match["take"], outcome.end)
    if match["comp"]:
        return _comp(song, match["comp"], match["passages"], outcome)
    kind: KindValue = MIX if match["kind"] == "mix" else MASTER
    number = int(match["number"])
    if match["stems"]:
        return _stems(song, number, outcome)
    if match["alternate"]:
        return _alternate(song, number, match["alternate"], outcome)
    if not isinstance(outcome.end, render_events.RenderSucceeded):
        return versions.record_render_failure(song, kind, number, outcome.job, why(outcome.end))
    result = outcome.end.result
    return versions.record_render(
        song,
        kind,
        number,
        audio=_audio(outcome, result),
        attachments=[
            pb.Attachment(role=f.role, sha256=f.sha256, media_type=f.media_type, size_bytes=f.size_bytes)
            for f in result.files
        ],
        render_job=outcome.job,
        engine_version=result.engine_version,
    )


def _take(song: Song, take: str, end: EndOfRender) -> Sequence[Message]:
    if not isinstance(end, render_events.RenderSucceeded):
        return recording.record_check_failure(song, take, why(end))
    audio = end.result.audio[0] if end.result.audio else None
    known = song.takes.get(take)
    if audio is None or (known is not None and audio.sha256 != known.asset_sha256):
        raise UnprocessableError(f"the analysis of take {take} is not of its asset")
    return recording.record_check(song, take, audio.measurements, audio.format)


def _comp(song: Song, track: str, passages: str, outcome: RenderOutcome) -> Sequence[Message]:
    end = outcome.end
    audio = _audio(outcome, end.result)[0] if isinstance(end, render_events.RenderSucceeded) else None
    return comps.record_comp_render(song, track, passages, audio=audio, render_job=outcome.job, error=why(end))


def _alternate(song: Song, number: int, alternate: str, outcome: RenderOutcome) -> Sequence[Message]:
    end = outcome.end
    audio = _audio(outcome, end.result)[0] if isinstance(end, render_events.RenderSucceeded) else None
    return songs.record_alternate(
        song,
        number,
        alternate,
        audio=audio,
        render_job=outcome.job,
        error=why(end),
    )


def _stems(song: Song, number: int, outcome: RenderOutcome) -> Sequence[Message]:
    end = outcome.end
    found: list[pb.Stem] = []
    if isinstance(end, render_events.RenderSucceeded):
        labels = end.result.labels
        if len(labels) != len(_audio(outcome, end.result)):
            raise UnprocessableError(f"job {outcome.job} names {len(labels)} of {len(end.result.audio)} stems")
        found = [pb.Stem(id=label, audio=audio) for label, audio in zip(labels, end.result.audio, strict=True)]
    return stems.record_stems(song, number, found, render_job=outcome.job, error=why(end))


def _audio(outcome: RenderOutcome, result: render_pb.RenderResult) -> Sequence[audio_pb2.AudioResult]:
    if not result.audio:
        raise UnprocessableError(f"job {outcome.job} succeeded without audio")
    return result.audio


def why(end: EndOfRender) -> str:
    """Return why there is no result, in one line."""
    if isinstance(end, render_events.RenderFailed):
        return f"{end.reason}: {end.message}"
    return f"CANCELLED: {end.reason}" if isinstance(end, render_events.RenderCancelled) else ""
