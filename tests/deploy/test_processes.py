"""Every part as a process of its own, with TLS between them: healthy, at work together, and drained by SIGTERM."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import numpy as np
import pytest
import soundfile
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_cli.installation.deployment_folder import make_deployment
from tapelog_client import Tapelog
from tapelog_client.channel import open_channel
from tapelog_client.tokens import LocalKeyTokenSource
from tapelog_console.identity.sign_in import sign_in_link

from .handshakes import (
    WRONGS,
    Listener,
    grpc_listener,
    http_listener,
    nats_listener,
    permissive_listener,
    serves,
    speaks_old_tls,
    speaks_tls,
    wrong_pairs,
)

MODULES = {
    "session": "tapelog_session",
    "render": "tapelog_render",
    "worker": "tapelog_render.worker",
    "notify": "tapelog_notify",
    "console": "tapelog_console",
}
GRPC = ("session", "render", "notify")
METERED = ("session", "render", "notify", "worker")
READY_S = 60.0
STOP_S = 60.0
REVOKED_S_MAX = 20.0
"""Generous: it is a second for the services, but trials of a loaded machine take their time."""
WORK_S = 60.0


@dataclasses.dataclass
class Part:
    """A running process and its log, one JSON object a line."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Return the whole lines of the log so far; what is not JSON is a line of its own kind."""
        lines = self.log.read_text().split("\n")[:-1]
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    async def wait_ready(self) -> None:
        """Wait for the line in which it says that it serves."""
        async with asyncio.timeout(READY_S):
            while not any(line["event"] == "ready" for line in self.events()):
                assert self.process.returncode is None, f"{self.name} ended:\n{self.log.read_text()}"
                await asyncio.sleep(0.05)


@dataclasses.dataclass
class Running:
    """All parts, and where their services listen."""

    folder: Path
    ports: dict[str, int]
    parts: dict[str, Part]
    review_page: str
    metrics: dict[str, int]
    nats_port: int
    broker: Any

    def reload_broker(self) -> None:
        """Let the broker read its configuration again."""
        self.broker.send_signal(signal.SIGHUP)

    @property
    def tls_ca(self) -> Path:
        """Authority of every certificate."""
        return self.folder / "tls" / "ca.pem"

    def client(self, party: str) -> Tapelog:
        """Return a client that speaks as a person, over TLS."""
        tokens = LocalKeyTokenSource(self.folder / "identity", tenant="acme", party=party)
        addresses = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return Tapelog.connect(**addresses, tokens=tokens, tls_ca=self.tls_ca, certificate=self.desk)

    @property
    def desk(self) -> CertificatePair:
        """What the SDK shows: the certificate of the client `desk`."""
        return CertificatePair(self.tls_ca.parent / "clients" / "desk.pem", self.tls_ca.parent / "clients" / "desk.key")


@pytest.fixture
async def running(broker: Any, free_ports: Any, without_settings: dict[str, str]) -> AsyncIterator[Running]:
    """Start every part with the settings that `broker-init` wrote for it, on free ports."""
    *free, console_port = free_ports(len(GRPC) + len(METERED) + 1)
    ports = dict(zip(GRPC, free, strict=False))
    metrics = dict(zip(METERED, free[len(GRPC) :], strict=True))
    addresses = {f"TAPELOG_{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in ports.items()}
    parts: dict[str, Part] = {}
    try:
        for name, module in MODULES.items():
            written = broker.environment(name)
            own = {key: value for key, value in addresses.items() if key in written}
            if name != "worker":
                own["TAPELOG_PORT"] = str(ports.get(name, console_port))
            if name in METERED:
                own["TAPELOG_METRICS_PORT"] = str(metrics[name])
                own["TAPELOG_METRICS_CLIENT_CA"] = str(broker.tls / "ca.pem")
            if name in ("console", "worker"):
                own["TAPELOG_TLS_CLIENT_CA"] = str(broker.tls / "ca.pem")
                own["TAPELOG_TLS_REVOKED"] = str(broker.tls / "revoked.pem")
            if name == "worker":
                own["TAPELOG_TLS_CERTIFICATE"] = str(broker.tls / "worker.pem")
                own["TAPELOG_TLS_KEY"] = str(broker.tls / "worker.key")
            log = broker.folder / f"{name}.log"
            with log.open("wb") as file:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", module, env=without_settings | written | own, stderr=file, cwd="/"
                )
            parts[name] = Part(name, process, log)
        await asyncio.gather(*(part.wait_ready() for part in parts.values()))
        yield Running(
            broker.folder, ports, parts, f"https://localhost:{console_port}", metrics, broker.nats_port, broker.process
        )
    finally:
        for part in parts.values():
            if part.process.returncode is None:
                part.process.kill()
            await part.process.wait()


async def health(running: Running, name: str) -> int:
    """Ask a service for its health over TLS."""
    address = f"127.0.0.1:{running.ports[name]}"
    async with open_channel(address, tls_ca=running.tls_ca, certificate=running.desk) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return answer.status


async def record_a_take(running: Running, stem: Path) -> res.Song:
    """Bring a song to RECORDING and record one take; return the song once its arrival check has ended."""
    async with contextlib.AsyncExitStack() as stack:
        people = {
            name: await stack.enter_async_context(running.client(f"pty-{name}"))
            for name in ("producer", "artist", "recording")
        }
        producer, artist, recording = people.values()
        members = [
            res.Member(party="pty-producer", roles=[res.ROLE_STUDIO_PRODUCER]),
            res.Member(party="pty-artist", roles=[res.ROLE_ARTIST, res.ROLE_SONGWRITER]),
            res.Member(party="pty-recording", roles=[res.ROLE_RECORDING_ENGINEER]),
        ]
        project = await producer.projects.create("Apart", "The Testers", members)
        song = (await producer.songs.create(project.name, "Apart", sample_rate_hz=48_000, bit_depth=24)).name
        await artist.songs.register_work(song, "Apart", ["pty-artist"])
        await artist.briefs.propose(song, brief_pb2.Brief(intent="Plain."))
        for person in (artist, producer):
            await person.briefs.agree(song, 1)
            await person.songs.approve_arrangement(song)
        await producer.stages.advance(song, res.STAGE_RECORDING)
        await recording.takes.define_track(song, "lead-vox", "Lead")
        await recording.takes.record(song, "lead-vox", stem)
        return await recording.takes.wait_checked(song, timeout_s=WORK_S)


async def review_page(running: Running, path: str) -> str:
    """Sign in to the review page over TLS as the producer, and return one of its pages."""
    trust = ssl.create_default_context(cafile=running.tls_ca)
    trust.load_cert_chain(running.desk.certificate, running.desk.key)
    link = sign_in_link(running.folder / "identity", running.review_page, tenant="acme", party="pty-producer")
    async with aiohttp.ClientSession(running.review_page, connector=aiohttp.TCPConnector(ssl=trust)) as browser:
        async with browser.get("/sign-in") as form:
            token = (await form.text()).partition('name="form_token" value="')[2].partition('"')[0]
        async with browser.post("/sign-in", data={"form_token": token, "code": link}) as signed_in:
            assert signed_in.status == 200, await signed_in.text()
        async with browser.get(f"/{path}") as page:
            return await page.text()


def listeners(running: Running) -> list[Listener]:
    """Return every port of the installation."""
    authority = running.tls_ca
    return [
        *(grpc_listener(name, port, authority) for name, port in running.ports.items()),
        *(http_listener(f"{name} metrics", port, "/metrics", authority) for name, port in running.metrics.items()),
        http_listener("review page", int(running.review_page.rpartition(":")[2]), "/sign-in", authority),
        nats_listener(running.nats_port, authority, running.folder / "creds" / "session.creds"),
    ]


async def nobody_else_gets_in(running: Running, elsewhere: Path) -> None:
    """
    S01: at every listener, seven ways to knock without a good certificate: accepted 0; with a good one, all.

    One of the good ones is then revoked while everything runs, and counts no more.
    """
    ports = listeners(running)
    make_deployment(running.folder, clients=["lost"])
    lost = CertificatePair(elsewhere / "lost.pem", elsewhere / "lost.key")
    lost.certificate.write_bytes((running.tls_ca.parent / "clients" / "lost.pem").read_bytes())
    lost.key.write_bytes((running.tls_ca.parent / "clients" / "lost.key").read_bytes())
    running.reload_broker()
    await eventually(lambda: serves(nats_listener_of(ports).knock(lost)))
    assert {port.name for port in ports if not await serves(port.knock(lost))} == set(), "a good certificate is refused"

    make_deployment(running.folder, revoke=["clients/lost"])
    running.reload_broker()
    began_s = time.monotonic()
    for port in ports:
        await eventually(lambda port=port: refuses(port, lost))
    assert time.monotonic() - began_s < REVOKED_S_MAX
    wrong = wrong_pairs(running.tls_ca.parent, elsewhere) | {"revoked": lost}
    accepted = []
    for port in ports:
        trials = {name: port.knock(pair) for name, pair in wrong.items()}
        trials |= {"plaintext": port.plain(), "TLS 1.1": speaks_old_tls(port, running.desk)}
        assert trials.keys() == set(WRONGS)
        for name, trial in trials.items():
            if await serves(trial):
                accepted.append(f"{port.name}: {name}")
    async with permissive_listener(running.desk) as control:
        assert await speaks_old_tls(control, running.desk), "the probe is not able to speak TLS 1.1"
    newest = [await speaks_tls(port, running.desk, ssl.TLSVersion.TLSv1_3) for port in ports]
    assert set(newest) == {"TLSv1.3"}, "the same probe is refused with a version that is allowed"
    sys.stdout.write(f"S01: accepted {len(accepted)} of {len(WRONGS)} x {len(ports)} listeners\n")
    assert accepted == []


def nats_listener_of(ports: list[Listener]) -> Listener:
    """Return the broker's."""
    return next(port for port in ports if port.name == "broker")


async def refuses(port: Listener, pair: CertificatePair) -> bool:
    """Say whether a listener does not serve who shows this."""
    return not await serves(port.knock(pair))


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll for a condition, with a deadline."""
    async with asyncio.timeout(READY_S):
        while not await condition():  # noqa: ASYNC110 - other processes set no event here
            await asyncio.sleep(0.1)


async def test_the_parts_serve_work_together_and_drain(running: Running, tmp_path: Path):
    """
    From health to exit code, once, because the start of seven processes is what takes the time.

    A take that is checked has gone through everything: uploaded to session, asked of render over TLS with a token that
    session signed, measured by the worker, recorded in the log, published by notify, consumed by session,
    and shown by the review page.
    """
    for name in GRPC:
        assert await health(running, name) == health_pb2.HealthCheckResponse.SERVING, name
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async with open_channel(f"127.0.0.1:{running.ports[name]}") as plain:
                await health_pb2_grpc.HealthStub(plain).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE, f"{name} speaks plain text"

    stem = tmp_path / "lead.wav"
    soundfile.write(stem, 0.1 * np.sin(2 * np.pi * 220 * np.arange(24_000) / 48_000), 48_000, subtype="PCM_24")
    song = await record_a_take(running, stem)
    (take,) = song.takes
    assert take.check_state == res.TAKE_CHECK_STATE_PASSED, list(take.findings)

    assert "fit for use" in await review_page(running, song.name)

    await nobody_else_gets_in(running, tmp_path)

    for name in ("console", "session", "render", "worker", "notify"):
        part = running.parts[name]
        part.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(part.process.wait(), STOP_S) == 0, part.log.read_text()
        assert part.events()[-1]["event"] == "stopped", name
    for part in running.parts.values():
        assert [line for line in part.events() if line.get("level") in ("error", "critical")] == [], part.name


async def test_a_part_without_its_certificate_does_not_start(broker: Any, without_settings: dict[str, str]):
    """Beyond loopback and without TLS the render service refuses with exit code 78 and says what to set."""
    written = broker.environment("render")
    for name in ("TAPELOG_TLS_CERTIFICATE", "TAPELOG_TLS_KEY", "TAPELOG_TLS_CLIENT_CA", "TAPELOG_TLS_REVOKED"):
        written.pop(name)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tapelog_render",
        env=without_settings | written | {"TAPELOG_HOST": "0.0.0.0", "TAPELOG_PORT": "0"},  # noqa: S104 - refused
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(child.communicate(), READY_S)
    assert child.returncode == 78, errors.decode()
    assert b"refusing to listen" in errors


def test_the_environment_files_can_be_sourced(deployment: Any):
    """A POSIX shell reads what `broker-init` wrote and sets exactly these variables, spaces in paths included."""
    for name in MODULES:
        file = deployment.folder / "env" / f"{name}.env"
        answer = subprocess.run(
            ["/bin/sh", "-c", 'set -a; . "$1"; env', "sh", file],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
        read = dict(line.split("=", 1) for line in answer.stdout.splitlines() if line.startswith("TAPELOG_"))
        assert read == deployment.environment(name)
