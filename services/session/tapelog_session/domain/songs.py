"""A song's beginning and its catalogue: created, works linked, ISRC set; and alternates of its mixes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import alternate_violations

from tapelog_session.domain.checks import REFERENCE_CHARS_MAX, TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown, WrongField
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Alternate, Precheck, Song, changed
from tapelog_session.domain.versioning.versions import MIX, require_version, wrong_state

SAMPLE_RATES_HZ: Final = (44100, 48000, 88200, 96000, 176400, 192000)
BIT_DEPTHS: Final = (16, 24, 32)
WORKS_MAX: Final = 16
WRITERS_MAX: Final = 64
ALTERNATES_PER_REQUEST_MAX: Final = 16
ALTERNATES_MAX: Final = 256
"""Alternates of all mixes of a song."""
ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
"""ISO 3901: country and registrant, year, designation."""
ISWC: Final = re.compile(r"T[0-9]{10}")
"""ISO 15707 without its punctuation."""


def create_song(song: Song, created: events_pb2.SongCreated) -> Sequence[Message]:
    """Create a song in PRE_PRODUCTION; `created` carries ids that the caller derived."""
    if song.exists:
        raise NotNow("SONG_EXISTS", f"song {song.id} exists already", song=song.id)
    fields = Fields()
    fields.text("title", created.title, TITLE_CHARS_MAX)
    fields.text("external_ref", created.external_ref, REFERENCE_CHARS_MAX, chars_min=0)
    fields.that(
        created.sample_rate_hz in SAMPLE_RATES_HZ,
        "sample_rate_hz",
        f"{created.sample_rate_hz} is not one of {', '.join(map(str, SAMPLE_RATES_HZ))}",
    )
    fields.that(
        created.bit_depth in BIT_DEPTHS,
        "bit_depth",
        f"{created.bit_depth} is not one of {', '.join(map(str, BIT_DEPTHS))}",
    )
    fields.refuse()
    return [created]


def register_work(song: Song, work: pb.Work) -> Sequence[Message]:
    """Link a musical work and its writers."""
    require_stage(song, "RegisterWork")
    fields = Fields()
    fields.text("work.title", work.title, TITLE_CHARS_MAX)
    _check_writers(fields, "work.writers", work.writers)
    iswc = re.sub(r"[-. ]", "", work.iswc).upper()
    fields.that(not iswc or ISWC.fullmatch(iswc) is not None, "work.iswc", f"{work.iswc[:40]!r} is not an ISWC")
    fields.refuse()
    if len(song.works) >= WORKS_MAX:
        raise NotNow("TOO_MANY_WORKS", f"the song has {WORKS_MAX} works, which is the limit", limit=WORKS_MAX)
    return [events_pb2.WorkLinked(work=pb.Work(title=work.title, writers=work.writers, iswc=iswc))]


def set_writers(song: Song, work: int, writers: Sequence[str]) -> Sequence[Message]:
    """Say anew who wrote a work; `work` counts from 1."""
    require_stage(song, "SetWriters")
    fields = Fields()
    fields.that(1 <= work <= len(song.works), "work", f"{work} is not one of the song's {len(song.works)} works")
    _check_writers(fields, "writers", writers)
    fields.refuse()
    if list(song.works[work - 1].writers) == list(writers):
        return []
    return [events_pb2.WritersSet(work=work, writers=writers)]


def _check_writers(fields: Fields, path: str, writers: Sequence[str]) -> None:
    fields.that(1 <= len(writers) <= WRITERS_MAX, path, f"name 1 to {WRITERS_MAX}, there are {len(writers)}")
    for writer in writers[:WRITERS_MAX]:
        fields.id(path, writer)
    fields.unique(path, list(writers[:WRITERS_MAX]))


def set_catalogue_ids(song: Song, isrc: str) -> Sequence[Message]:
    """Set the ISRC; hyphens and lower case, as people write it, are taken away."""
    require_stage(song, "SetCatalogueIds")
    plain = isrc.replace("-", "").upper()
    if ISRC.fullmatch(plain) is None:
        raise InvalidCommand(
            "INVALID_ISRC",
            [("isrc", f"{isrc[:40]!r} is not an ISRC: two letters, three letters or digits, seven digits")],
        )
    return [] if plain == song.isrc else [events_pb2.CatalogueIdsSet(isrc=plain)]


def request_alternates(song: Song, mix_number: int, wanted: Sequence[recipe_pb2.Alternate]) -> Sequence[Message]:
    """Ask for alternates of a mix: the same recipe with stated mutes and fader offsets.

    An alternate whose render failed may be asked for again.
    """
    require_stage(song, "RequestAlternates")
    version = require_version(song, MIX, mix_number)
    if version.state in (pb.VERSION_STATE_SUPERSEDED, pb.VERSION_STATE_RENDER_FAILED):
        raise wrong_state(version, "alternates are made of a living mix")
    fields = Fields()
    fields.that(
        1 <= len(wanted) <= ALTERNATES_PER_REQUEST_MAX,
        "alternates",
        f"ask for 1 to {ALTERNATES_PER_REQUEST_MAX}, there are {len(wanted)}",
    )
    fields.unique("alternates", [alternate.id for alternate in wanted])
    if isinstance(version.recipe, recipe_pb2.MixRecipe):
        for index, alternate in enumerate(wanted[:ALTERNATES_PER_REQUEST_MAX]):
            violations = alternate_violations(version.recipe, alternate, f"alternates[{alternate.id or index}]")
            fields.wrong.extend(WrongField(v.path, v.message) for v in violations)
            known = song.alternates.get((mix_number, alternate.id))
            fields.that(
                known is None or bool(known.render_error),
                f"alternates[{alternate.id}]",
                "was already asked for; choose another id",
            )
    fields.refuse("INVALID_ALTERNATE")
    if len(song.alternates) + len(wanted) > ALTERNATES_MAX:
        raise NotNow("TOO_MANY_ALTERNATES", f"the song would have more than {ALTERNATES_MAX} alternates, the limit")
    return [events_pb2.AlternatesRequested(mix_number=mix_number, alternates=wanted)]


def record_alternate(
    song: Song, mix_number: int, alternate: str, *, audio: audio_pb2.AudioResult | None, render_job: str, error: str
) -> Sequence[Message]:
    """Record an alternate's render, or why it failed; nothing if it has ended before."""
    known = song.alternates.get((mix_number, alternate))
    if known is None:
        raise Unknown("NO_SUCH_ALTERNATE", f"mix {mix_number} has no alternate {alternate!r}", alternate=alternate)
    if not known.is_pending:
        return []
    return [
        events_pb2.AlternateRendered(
            mix_number=mix_number, alternate=alternate, audio=audio, render_job=render_job, error=error
        )
    ]


def record_acceptance(song: Song, delivery: str, accepted_by: str) -> Sequence[Message]:
    """Record that the label accepted the song's package; nothing if that is over, or the song has left DELIVERED."""
    is_over = song.accepted_delivery == delivery or song.is_returned(delivery)
    if song.stage != pb.STAGE_DELIVERED or song.delivery != delivery or is_over:
        return []
    return [events_pb2.PackageAccepted(delivery=delivery, accepted_by=accepted_by)]


def record_verification(song: Song, verified: events_pb2.PackageVerified) -> Sequence[Message]:
    """Record in how many stores every file of the song's package was found whole."""
    require_stage(song, "VerifyDelivery")
    if song.delivery != verified.delivery:
        raise NotNow("NOT_THE_NEWEST", f"delivery {verified.delivery} was replaced by {song.delivery}; verify that one")
    return [verified]


def on_song_created(_song: Song, event: events_pb2.SongCreated, time: datetime) -> Song:
    """Begin."""
    return Song(
        id=event.song,
        project=event.project,
        title=event.title,
        stage=pb.STAGE_PRE_PRODUCTION,
        cycle=1,
        sample_rate_hz=event.sample_rate_hz,
        bit_depth=event.bit_depth,
        external_ref=event.external_ref,
        create_time=time,
    )


def on_work_linked(song: Song, event: events_pb2.WorkLinked, _time: datetime) -> Song:
    """Add a work."""
    return changed(song, works=(*song.works, event.work))


def on_writers_set(song: Song, event: events_pb2.WritersSet, _time: datetime) -> Song:
    """Replace the writers of a work."""
    known = song.works[event.work - 1]
    work = pb.Work(title=known.title, iswc=known.iswc, writers=event.writers)
    return changed(song, works=(*song.works[: event.work - 1], work, *song.works[event.work :]))


def on_catalogue_ids_set(song: Song, event: events_pb2.CatalogueIdsSet, _time: datetime) -> Song:
    """Set the ISRC."""
    return changed(song, isrc=event.isrc)


def on_alternates_requested(song: Song, event: events_pb2.AlternatesRequested, _time: datetime) -> Song:
    """Add alternates to be rendered."""
    alternates = song.alternates
    for spec in event.alternates:
        key = (event.mix_number, spec.id)
        known = alternates.get(key)
        order = known.order if known is not None else len(alternates) + 1
        alternates = alternates.set(key, Alternate(order, event.mix_number, spec))
    return changed(song, alternates=alternates)


def on_alternate_rendered(song: Song, event: events_pb2.AlternateRendered, _time: datetime) -> Song:
    """Keep an alternate's file, or why there is none."""
    key = (event.mix_number, event.alternate)
    rendered = dataclasses.replace(
        song.alternates[key],
        audio=event.audio if event.HasField("audio") else None,
        render_job=event.render_job,
        render_error=event.error,
    )
    return changed(song, alternates=song.alternates.set(key, rendered))


def on_prechecked(song: Song, event: events_pb2.DeliveryPrechecked, _time: datetime) -> Song:
    """Keep the result of the last build, and the newest package."""
    precheck = Precheck(event.passed, tuple(event.findings), event.delivery, event.master_number)
    return changed(song, precheck=precheck, delivery=event.delivery or song.delivery)


def on_package_accepted(song: Song, event: events_pb2.PackageAccepted, _time: datetime) -> Song:
    """Note which package the label has accepted."""
    return changed(song, accepted_delivery=event.delivery)


def on_package_verified(song: Song, event: events_pb2.PackageVerified, _time: datetime) -> Song:
    """Note in how many stores the package is whole."""
    return changed(song, verified_stores=event.stores, verify_findings=tuple(event.findings))
