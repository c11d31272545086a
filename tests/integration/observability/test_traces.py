"""One trace from a call of the SDK to the engine, through two services, the log and the queue."""

import contextlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.observability import tracing
from tapelog_client import Tapelog
from tapelog_client.tokens import LocalKeyTokenSource

WORK_S = 60.0
TITLE = "A Title Nobody Traces"
CHAIN = [
    "render",
    "work on a job",
    "tapelog.render.v1.RenderService/CreateRenderJob",
    "ask for renders",
    "tapelog.session.v1.SessionService/AddTake",
    "AddTake",
]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]


async def record_a_take(people: dict[str, Tapelog], stem: Path) -> res.Song:
    """Bring a song to RECORDING, record one take and wait for its arrival check."""
    producer, artist, recording = people["producer"], people["artist"], people["recording"]
    members = [
        res.Member(party="pty-producer", roles=[res.ROLE_STUDIO_PRODUCER]),
        res.Member(party="pty-artist", roles=[res.ROLE_ARTIST, res.ROLE_SONGWRITER]),
        res.Member(party="pty-recording", roles=[res.ROLE_RECORDING_ENGINEER]),
    ]
    project = await producer.projects.create(TITLE, "The Testers", members)
    song = (await producer.songs.create(project.name, TITLE, sample_rate_hz=48_000, bit_depth=24)).name
    await artist.songs.register_work(song, TITLE, ["pty-artist"])
    await artist.briefs.propose(song, brief_pb2.Brief(intent="Plain."))
    for person in (artist, producer):
        await person.briefs.agree(song, 1)
        await person.songs.approve_arrangement(song)
    await producer.stages.advance(song, res.STAGE_RECORDING)
    await recording.takes.define_track(song, "lead-vox", "Lead")
    await recording.takes.record(song, "lead-vox", stem)
    return await recording.takes.wait_checked(song, timeout_s=WORK_S)


async def test_a_call_and_what_follows_from_it_are_one_trace(running: Any, tmp_path: Path):
    """From the engine's stage up to the caller, every span's parent is the step before; no span holds a payload."""
    ports = dict(zip(("session", "render", "notify"), free_ports(3), strict=True))
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    stem = tmp_path / "lead.wav"
    soundfile.write(stem, 0.1 * np.sin(2 * np.pi * 220 * np.arange(24_000) / 48_000), 48_000, subtype="PCM_24")
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.recording(provider):
        async with contextlib.AsyncExitStack() as stack:
            for name, changes in (
                ("session", {"port": ports["session"], "render_address": addresses["render"]}),
                ("render", {"port": ports["render"], "session_address": addresses["session"]}),
                ("notify", {"port": ports["notify"]}),
                ("worker", {}),
            ):
                await stack.enter_async_context(running(name, metrics_port=None, **changes))
            people = {
                name: await stack.enter_async_context(
                    Tapelog.connect(
                        **addresses,
                        tokens=LocalKeyTokenSource(tmp_path / "identity", tenant="acme", party=f"pty-{name}"),
                    )
                )
                for name in ("producer", "artist", "recording")
            }
            song = await record_a_take(people, stem)
            assert len(song.takes) == 1
    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans}
    (engine,) = [span for span in spans if span.name == "render"]
    chain: list[ReadableSpan] = []
    here: ReadableSpan | None = engine
    while here is not None:
        chain.append(here)
        here = by_id.get(here.parent.span_id) if here.parent is not None else None
    assert [span.name for span in chain] == CHAIN
    assert len({span.context.trace_id for span in chain}) == 1
    siblings = {span.name for span in spans if span.parent and span.parent.span_id == chain[1].context.span_id}
    assert {"fetch", "render", "store"} <= siblings
    told = "\n".join(span.to_json() for span in spans)
    for secret in (TITLE, "pty-", "acme", "lead-vox", "Bearer"):
        assert secret not in told, secret


def test_without_a_set_up_nothing_is_traced():
    """Off, no header is made and no span; a malformed one that came with a call begins a trace of its own."""
    assert not tracing.is_on()
    with tracing.span("step") as nothing:
        assert nothing is None
        assert tracing.traceparent() == ""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.recording(provider):
        for parent in ("", "00-zz-zz-01", "0" * 5000):
            with pytest.raises(ValueError, match="secret"), tracing.span("step", parent=parent):
                int("the secret is swordfish")
    spans = exporter.get_finished_spans()
    assert [span.parent for span in spans] == [None] * 3
    assert {span.status.description for span in spans} == {"ValueError"}
    assert not any(span.events for span in spans)


def test_an_endpoint_of_its_own_is_a_processes_set_up():
    """With an endpoint spans are on until the process ends; nothing listens there, and nothing waits long for it."""
    (port,) = free_ports(1)
    with tracing.exporting("session", f"http://127.0.0.1:{port}/v1/traces", 1.0):
        assert tracing.is_on()
    assert not tracing.is_on()
