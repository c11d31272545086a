"""Stems of a mix: asked for in groups, rendered as one job, kept beside the mix they sum to; and the song's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import Fields
from tapelog_session.domain.errors import NotNow, Unknown
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Song, StemSet, changed
from tapelog_session.domain.versioning.versions import MIX, require_version, wrong_state

GROUPS_MAX: Final = 32
MEMBERS_MAX: Final = 256
SHARED: Final = "shared"
"""The render's own name for what several stems feed."""
STEM_SETS_MAX: Final = 100
"""Mixes of a song that stems were asked of."""
LYRICS_CHARS_MAX: Final = 20_000
"""An epic poem; an event must stay small."""
LANGUAGE_CHARS_MAX: Final = 35
"""Longest language tag that BCP 47 asks to be supported."""


def request_stems(song: Song, mix_number: int, groups: Sequence[pb.StemGroup]) -> Sequence[Message]:
    """Ask for the stems of a mix; ask again only if their render failed."""
    require_stage(song, "RequestStems")
    version = require_version(song, MIX, mix_number)
    if version.state in (pb.VERSION_STATE_SUPERSEDED, pb.VERSION_STATE_RENDER_FAILED):
        raise wrong_state(version, "stems are made of a living mix")
    fields = Fields()
    fields.that(len(groups) <= GROUPS_MAX, "groups", f"{len(groups)} are more than {GROUPS_MAX}")
    fields.unique("groups", [group.id for group in groups[:GROUPS_MAX]])
    for index, group in enumerate(groups[:GROUPS_MAX]):
        path = f"groups[{group.id[:32] or index}]"
        fields.id(f"{path}.id", group.id)
        fields.that(group.id != SHARED, f"{path}.id", f"{SHARED!r} is what several stems feed; choose another id")
        count = len(group.members)
        fields.that(1 <= count <= MEMBERS_MAX, f"{path}.members", f"name 1 to {MEMBERS_MAX}, there are {count}")
        for member in group.members[:MEMBERS_MAX]:
            fields.id(f"{path}.members", member)
    fields.refuse("INVALID_STEMS")
    known = song.stems.get(mix_number)
    if known is not None and not known.render_error:
        raise NotNow("STEMS_EXIST", f"stems of mix {mix_number} were asked for already", mix=mix_number)
    if known is None and len(song.stems) >= STEM_SETS_MAX:
        raise NotNow("TOO_MANY_STEMS", f"stems of {STEM_SETS_MAX} mixes were asked for, which is the limit")
    return [events_pb2.StemsRequested(mix_number=mix_number, groups=groups)]


def record_stems(
    song: Song, mix_number: int, stems: Sequence[pb.Stem], *, render_job: str, error: str
) -> Sequence[Message]:
    """Record the stems of a mix, or why there are none; nothing if their render has ended before."""
    known = song.stems.get(mix_number)
    if known is None:
        raise Unknown("NO_SUCH_STEMS", f"nobody asked for stems of mix {mix_number}", mix=mix_number)
    if not known.is_pending:
        return []
    return [events_pb2.StemsRendered(mix_number=mix_number, stems=stems, render_job=render_job, error=error)]


def set_lyrics(song: Song, lyrics: pb.Lyrics) -> Sequence[Message]:
    """Set the words of the song; without text they are taken away."""
    require_stage(song, "SetLyrics")
    fields = Fields()
    fields.text("lyrics.text", lyrics.text, LYRICS_CHARS_MAX, chars_min=0)
    fields.text("lyrics.language", lyrics.language, LANGUAGE_CHARS_MAX, chars_min=0)
    fields.refuse()
    same = (song.lyrics or pb.Lyrics()) == lyrics
    return [] if same else [events_pb2.LyricsSet(lyrics=lyrics)]


def on_requested(song: Song, event: events_pb2.StemsRequested, _time: datetime) -> Song:
    """Wait for them."""
    return changed(song, stems=song.stems.set(event.mix_number, StemSet(tuple(event.groups))))


def on_rendered(song: Song, event: events_pb2.StemsRendered, _time: datetime) -> Song:
    """Keep the files, or why there are none."""
    known = dataclasses.replace(
        song.stems[event.mix_number],
        stems=tuple(event.stems),
        render_job=event.render_job,
        render_error=event.error,
    )
    return changed(song, stems=song.stems.set(event.mix_number, known))


def on_lyrics_set(song: Song, event: events_pb2.LyricsSet, _time: datetime) -> Song:
    """Keep the words."""
    return changed(song, lyrics=event.lyrics if event.lyrics.text.strip() else None)
