"""A running session service on a real broker, and the people of a studio who call it."""

import asyncio
import contextlib
import hashlib
import io
import math
import struct
import uuid
import wave
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from nats.aio.client import Client
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.aggregates.event_registry import event_type_of
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.event_log import AggregateId, Metadata, StoredEvent
from tapelog_chassis.event_log.codec import encode
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import Broker, embedded_nats, eventually
from tapelog_chassis.topology import pub_subject
from tapelog_client.calls import Calls
from tapelog_client.channel import open_channel
from tapelog_client.tokens import StaticTokenSource
from tapelog_session.application.following.render_requests import job_id_of
from tapelog_session.domain.names import SongName
from tapelog_session.main import run
from tapelog_session.settings import SessionSettings

TENANT = "acme"
RATE_HZ = 48_000
MEMBERS = {
    "ana": [pb.ROLE_ARTIST],
    "pia": [pb.ROLE_STUDIO_PRODUCER],
    "rex": [pb.ROLE_RECORDING_ENGINEER],
    "mia": [pb.ROLE_MIXING_ENGINEER],
    "max": [pb.ROLE_MASTERING_ENGINEER],
    "mel": [pb.ROLE_MUSICIAN],
    "lou": [pb.ROLE_LABEL],
}


class Studio:
    """The people of a project, calling one running service."""

    def __init__(self, channel: Any, issuer: LocalIssuer, objects: ObjectStore) -> None:
        self._issuer = issuer
        self.objects = objects
        self.connect(channel)
        self.project = ""
        self.song = ""

    def connect(self, channel: Any) -> None:
        """Use another channel from now on."""
        self.stub = SessionServiceStub(channel)

    def calls(self, party: str, *, kind: Any = "person", tenant: str = TENANT, **claims: Any) -> Calls:
        """Return the calls of one person."""
        token = self._issuer.mint(audiences=["session"], tenant=tenant, party=party, kind=kind, **claims)
        return Calls(StaticTokenSource(token), seed=1)

    async def call(self, party: str, rpc: str, request: Message, **claims: Any) -> Any:
        """Call an RPC as a person."""
        return await self.calls(party, **claims).unary(getattr(self.stub, rpc), request)

    async def upload(self, party: str, data: bytes, *, chunk_bytes: int = 1000, **changes: Any) -> pb.Asset:
        """Upload bytes as the client does."""
        header = wire.UploadHeader(
            parent=self.project,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            original_filename="take.wav",
            request_id=str(uuid.uuid4()),
        )
        for name, value in changes.items():
            setattr(header, name, value)

        async def requests() -> AsyncIterator[wire.UploadAssetRequest]:
            yield wire.UploadAssetRequest(header=header)
            for start in range(0, len(data), chunk_bytes):
                yield wire.UploadAssetRequest(chunk=data[start : start + chunk_bytes])

        return await self.calls(party).upload(self.stub.UploadAsset, requests())

    async def get_song(self, **as_of: Any) -> pb.Song:
        """Read the song as the producer does."""
        return await self.call("pia", "GetSong", wire.GetSongRequest(name=self.song, **as_of))

    async def begin(self, **song: Any) -> None:
        """Create the project with its people, and a song."""
        members = [pb.Member(party=party, roles=roles) for party, roles in MEMBERS.items()]
        request = wire.CreateProjectRequest(title="North Pier", artist_name="The North Pier", members=members)
        self.project = (await self.call("pia", "CreateProject", request)).name
        values = {"title": "Lights Out", "sample_rate_hz": RATE_HZ, "bit_depth": 24, **song}
        created = await self.call("pia", "CreateSong", wire.CreateSongRequest(parent=self.project, **values))
        self.song = created.name

    async def agree(self, *constraints: brief_pb2.Constraint) -> None:
        """Propose a brief, agree to it, approve the arrangement, register the work."""
        brief = brief_pb2.Brief(intent="A dry, close voice.", constraints=constraints)
        await self.call("ana", "ProposeBrief", wire.ProposeBriefRequest(song=self.song, brief=brief))
        for party in ("ana", "pia"):
            await self.call(party, "AgreeBrief", wire.AgreeBriefRequest(song=self.song, revision=1))
            await self.call(party, "ApproveArrangement", wire.ApproveArrangementRequest(song=self.song))
        work = pb.Work(title="Lights Out", writers=["ana"])
        await self.call("ana", "RegisterWork", wire.RegisterWorkRequest(song=self.song, work=work))

    async def advance(self, to: pb.Stage.ValueType) -> pb.Song:
        """Advance the stage as the producer."""
        return await self.call("pia", "AdvanceStage", wire.AdvanceStageRequest(song=self.song, to=to))

    async def add_take(self, data: bytes) -> pb.Take:
        """Upload a file and add it as a take of the lead; it is still to be checked."""
        asset = await self.upload("rex", data)
        if not (await self.get_song()).tracks:
            define = wire.DefineTrackRequest(song=self.song, track="lead-vox", title="Lead Vox", required=True)
            await self.call("rex", "DefineTrack", define)
        add = wire.AddTakeRequest(song=self.song, track="lead-vox", asset_sha256=asset.sha256)
        return (await self.call("rex", "AddTake", add)).takes[-1]

    async def select(self, take: pb.Take) -> pb.Song:
        """Select a take as the artist."""
        select = wire.SelectTakeRequest(song=self.song, track=take.track, take=take.id)
        return await self.call("ana", "SelectTake", select)

    async def approve(self, version: pb.Version) -> None:
        """Approve a version as artist and producer."""
        for party in ("ana", "pia"):
            digest = version.audio[0].sample_digest
            await self.call(
                party, "ApproveVersion", wire.ApproveVersionRequest(name=version.name, sample_digest=digest)
            )

    async def reaches(self, number: int, state: pb.VersionState.ValueType) -> pb.Version:
        """Wait until the newest version with a number is in a state."""
        found: list[pb.Version] = []

        async def reached() -> bool:
            song = await self.get_song()
            found[:] = [v for v in song.versions if v.number == number and v.state == state]
            return bool(found)

        await eventually(reached)
        return found[-1]

    async def keep(self, *contents: bytes) -> None:
        """Put what a worker would have rendered into the object store."""

        async def once(data: bytes) -> AsyncIterator[bytes]:
            yield data

        for data in contents:
            await self.objects.put_stream(once(data), max_bytes=1 << 20)

    @staticmethod
    def wav(frequency_hz: float, length_frames: int = 4800) -> bytes:
        """Return a 16-bit mono WAV of a sine."""
        samples = [round(8000 * math.sin(2 * math.pi * frequency_hz * n / RATE_HZ)) for n in range(length_frames)]
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(struct.pack(f"<{length_frames}h", *samples))
        return out.getvalue()

    @staticmethod
    def audio(data: bytes, **measured: Any) -> audio_pb2.AudioResult:
        """Return what a render says of a file."""
        values = {"integrated_lufs": -14.05, "loudness_range_lu": 6.0, "true_peak_dbtp": -1.2, **measured}
        return audio_pb2.AudioResult(
            sha256=hashlib.sha256(data).hexdigest(),
            sample_digest=hashlib.sha256(b"samples" + data).hexdigest(),
            size_bytes=len(data),
            media_type="audio/flac" if data[:4] == b"fLaC" else "audio/wav",
            format=audio_pb2.AudioFormat(
                sample_rate_hz=RATE_HZ, channels=2, bit_depth=24, length_frames=4800, container="wav"
            ),
            measurements=audio_pb2.Measurements(sample_rate_hz=RATE_HZ, channels=2, length_frames=4800, **values),
            translation=[
                audio_pb2.TranslationCheck(
                    profile="phone", status=audio_pb2.TRANSLATION_STATUS_PASS, limit=6, unit="LU"
                )
            ],
        )

    @staticmethod
    def recipe(asset_sha256: str, *chain: recipe_pb2.Processor) -> recipe_pb2.MixRecipe:
        """Return a mix of one lead track with these inserts."""
        source = recipe_pb2.RecipeSource(asset_sha256=asset_sha256)
        track = recipe_pb2.RecipeTrack(id="lead-vox", source=source, chain=chain, tags=["vocal"])
        return recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ, tracks=[track])


class RenderHouse:
    """Publishes what the render service would: genuine public events on the real stream."""

    def __init__(self, connection: Client, studio: Studio) -> None:
        self._connection = connection
        self._studio = studio

    async def publish(self, event: Any, *, event_id: str = "", job: str = "") -> str:
        """Publish an event of a render job, by default of the one the session asked for; returns its id."""
        project, song = self._studio.project.split("/")[1], self._studio.song.split("/")[3]
        job = job or job_id_of(TENANT, SongName(project, song), event.reference.key)
        stored = StoredEvent(
            aggregate=AggregateId("render", TENANT, job),
            sequence=3,
            position=1,
            event_id=event_id or str(uuid.uuid4()),
            type=event_type_of("render_job", type(event)),
            schema=event.DESCRIPTOR.full_name,
            time=datetime.now(UTC),
            data=event.SerializeToString(),
            metadata=Metadata(actor="svc-render", project=project, song=song),
            hash="0" * 64,
            previous_hash="0" * 64,
        )
        headers = {name: value for name, value in encode(stored).items() if not name.startswith("tl-")}
        subject = pub_subject(TENANT, project, song, stored.type)
        await self._connection.jetstream().publish(subject, stored.data, headers=headers)
        return stored.event_id

    def reference(self, key: str) -> render_pb.RenderReference:
        """Return what a render is for."""
        return render_pb.RenderReference(
            project=self._studio.project.split("/")[1], song=self._studio.song.split("/")[3], key=key, cycle=1
        )

    async def succeed(self, key: str, *audio: audio_pb2.AudioResult, analysis: str = "", **ids: str) -> str:
        """Publish a success."""
        files = [render_pb.RenderedFile(role="analysis", sha256=analysis, media_type="application/json", size_bytes=2)]
        result = render_pb.RenderResult(audio=audio, files=files if analysis else [], engine_version="test-1")
        event = render_events.RenderSucceeded(attempt=1, result=result, reference=self.reference(key))
        return await self.publish(event, **ids)

    async def fail(self, key: str, **ids: str) -> str:
        """Publish a failure."""
        event = render_events.RenderFailed(
            attempts=3, reason="SOURCE_TRUNCATED", message="the file ends early", reference=self.reference(key)
        )
        return await self.publish(event, **ids)

    async def measure(self, take: pb.Take, **measured: Any) -> str:
        """Publish the analysis of a take."""
        measurements = audio_pb2.Measurements(sample_rate_hz=RATE_HZ, channels=1, length_frames=4800, **measured)
        form = audio_pb2.AudioFormat(sample_rate_hz=RATE_HZ, channels=1, bit_depth=24, length_frames=4800)
        result = audio_pb2.AudioResult(sha256=take.asset_sha256, measurements=measurements, format=form)
        return await self.succeed(f"takes/{take.id}", result)

    async def record(self, data: bytes) -> pb.Take:
        """Bring the agreed song to MIXING with one checked, selected take."""
        studio = self._studio
        await studio.advance(pb.STAGE_RECORDING)
        take = await studio.add_take(data)
        await studio.select(take)
        await self.measure(take)

        async def checked() -> bool:
            return (await studio.get_song()).takes[0].check_state == pb.TAKE_CHECK_STATE_PASSED

        await eventually(checked)
        await studio.advance(pb.STAGE_MIXING)
        return take

    async def finish(self, party: str, proposed: pb.Version, tone_hz: float) -> pb.Version:
        """Render a proposed version, submit it and have it approved."""
        studio = self._studio
        wav, flac, analysis = studio.wav(tone_hz), b"fLaC" + studio.wav(tone_hz), b"{}"
        await studio.keep(wav, flac, analysis)
        key = "/".join(proposed.name.split("/")[-2:])
        digest = hashlib.sha256(analysis).hexdigest()
        await self.succeed(key, studio.audio(wav), studio.audio(flac), analysis=digest)
        rendered = await studio.reaches(proposed.number, pb.VERSION_STATE_RENDERED)
        await studio.call(party, "SubmitVersion", wire.SubmitVersionRequest(name=proposed.name))
        await studio.approve(rendered)
        return rendered

    async def deliver(self, tone_hz: float = 442) -> pb.DeliveryPackage:
        """Bring a song in MASTERING with an approved mix to DELIVERED, with its final package."""
        studio = self._studio
        recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
        propose = wire.ProposeMasterVersionRequest(song=studio.song, recipe=recipe)
        await self.finish("max", await studio.call("max", "ProposeMasterVersion", propose), tone_hz)
        await studio.call("pia", "SetCatalogueIds", wire.SetCatalogueIdsRequest(song=studio.song, isrc="QZABC2500001"))
        build = wire.BuildDeliveryRequest(song=studio.song, mixer_initials="mm")
        await studio.call("max", "BuildDelivery", build)
        await studio.advance(pb.STAGE_DELIVERED)
        return await studio.call("max", "BuildDelivery", build)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a real broker with the whole topology."""
    async with embedded_nats(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    """Make the local issuer of the data folder."""
    return LocalIssuer.open(tmp_path / "data" / "identity", create=True)


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, issuer: LocalIssuer) -> SessionSettings:
    """Return settings of a service on that broker; nobody renders."""
    creds = tmp_path / "session.creds"
    creds.write_text(broker.creds("session"))
    return SessionSettings(
        data_dir=tmp_path / "data",
        nats_url=broker.url,
        nats_creds=creds,
        port=0,
        render_address="127.0.0.1:1",
        drain_s=1.0,
    )


@contextlib.asynccontextmanager
async def _serving(settings: SessionSettings) -> AsyncIterator[str]:
    stop = asyncio.Event()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            run(settings, ready=lambda **fields: address.set_result(str(fields["address"])), stop=stop)
        )
        await asyncio.wait({task, address}, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield address.result()
        finally:
            stop.set()


@pytest.fixture
def serving() -> Any:
    """Run a service, as an async context manager that gives its address."""
    return _serving


@pytest.fixture
async def studio(settings: SessionSettings, issuer: LocalIssuer) -> AsyncIterator[Studio]:
    """Call a running service."""
    async with _serving(settings) as address, open_channel(address) as channel:
        yield Studio(channel, issuer, ObjectStore(settings.objects_url))


@pytest.fixture
async def booked(studio: Studio) -> Studio:
    """Book a project and a song."""
    await studio.begin(external_ref="BOOK-4711")
    return studio


@pytest.fixture
async def renders(broker: Broker, studio: Studio) -> RenderHouse:
    """Publish the ends of renders."""
    return RenderHouse(await broker.connect("notify"), studio)


@pytest.fixture
def studio_class() -> type[Studio]:
    """Return the callers' class, for tests that run the service in another way."""
    return Studio


@pytest.fixture
def render_house_class() -> type[RenderHouse]:
    """Return the class of those who publish the ends of renders, for the same."""
    return RenderHouse
