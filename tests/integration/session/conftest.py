"""A running session service on a real broker, and the people of a studio who call it."""

import asyncio
import contextlib
import hashlib
import io
import math
import struct
import uuid
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
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
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.event_log import AggregateId, Metadata, StoredEvent
from tapelog_chassis.event_log.codec import encode
from tapelog_chassis.event_registry import event_type_of
from tapelog_chassis.testing import Broker, embedded_nats, eventually
from tapelog_chassis.topology import pub_subject
from tapelog_client.calls import Calls
from tapelog_client.channel import open_channel
from tapelog_client.tokens import StaticTokenSource
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


def wav_bytes(frequency_hz: float, length_frames: int = 4800) -> bytes:
    """A 16-bit mono WAV of a sine."""
    samples = [round(8000 * math.sin(2 * math.pi * frequency_hz * n / RATE_HZ)) for n in range(length_frames)]
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(struct.pack(f"<{length_frames}h", *samples))
    return out.getvalue()


class Studio:
    """Callers of one running service."""

    def __init__(self, channel: Any, issuer: LocalIssuer) -> None:
        self._issuer = issuer
        self.stub = SessionServiceStub(channel)
        self.project = ""
        self.song = ""

    def calls(self, party: str, *, kind: Any = "person", tenant: str = TENANT, **claims: Any) -> Calls:
        """Calls of one person."""
        token = self._issuer.mint(audiences=["session"], tenant=tenant, party=party, kind=kind, **claims)
        return Calls(StaticTokenSource(token), seed=1)

    async def call(self, party: str, rpc: str, request: Message, **claims: Any) -> Any:
        """Call an RPC as a person."""
        return await self.calls(party, **claims).unary(getattr(self.stub, rpc), request)

    async def upload(self, party: str, data: bytes, **changes: Any) -> pb.Asset:
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
            for start in range(0, len(data), 1000):
                yield wire.UploadAssetRequest(chunk=data[start : start + 1000])

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


class RenderHouse:
    """Publishes what the render service would: genuine public events on the real stream."""

    def __init__(self, connection: Client, studio: Studio) -> None:
        self._connection = connection
        self._studio = studio

    async def publish(self, event: Message, *, event_id: str = "", job: str = "job-1") -> str:
        """Publish an event of a render job; returns its id."""
        project, song = self._studio.project.split("/")[1], self._studio.song.split("/")[3]
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
        """What a render is for."""
        return render_pb.RenderReference(
            project=self._studio.project.split("/")[1], song=self._studio.song.split("/")[3], key=key, cycle=1
        )

    async def succeed(self, key: str, *audio: audio_pb2.AudioResult, analysis: str = "", **ids: str) -> str:
        """Publish a success."""
        files = [render_pb.RenderedFile(role="analysis", sha256=analysis, media_type="application/json", size_bytes=2)]
        result = render_pb.RenderResult(audio=audio, files=files if analysis else [], engine_version="test-1")
        event = render_events.RenderSucceeded(attempt=1, result=result, reference=self.reference(key))
        return await self.publish(event, **ids)


def audio_result(data: bytes, **measured: Any) -> audio_pb2.AudioResult:
    """What a render says of a file."""
    values = {"integrated_lufs": -14.05, "loudness_range_lu": 6.0, "true_peak_dbtp": -1.2, **measured}
    sha256 = hashlib.sha256(data).hexdigest()
    return audio_pb2.AudioResult(
        sha256=sha256,
        sample_digest=hashlib.sha256(b"samples" + data).hexdigest(),
        size_bytes=len(data),
        media_type="audio/flac" if data[:4] == b"fLaC" else "audio/wav",
        format=audio_pb2.AudioFormat(
            sample_rate_hz=RATE_HZ, channels=2, bit_depth=24, length_frames=4800, container="wav"
        ),
        measurements=audio_pb2.Measurements(sample_rate_hz=RATE_HZ, channels=2, length_frames=4800, **values),
    )


@pytest.fixture
def make_wav() -> Callable[..., bytes]:
    """Make a small WAV file."""
    return wav_bytes


@pytest.fixture
def make_audio() -> Callable[..., audio_pb2.AudioResult]:
    """Make what a render says of a file."""
    return audio_result


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A real broker with the whole topology."""
    async with embedded_nats(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    """The local issuer of the data folder."""
    return LocalIssuer.open(tmp_path / "data" / "identity", create=True)


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, issuer: LocalIssuer) -> SessionSettings:
    """Settings of a service on that broker; nobody renders."""
    creds = tmp_path / "session.creds"
    creds.write_text(broker.creds("session"))
    return SessionSettings(
        data_dir=tmp_path / "data",
        nats_url=broker.url,
        nats_creds=creds,
        render_address="127.0.0.1:1",
        drain_s=1.0,
    )


@contextlib.asynccontextmanager
async def _serving(settings: SessionSettings) -> AsyncIterator[str]:
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(settings, ready=lambda **fields: address.set_result(fields["address"]), stop=stop))
        waiting: Awaitable[Any] = asyncio.wait({task, address}, return_when=asyncio.FIRST_COMPLETED)
        await waiting
        try:
            yield str(address.result())
        finally:
            stop.set()


@pytest.fixture
def serving() -> Any:
    """Run a service, as an async context manager that gives its address."""
    return _serving


@pytest.fixture
async def studio(settings: SessionSettings, issuer: LocalIssuer) -> AsyncIterator[Studio]:
    """Callers of a running service."""
    async with _serving(settings) as address, open_channel(address) as channel:
        yield Studio(channel, issuer)


@pytest.fixture
async def renders(broker: Broker, studio: Studio) -> RenderHouse:
    """Whoever publishes the ends of renders."""
    return RenderHouse(await broker.connect("notify"), studio)


@pytest.fixture
def make_recipe() -> Callable[..., recipe_pb2.MixRecipe]:
    """Make a mix recipe of one lead track, with these inserts."""

    def make(asset: pb.Asset, *chain: recipe_pb2.Processor) -> recipe_pb2.MixRecipe:
        source = recipe_pb2.RecipeSource(asset_sha256=asset.sha256)
        track = recipe_pb2.RecipeTrack(id="lead-vox", source=source, chain=chain, tags=["vocal"])
        return recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ, tracks=[track])

    return make


async def version_reaches(studio: Studio, number: int, state: pb.VersionState.ValueType) -> pb.Song:
    """Wait until a version of the song is in a state."""
    found: list[pb.Song] = []

    async def reached() -> bool:
        found[:] = [await studio.get_song()]
        return any(v.number == number and v.state == state for v in found[0].versions)

    await eventually(reached)
    return found[0]


@pytest.fixture
def reaches() -> Any:
    """Wait for a version's state."""
    return version_reaches
