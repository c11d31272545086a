"""What becomes of takes: rejected, cleaned, put together into comps, asked for again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, InvalidCommand, NotNow, Unknown
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song, Take, changed
from tapelog_session.domain.tracking.comps import with_recording
from tapelog_session.domain.tracking.recording import TAKES_MAX, require_track

TREATMENTS_MAX: Final = 16
REGIONS_MAX: Final = 512
"""Passages of one comp: a vocal cut by the word."""
CROSSFADE_MS: Final = (0.0, 1000.0)
TAKE_REQUESTS_MAX: Final = 32
"""Requests that wait for one new take."""


def reject_take(song: Song, take: str, reason: str) -> Sequence[Message]:
    """Put a take out of the question; nothing of it is deleted."""
    require_stage(song, "RejectTake")
    _check_reason(reason)
    known = require_take(song, take)
    if known.reject_reason:
        raise NotNow("TAKE_REJECTED", f"take {take} is rejected already: {known.reject_reason[:200]}", take=take)
    return [events_pb2.TakeRejected(take=take, reason=reason)]


def clean_take(
    song: Song, actor: Actor, take: str, parent: str, *, asset_sha256: str, treatments: Sequence[str]
) -> Sequence[Message]:
    """Add a cleaned take, to be checked like any other; the one it was made from stays as it is.

    Parameters
    ----------
    take : str
        Id of the new take.
    """
    require_stage(song, "CleanTake")
    fields = Fields()
    fields.sha256("asset_sha256", asset_sha256)
    count = len(treatments)
    fields.that(1 <= count <= TREATMENTS_MAX, "treatments", f"say in 1 to {TREATMENTS_MAX} lines what was done")
    for line in treatments[:TREATMENTS_MAX]:
        fields.text("treatments", line, TEXT_CHARS_MAX)
    fields.refuse()
    known = require_take(song, parent)
    if asset_sha256 == known.asset_sha256:
        raise InvalidCommand("NOTHING_CLEANED", [("asset_sha256", f"is the asset of {parent} itself")])
    if len(song.takes) >= TAKES_MAX:
        raise NotNow("TOO_MANY_TAKES", f"the song has {TAKES_MAX} takes, which is the limit", limit=TAKES_MAX)
    return [
        events_pb2.TakeCleaned(
            take=take,
            parent=parent,
            track=known.track,
            asset_sha256=asset_sha256,
            treatments=treatments,
            cleaned_by=actor.party,
        )
    ]


def set_comp(song: Song, actor: Actor, track: str, regions: Sequence[pb.CompRegion]) -> Sequence[Message]:
    """Put a track together from passages of its takes.

    Raises
    ------
    InvalidCommand
        No or too many passages, a gap or an overlap, a fade longer than its passage, a take of another track.
    NotNow
        A take failed its check or was rejected.
    """
    require_stage(song, "SetComp")
    require_track(song, track)
    fields = Fields()
    count = len(regions)
    fields.that(1 <= count <= REGIONS_MAX, "regions", f"name 1 to {REGIONS_MAX}, there are {count}")
    end = None
    for index, region in enumerate(regions[:REGIONS_MAX]):
        _check_region(fields, song, track, f"regions[{index}]", region)
        if end is not None:
            text = f"begins at {region.range.start_frame}, the passage before ends at {end}"
            fields.that(region.range.start_frame == end, f"regions[{index}].range", text)
        elif region.crossfade_ms:
            fields.that(not region.crossfade_ms, "regions[0].crossfade_ms", "nothing comes before the first passage")
        end = region.range.end_frame
    fields.refuse("INVALID_COMP")
    unfit = [
        Condition(
            "TAKE_UNFIT", take.id, f"failed its check: {'; '.join(take.findings)}" if take.findings else "rejected"
        )
        for take in (song.takes[name] for name in dict.fromkeys(region.take for region in regions))
        if take.check_state == pb.TAKE_CHECK_STATE_FAILED or take.reject_reason
    ]
    if unfit:
        raise NotNow("TAKE_UNFIT", f"{', '.join(c.subject for c in unfit)} cannot be used", conditions=unfit)
    return [events_pb2.CompSet(track=track, comp=pb.Comp(regions=regions, set_by=actor.party))]


def request_take(song: Song, actor: Actor, track: str, reason: str) -> Sequence[Message]:
    """Ask for another take of a track; the next take answers it."""
    require_stage(song, "RequestAlternateTake")
    _check_reason(reason)
    if len(require_track(song, track).take_requests) >= TAKE_REQUESTS_MAX:
        raise NotNow("TOO_MANY_REQUESTS", f"{TAKE_REQUESTS_MAX} requests wait for a take of {track}, the limit")
    wanted = pb.TakeRequest(reason=reason, requested_by=actor.party)
    return [events_pb2.AlternateTakeRequested(track=track, request=wanted)]


def require_take(song: Song, take: str) -> Take:
    """Return a take of the song, or refuse."""
    known = song.takes.get(take)
    if known is None:
        raise Unknown("NO_SUCH_TAKE", f"the song has no take {take[:64]!r}", take=take[:64])
    return known


def _check_region(fields: Fields, song: Song, track: str, path: str, region: pb.CompRegion) -> None:
    known = song.takes.get(region.take)
    is_here = known is not None and known.track == track
    fields.that(is_here, f"{path}.take", f"{region.take[:64]!r} is not a take of {track}")
    start, end = region.range.start_frame, region.range.end_frame
    fields.that(0 <= start < end, f"{path}.range", f"[{start}, {end}) must begin at 0 or later and end after it begins")
    if known is not None and known.format is not None:
        length = known.format.length_frames
        fields.that(end <= length, f"{path}.range.end_frame", f"{end} is behind the take's {length} frames")
    fields.finite(f"{path}.crossfade_ms", region.crossfade_ms, *CROSSFADE_MS, "ms")
    longest_ms = 1000 * (end - start) / max(song.sample_rate_hz, 1)
    fields.that(
        region.crossfade_ms <= longest_ms, f"{path}.crossfade_ms", f"is longer than the {longest_ms:g} ms of it"
    )


def _check_reason(reason: str) -> None:
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.refuse()


def on_rejected(song: Song, event: events_pb2.TakeRejected, _time: datetime) -> Song:
    """Keep it, and let no track be made of it."""
    take = dataclasses.replace(song.takes[event.take], reject_reason=event.reason)
    track = song.tracks[take.track]
    if take.id in track.chosen_takes:
        track = dataclasses.replace(track, selected_take="", comp=None)
    return changed(song, takes=song.takes.set(take.id, take), tracks=song.tracks.set(track.id, track))


def on_cleaned(song: Song, event: events_pb2.TakeCleaned, _time: datetime) -> Song:
    """Add the cleaned take, to be checked."""
    take = Take(
        event.take,
        len(song.takes) + 1,
        event.track,
        event.asset_sha256,
        event.cleaned_by,
        parent=event.parent,
        treatments=tuple(event.treatments),
    )
    return changed(song, takes=song.takes.set(event.take, take))


def on_comp_set(song: Song, event: events_pb2.CompSet, _time: datetime) -> Song:
    """Let the comp stand in for a selected take; the same passages have been rendered to the same recording."""
    known = song.tracks[event.track]
    comp = with_recording(event.comp, known.recordings)
    track = dataclasses.replace(known, comp=comp, selected_take="")
    return changed(song, tracks=song.tracks.set(event.track, track))


def on_take_requested(song: Song, event: events_pb2.AlternateTakeRequested, time: datetime) -> Song:
    """Keep the request until a take answers it."""
    wanted = pb.TakeRequest()
    wanted.CopyFrom(event.request)
    wanted.time.FromDatetime(time)
    known = song.tracks[event.track]
    track = dataclasses.replace(known, take_requests=(*known.take_requests, wanted))
    return changed(song, tracks=song.tracks.set(event.track, track))
