"""Tracks and takes: defined, recorded, checked on arrival, selected."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, InvalidCommand, NotNow, Unknown
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Song, Take, Track, changed
from tapelog_session.domain.tracking import take_checks

TRACKS_MAX: Final = 256
"""A large film session; also the most a mix recipe takes."""
TAKES_MAX: Final = 4000


def define_track(song: Song, track: str, title: str, *, required: bool) -> Sequence[Message]:
    """Define a track."""
    require_stage(song, "DefineTrack")
    fields = Fields()
    fields.id("track", track)
    fields.text("title", title, TITLE_CHARS_MAX)
    fields.refuse()
    if track in song.tracks:
        raise NotNow("TRACK_EXISTS", f"the song already has a track {track!r}; choose another id", track=track)
    if len(song.tracks) >= TRACKS_MAX:
        raise NotNow("TOO_MANY_TRACKS", f"the song has {TRACKS_MAX} tracks, which is the limit", limit=TRACKS_MAX)
    return [events_pb2.TrackDefined(track=pb.Track(id=track, title=title, required=required))]


def set_requirement(song: Song, track: str, reason: str, *, required: bool) -> Sequence[Message]:
    """Make a track required or optional; nothing if it is.

    A track whose part fell away, or whose stem is silent, would close the gate for ever.
    """
    require_stage(song, "SetTrackRequirement")
    fields = Fields()
    fields.id("track", track)
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.refuse()
    if require_track(song, track).required == required:
        return []
    return [events_pb2.TrackRequirementChanged(track=track, required=required, reason=reason)]


def record_take(song: Song, take: str, track: str, asset_sha256: str, recorded_by: str) -> Sequence[Message]:
    """Add a take of an uploaded asset; whether the asset exists is the caller's to know."""
    require_stage(song, "AddTake")
    fields = Fields()
    fields.id("track", track)
    fields.sha256("asset_sha256", asset_sha256)
    fields.refuse()
    require_track(song, track)
    if len(song.takes) >= TAKES_MAX:
        raise NotNow("TOO_MANY_TAKES", f"the song has {TAKES_MAX} takes, which is the limit", limit=TAKES_MAX)
    return [events_pb2.TakeRecorded(take=take, track=track, asset_sha256=asset_sha256, recorded_by=recorded_by)]


def select_take(song: Song, track: str, take: str) -> Sequence[Message]:
    """Choose a take for its track; one that is still being checked may be chosen, one that failed may not."""
    require_stage(song, "SelectTake")
    require_track(song, track)
    chosen = song.takes.get(take)
    if chosen is None:
        raise Unknown("NO_SUCH_TAKE", f"the song has no take {take!r}", take=take)
    if chosen.track != track:
        raise InvalidCommand("WRONG_TRACK", [("take", f"{take} is a take of {chosen.track}, not of {track}")])
    if chosen.check_state == pb.TAKE_CHECK_STATE_FAILED:
        findings = "; ".join(chosen.findings)
        raise NotNow(
            "TAKE_FAILED",
            f"take {take} failed its technical check, which nobody can waive: {findings}. Record or upload it again.",
            conditions=[Condition("TAKE_FAILED", take, finding) for finding in chosen.findings],
            take=take,
        )
    if chosen.reject_reason:
        text = f"take {take} was rejected: {chosen.reject_reason[:200]}; select another"
        raise NotNow("TAKE_REJECTED", text, conditions=[Condition("TAKE_REJECTED", take, text)], take=take)
    if song.tracks[track].selected_take == take and song.tracks[track].comp is None:
        return []
    return [events_pb2.TakeSelected(track=track, take=take)]


def record_check(
    song: Song, take: str, measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat
) -> Sequence[Message]:
    """Record the arrival check of a take from how it measures; nothing if that was done before."""
    known = _unchecked(song, take)
    if known is None:
        return []
    checks = take_checks.checks_of(song, measured, format_)
    return [
        events_pb2.TakeChecked(
            take=take,
            passed=take_checks.is_fit(checks),
            findings=take_checks.findings_of(checks),
            measurements=measured,
            format=format_,
            checks=checks,
        )
    ]


def record_check_failure(song: Song, take: str, reason: str) -> Sequence[Message]:
    """Record that a take could not even be measured; nothing if it was checked before."""
    known = _unchecked(song, take)
    return [] if known is None else [events_pb2.TakeChecked(take=take, passed=False, findings=[reason])]


def require_track(song: Song, track: str) -> Track:
    """Return a track of the song, or refuse."""
    known = song.tracks.get(track)
    if known is None:
        raise Unknown("NO_SUCH_TRACK", f"the song has no track {track!r}; define it first", track=track)
    return known


def _unchecked(song: Song, take: str) -> Take | None:
    known = song.takes.get(take)
    if known is None:
        raise Unknown("NO_SUCH_TAKE", f"the song has no take {take!r}", take=take)
    return known if known.check_state == pb.TAKE_CHECK_STATE_PENDING else None


def on_track_defined(song: Song, event: events_pb2.TrackDefined, _time: datetime) -> Song:
    """Add a track."""
    track = event.track
    added = Track(track.id, len(song.tracks) + 1, track.title, track.required)
    return changed(song, tracks=song.tracks.set(track.id, added))


def on_requirement_changed(song: Song, event: events_pb2.TrackRequirementChanged, _time: datetime) -> Song:
    """Let the gate wait for the track, or no longer."""
    track = dataclasses.replace(song.tracks[event.track], required=event.required)
    return changed(song, tracks=song.tracks.set(track.id, track))


def on_take_recorded(song: Song, event: events_pb2.TakeRecorded, _time: datetime) -> Song:
    """Add a take, to be checked; it answers the requests for another one."""
    take = Take(event.take, len(song.takes) + 1, event.track, event.asset_sha256, event.recorded_by)
    track = dataclasses.replace(song.tracks[event.track], take_requests=())
    return changed(song, takes=song.takes.set(event.take, take), tracks=song.tracks.set(event.track, track))


def on_take_checked(song: Song, event: events_pb2.TakeChecked, _time: datetime) -> Song:
    """Note what the check found."""
    state = pb.TAKE_CHECK_STATE_PASSED if event.passed else pb.TAKE_CHECK_STATE_FAILED
    take = dataclasses.replace(
        song.takes[event.take],
        check_state=state,
        findings=tuple(event.findings),
        checks=tuple(event.checks),
        measurements=event.measurements if event.HasField("measurements") else None,
        format=event.format if event.HasField("format") else None,
    )
    return changed(song, takes=song.takes.set(event.take, take))


def on_take_selected(song: Song, event: events_pb2.TakeSelected, _time: datetime) -> Song:
    """Choose a take; a comp of the track is set aside."""
    track = dataclasses.replace(song.tracks[event.track], selected_take=event.take, comp=None)
    return changed(song, tracks=song.tracks.set(event.track, track))
