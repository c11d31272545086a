"""What the simulation begins with: two songs, one that is being recorded and one that is being mixed."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.event_log import AggregateId, Metadata, NewEvent, StoredEvent, chain
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_notify.adapters.public_codec import encode_public
from tapelog_notify.application.ports import Outgoing
from tapelog_session.application.aggregates import CONTEXT, EVENTS
from tapelog_session.domain import songs
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.gates import stages
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.tracking import recording
from tapelog_session.domain.vision import brief

from .loop import EPOCH

TENANT: Final = "acme"
PROJECT: Final = "prj-1"
RECORDED: Final = AggregateId(CONTEXT, TENANT, "sng-rec")
MIXED: Final = AggregateId(CONTEXT, TENANT, "sng-mix")
TRACKS: Final = ("lead-vox", "drums")
ARTIST: Final = Actor("ana", pb.ROLE_ARTIST)
PRODUCER: Final = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER: Final = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def sha(text: str) -> str:
    """Return a digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def recipe(gain_db: float) -> recipe_pb2.MixRecipe:
    """Return a mix of the song's two tracks; another gain is another recipe."""
    tracks = [
        recipe_pb2.RecipeTrack(id=track, source=recipe_pb2.RecipeSource(asset_sha256=sha(track))) for track in TRACKS
    ]
    tracks[0].gain_db = gain_db
    return recipe_pb2.MixRecipe(sample_rate_hz=48_000, tracks=tracks)


@functools.cache
def past() -> tuple[StoredEvent, ...]:
    """Return the histories of both songs."""
    stored: list[StoredEvent] = []
    for aggregate in (RECORDED, MIXED):
        song = _Song(aggregate.id)
        song.to_recording()
        if aggregate == MIXED:
            song.to_mixing()
        stored += song.stored(aggregate)
    return tuple(stored)


@functools.cache
def published() -> tuple[StoredMessage, ...]:
    """Return the public stream after both histories."""
    drafts = [encode_public(Outgoing(event, {CONTEXT: position})) for position, event in enumerate(past(), start=1)]
    return tuple(
        StoredMessage(draft.subject, position, draft.headers, draft.data)
        for position, draft in enumerate(drafts, start=1)
    )


class _Song:
    """A song that is decided and folded in memory."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._song = Song()
        self._events: list[Message] = []

    def do(self, decide: Callable[..., Sequence[Message]], *args: Any, **kwargs: Any) -> None:
        for event in decide(self._song, *args, **kwargs):
            self._events.append(event)
            self._song = evolve(self._song, event, EPOCH)

    def to_recording(self) -> None:
        created = events_pb2.SongCreated(
            song=self._name, project=PROJECT, title="Lights Out", sample_rate_hz=48_000, bit_depth=24
        )
        self.do(songs.create_song, created)
        self.do(brief.propose_brief, brief_pb2.Brief(intent="A dry, close voice."), "")
        for actor in (ARTIST, PRODUCER):
            self.do(brief.agree_brief, actor, 1)
            self.do(brief.approve_arrangement, actor)
        self.do(songs.register_work, pb.Work(title="Lights Out", writers=["ana"]))
        self.do(stages.advance, pb.STAGE_RECORDING)
        for track in TRACKS:
            self.do(recording.define_track, track, track.title(), required=True)

    def to_mixing(self) -> None:
        measured = audio_pb2.Measurements(length_frames=48_000)
        form = audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=1, length_frames=48_000)
        for track in TRACKS:
            take = f"tk-{track}"
            self.do(recording.record_take, take, track, sha(track), "rex")
            self.do(recording.record_check, take, measured, form)
            self.do(recording.select_take, track, take)
        self.do(stages.advance, pb.STAGE_MIXING)

    def stored(self, aggregate: AggregateId) -> list[StoredEvent]:
        sealed: list[StoredEvent] = []
        for number, message in enumerate(self._events):
            request_id = ids.follow_up_request_id(f"{aggregate}/{number}", "past")
            event = NewEvent(
                event_id=ids.event_id(request_id, 0),
                type=EVENTS.type_of(message),
                schema=message.DESCRIPTOR.full_name,
                data=message.SerializeToString(deterministic=True),
                time=EPOCH - timedelta(hours=1) + timedelta(seconds=number),
            )
            previous = sealed[-1].hash if sealed else chain.genesis_hash(aggregate)
            metadata = Metadata(
                actor="pia", request_id=request_id, request_hash="0" * 64, project=PROJECT, song=aggregate.id
            )
            sealed += chain.seal(aggregate, number, previous, [event], metadata)
        return sealed
