"""A song that is decided and folded in memory, as the service does it."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import songs
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.gates import stages
from tapelog_session.domain.handover import delivery
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import notes
from tapelog_session.domain.tracking import recording
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.targets import Target
from tapelog_session.domain.vision import brief

TARGETS = {"streaming": Target(-14.0, -1.0), "cd": Target(None, -0.3)}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)
MASTERER = Actor("max", pb.ROLE_MASTERING_ENGINEER)


class Session:
    """One song in memory: every decision is folded at once, a second apart."""

    def __init__(self) -> None:
        self.song = Song()
        self.events: list[tuple[Message, datetime]] = []

    def do(self, decide: Callable[..., Sequence[Message]], *args: Any, **kwargs: Any) -> list[Message]:
        """Decide on the song as it is, and fold what was decided."""
        return self.record(decide(self.song, *args, **kwargs))

    def record(self, decided: Sequence[Message]) -> list[Message]:
        """Fold events."""
        for event in decided:
            time = EPOCH + timedelta(seconds=len(self.events))
            self.events.append((event, time))
            self.song = evolve(self.song, event, time)
        return list(decided)

    def create(self) -> None:
        """Create the song."""
        created = events_pb2.SongCreated(
            song="sng-1", project="prj-1", title="Lights Out", sample_rate_hz=48000, bit_depth=24
        )
        self.do(songs.create_song, created)

    def agree(self, *constraints: brief_pb2.Constraint, reason: str = "") -> None:
        """Put a brief in force and agree to it."""
        proposed = brief_pb2.Brief(intent="A dry, close voice.", constraints=constraints)
        self.do(brief.propose_brief, proposed, reason)
        for actor in (ARTIST, PRODUCER):
            self.do(brief.agree_brief, actor, self.song.brief_revision)

    def to_recording(self, *constraints: brief_pb2.Constraint) -> None:
        """Bring a new song to RECORDING."""
        self.create()
        self.agree(*constraints)
        for actor in (ARTIST, PRODUCER):
            self.do(brief.approve_arrangement, actor)
        self.do(songs.register_work, pb.Work(title="Lights Out", writers=["ana"]))
        self.do(stages.advance, pb.STAGE_RECORDING)

    def add_take(self, track: str, take: str, **measured: Any) -> None:
        """Define a track, record a take of it, check it and select it."""
        self.do(recording.define_track, track, track.title(), required=True)
        self.do(recording.record_take, take, track, sha(track), "rex")
        measurements = audio_pb2.Measurements(length_frames=48000, **measured)
        form = audio_pb2.AudioFormat(sample_rate_hz=48000, channels=1, length_frames=48000)
        self.do(recording.record_check, take, measurements, form)
        if self.song.takes[take].has_passed:
            self.do(recording.select_take, track, take)

    def to_mixing(self, *constraints: brief_pb2.Constraint) -> None:
        """Bring a new song to MIXING with a voice and drums."""
        self.to_recording(*constraints)
        self.add_take("lead-vox", "tk-1")
        self.add_take("drums", "tk-2")
        self.do(stages.advance, pb.STAGE_MIXING)

    def mix(self, *chain: recipe_pb2.Processor) -> int:
        """Propose a mix with these inserts on the voice; returns its number."""
        self.do(versions.propose_mix, MIXER, mix_recipe(*chain), "")
        return len(self.song.mixes)

    def render(self, kind: Any, number: int, **measured: Any) -> str:
        """Record a version's render; returns the digest of its samples."""
        name = f"{kind}/{number}"
        audio = [audio_result(name, "audio/wav", **measured), audio_result(name, "audio/flac", **measured)]
        analysis = pb.Attachment(role="analysis", sha256=sha("a" + name), media_type="application/json", size_bytes=2)
        self.do(
            versions.record_render,
            kind,
            number,
            audio=audio,
            attachments=[analysis],
            render_job="job-1",
            engine_version="1",
        )
        return audio[0].sample_digest

    def approve(self, kind: Any, number: int, *actors: Actor) -> None:
        """Submit a rendered version and approve it."""
        if self.song.versions(kind)[number].state == pb.VERSION_STATE_RENDERED:
            self.do(versions.submit, kind, number)
        digest = self.song.versions(kind)[number].sample_digest
        for actor in actors or (ARTIST, PRODUCER):
            self.do(reviews.approve, actor, kind, number, sample_digest=digest, brief_revision=0)

    def to_mastering(self) -> None:
        """Bring a new song to MASTERING."""
        self.to_mixing()
        self.render(versions.MIX, self.mix())
        self.approve(versions.MIX, 1)
        self.do(stages.advance, pb.STAGE_MASTERING)

    def master(self, **measured: Any) -> int:
        """Propose a master for streaming and record its render; returns its number."""
        recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
        self.do(versions.propose_master, MASTERER, recipe, "", targets=TARGETS)
        number = len(self.song.masters)
        self.render(versions.MASTER, number, **measured)
        return number

    def to_delivered(self) -> None:
        """Bring a new song to DELIVERED."""
        self.to_mastering()
        self.approve(versions.MASTER, self.master())
        self.do(songs.set_catalogue_ids, "QZABC2500001")
        self.do(delivery.record_precheck, (), "dlv-1", 1)
        self.do(stages.advance, pb.STAGE_DELIVERED)

    def note(self, note: str, severity: Any = pb.NOTE_SEVERITY_BLOCKER) -> None:
        """Add a note to mix 1 as the producer."""
        content = pb.Note(version=self.song.name.version(versions.MIX, 1), severity=severity, text="too loud")
        self.do(notes.add_note, PRODUCER, note, content)

    def failing(self) -> list[str]:
        """Return the codes of the conditions that keep the song in its stage."""
        return [condition.code for condition in stages.open_conditions(self.song)]


def sha(text: str) -> str:
    """Return a digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def mix_recipe(*chain: recipe_pb2.Processor) -> recipe_pb2.MixRecipe:
    """Return a mix of voice and drums, with inserts on the voice."""
    voice = recipe_pb2.RecipeTrack(
        id="lead-vox", source=recipe_pb2.RecipeSource(asset_sha256=sha("lead-vox")), chain=chain, tags=["vocal"]
    )
    drums = recipe_pb2.RecipeTrack(id="drums", source=recipe_pb2.RecipeSource(asset_sha256=sha("drums")))
    return recipe_pb2.MixRecipe(sample_rate_hz=48000, tracks=[voice, drums])


def audio_result(name: str, media_type: str, *, failing: Sequence[str] = (), **measured: Any) -> audio_pb2.AudioResult:
    """Return what a render says of a file; a master fails on the `failing` playback profiles."""
    fail, fine = audio_pb2.TRANSLATION_STATUS_FAIL, audio_pb2.TRANSLATION_STATUS_PASS
    translation = [
        audio_pb2.TranslationCheck(
            profile=profile, title=profile, status=fail if profile in failing else fine, value=6.5, limit=6, unit="LU"
        )
        for profile in ("phone", "car")
    ]
    values = {"integrated_lufs": -14.1, "loudness_range_lu": 6.0, "true_peak_dbtp": -1.0, **measured}
    return audio_pb2.AudioResult(
        sha256=sha(name + media_type),
        sample_digest=sha(name),
        size_bytes=1000,
        media_type=media_type,
        format=audio_pb2.AudioFormat(sample_rate_hz=48000, channels=2, bit_depth=24, length_frames=48000),
        measurements=audio_pb2.Measurements(length_frames=48000, **values),
        translation=translation,
    )


@pytest.fixture
def session() -> Session:
    """Return an empty song in memory."""
    return Session()


@pytest.fixture
def recipe_of() -> Callable[..., recipe_pb2.MixRecipe]:
    """Return the maker of mix recipes."""
    return mix_recipe


@pytest.fixture
def digest() -> Callable[[str], str]:
    """Return the maker of digests."""
    return sha
