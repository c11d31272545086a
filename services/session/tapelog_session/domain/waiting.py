"""Whom a song waits for: read from what is open in it, so that people find their work in a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.gates.stages import KIND_OF
from tapelog_session.domain.permissions import ARTIST, LABEL, MASTERING, MIXING, PRODUCER, RECORDING
from tapelog_session.domain.roles import RoleValue, missing_consents
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk.notes import SETTLED

ENGINEER_OF: Final = {
    pb.STAGE_RECORDING: RECORDING,
    pb.STAGE_MIXING: MIXING,
    pb.STAGE_MASTERING: MASTERING,
}
_AT_WORK: Final = frozenset(
    {pb.VERSION_STATE_CHANGES_REQUESTED, pb.VERSION_STATE_RENDERED, pb.VERSION_STATE_RENDER_FAILED}
)
"""States in which the engineer of the stage has to do something."""


def waiting_for(song: Song) -> tuple[RoleValue, ...]:
    """Return the roles whom a song waits for, each once, in the order of the roles.

    Where nothing else is open it waits for the producer, who alone leads it on.
    """
    if song.stage in {pb.STAGE_ON_HOLD, pb.STAGE_CANCELLED, pb.STAGE_ARCHIVED, pb.STAGE_UNSPECIFIED}:
        return ()
    return tuple(sorted(set(_roles(song)))) or (PRODUCER,)


def _roles(song: Song) -> Iterator[RoleValue]:
    if song.brief is not None and song.stage != pb.STAGE_DELIVERED:
        yield from missing_consents(song.brief.agreements)
    if song.stage == pb.STAGE_PRE_PRODUCTION:
        yield from missing_consents(song.arrangement)
        if song.brief is None:
            yield from (ARTIST, PRODUCER)
    if song.stage == pb.STAGE_RECORDING and not _is_recorded(song):
        yield RECORDING
    yield from _for_versions(song)
    engineer = ENGINEER_OF.get(song.stage, PRODUCER)
    for note in song.notes.values():
        if note.state == pb.NOTE_STATE_OPEN:
            yield engineer
        elif note.state not in SETTLED:
            yield from (ARTIST, PRODUCER)
    for known in song.disagreements.values():
        if known.state == pb.DISAGREEMENT_STATE_DECIDED and not any(c.role == ARTIST for c in known.consents):
            yield ARTIST
        elif known.state != pb.DISAGREEMENT_STATE_CLOSED:
            yield PRODUCER
    if song.advice:
        yield PRODUCER
    if song.stage == pb.STAGE_DELIVERED and not song.accepted_delivery and not song.is_returned(song.delivery):
        yield LABEL if song.delivery else MASTERING


def _is_recorded(song: Song) -> bool:
    """Whether something is selected, and a take of every required track is."""
    return bool(song.selected_takes()) and all(track.chosen_takes for track in song.tracks.values() if track.required)


def _for_versions(song: Song) -> Iterator[RoleValue]:
    kind = KIND_OF.get(song.stage)
    if kind is None:
        return
    candidate = song.candidate(kind)
    if candidate is None or candidate.state in _AT_WORK:
        yield ENGINEER_OF[song.stage]
    for version in song.versions(kind).values():
        if version.state == pb.VERSION_STATE_IN_REVIEW:
            yield from version.missing_approvals(song.brief_revision)
