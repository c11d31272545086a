"""Comps as recordings: which render belongs to which passages, and what becomes of its result."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.errors import Unknown
from tapelog_session.domain.song import Song, changed


def passages_digest(comp: pb.Comp) -> str:
    """Return a name for the passages of a comp: whoever sets the same ones again means the same recording."""
    digest = hashlib.sha256()
    for region in comp.regions:
        digest.update(region.SerializeToString(deterministic=True) + b"\0")
    return digest.hexdigest()[:16]


def record_comp_render(
    song: Song, track: str, passages: str, *, audio: audio_pb2.AudioResult | None, render_job: str, error: str
) -> Sequence[Message]:
    """Record the recording of a comp, or why there is none; nothing for a track or a recording that is known better.

    Raises
    ------
    Unknown
        The song has no such track.
    """
    known = song.tracks.get(track)
    if known is None:
        raise Unknown("NO_SUCH_TRACK", f"the song has no track {track}", track=track)
    if passages in known.recordings:
        return []
    return [events_pb2.CompRendered(track=track, passages=passages, audio=audio, render_job=render_job, error=error)]


def with_recording(comp: pb.Comp, recordings: Mapping[str, audio_pb2.AudioResult]) -> pb.Comp:
    """Return a comp with its recording, if its passages have been rendered."""
    audio = recordings.get(passages_digest(comp))
    whole = pb.Comp()
    whole.CopyFrom(comp)
    if audio is not None:
        whole.audio.CopyFrom(audio)
    return whole


def on_comp_rendered(song: Song, event: events_pb2.CompRendered, _time: datetime) -> Song:
    """Keep the recording, and with its comp if that is still the track's."""
    known = song.tracks[event.track]
    recordings = known.recordings
    if event.HasField("audio"):
        recordings = recordings.set(event.passages, event.audio)
    comp = known.comp
    if comp is not None and passages_digest(comp) == event.passages:
        comp = with_recording(comp, recordings)
        comp.render_error = event.error
    track = dataclasses.replace(known, comp=comp, recordings=recordings)
    return changed(song, tracks=song.tracks.set(known.id, track))


def comp_recordings(song: Song) -> dict[str, tuple[str, int]]:
    """Return track and length in frames of every rendered comp, by the SHA-256 of its recording."""
    return {
        track.comp.audio.sha256: (track.id, track.comp.audio.format.length_frames)
        for track in song.tracks.values()
        if track.comp is not None and track.comp.HasField("audio")
    }
