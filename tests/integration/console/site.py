"""A running Tapelog with a small production on it, and browsers without a screen: cookies, forms, answers."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import soundfile
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.local import StackState
from tapelog_console.identity.sign_in import sign_in_link

RATE_HZ = 48_000
STOP_S = 30
START_S = 30
TENANT = "local"
PEOPLE = {
    "pty-artist": ("Ana <b>Bold</b>", [res.ROLE_ARTIST, res.ROLE_SONGWRITER]),
    "pty-producer": ("Pia Producer", [res.ROLE_STUDIO_PRODUCER]),
    "pty-recording": ("Rae Recording", [res.ROLE_RECORDING_ENGINEER]),
    "pty-mixing": ("Max Mixing", [res.ROLE_MIXING_ENGINEER]),
    "pty-mastering": ("Mae Mastering", [res.ROLE_MASTERING_ENGINEER]),
}


@dataclass
class Site:
    """A running stack.

    Attributes
    ----------
    data_dir : Path
    url : str
        Of the review page.
    process : Popen
        `tapelog up`.
    """

    data_dir: Path
    url: str
    process: "subprocess.Popen[str]"

    def api(self, party: str = "pty-producer") -> Tapelog:
        """Return the SDK as a party."""
        return Tapelog.local(self.data_dir, party=party)

    def link(self, party: str, *, tenant_roles: tuple[str, ...] = (), tenant: str = TENANT) -> str:
        """Return a fresh sign-in link."""
        state = StackState.read(self.data_dir)
        return sign_in_link(Path(state.identity_dir), self.url, tenant=tenant, party=party, tenant_roles=tenant_roles)

    @contextlib.asynccontextmanager
    async def visitor(self) -> AsyncIterator["Browser"]:
        """Return a browser that is not signed in."""
        jar = aiohttp.CookieJar(unsafe=True)  # numeric hosts have cookies here, as in browsers
        async with aiohttp.ClientSession(self.url, cookie_jar=jar) as session:
            yield Browser(session)

    @contextlib.asynccontextmanager
    async def browser(
        self, party: str, *, tenant_roles: tuple[str, ...] = (), tenant: str = TENANT
    ) -> AsyncIterator["Browser"]:
        """Return a browser that is signed in as a party."""
        async with self.visitor() as browser:
            await browser.get("/sign-in")
            answer = await browser.post("/sign-in", code=self.link(party, tenant_roles=tenant_roles, tenant=tenant))
            assert answer.status == 303, answer.text
            yield browser


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    headers: "aiohttp.typedefs.CIMultiDictProxy[str]"
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Browser:
    """Follows links and sends forms, with the token of the last page."""

    session: aiohttp.ClientSession
    form_token: str = ""

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask for a page; does not follow redirects."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, headers=named, allow_redirects=False) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if response.content_type == "text/html" and (
            found := re.search(r'name="form_token" value="(\w+)"', answer.text)
        ):
            self.form_token = found[1]
        return answer

    async def post(self, path: str, *, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """Send a form; does not follow the redirect."""
        data = [("form_token", self.form_token)] if "form_token" not in fields else []
        for name, value in fields.items():
            data += [(name, str(item)) for item in (value if isinstance(value, list) else [value])]
        async with self.session.post(path, data=data, headers=headers or {}, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await response.read())

    async def do(self, song: str, action: str, **fields: Any) -> Answer:
        """Send a form of a song's page."""
        return await self.post(f"/{song}/do/{action}", **fields)


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run `tapelog up` until the block ends; it must stop well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPELOG_")}
    data_dir = folder / "data"
    command = [sys.executable, "-m", "tapelog_cli", "up", "--data-dir", str(data_dir), "--json"]
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "up.log").read_text()
        yield Site(data_dir, json.loads(line)["ready"]["console"], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, (folder / "up.log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(STOP_S)
        if process.stdout is not None:
            process.stdout.close()


@contextlib.asynccontextmanager
async def own_console(site: Site, folder: Path, **more: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Run `python -m tapelog_console` beside the stack, on its identity; `more` are settings in capitals."""
    state = StackState.read(site.data_dir)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    own = {
        "PORT": str(port),
        "DATA_DIR": str(folder / "own"),
        "ISSUER_DIR": state.identity_dir,
        "JWKS_PATH": str(Path(state.identity_dir) / "jwks.json"),
        "SESSION_ADDRESS": state.session,
        "RENDER_ADDRESS": state.render,
        "NOTIFY_ADDRESS": state.notify,
        **more,
    }
    environment = {**os.environ, **{f"TAPELOG_{name}": value for name, value in own.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tapelog_console", env=environment, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    draining = None
    try:
        async with asyncio.timeout(START_S):
            line = await process.stderr.readline()
        told = json.loads(line)
        if told["event"] != "ready":
            raise AssertionError(told)
        draining = asyncio.create_task(process.stderr.read())
        yield told["url"], psutil.Process(process.pid)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), STOP_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if draining is not None:
            await draining


@dataclass
class Production:
    """A song in MIXING whose mix 1 breaks the brief and waits for review.

    Attributes
    ----------
    project, song : str
    mix : Version
        Mix 1.
    sources : dict of str to str
    """

    project: str
    song: str
    mix: res.Version
    sources: dict[str, str] = field(default_factory=dict)

    def recipe(self, *, delay: bool, gain_db: float = 0.0) -> recipe_pb2.MixRecipe:
        """Return a mix of both stems; a delay on the lead breaks the brief."""
        made = recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ)
        for track, sha256 in self.sources.items():
            added = made.tracks.add(id=track, gain_db=gain_db)
            added.source.asset_sha256 = sha256
            if delay and track == "lead":
                added.chain.add().delay.time_ms = 120.0
        return made


async def produce(api: Tapelog, folder: Path, title: str, *, length_s: float = 4.0) -> Production:
    """Take a song to the review of its first mix."""
    people = {party: api.as_party(party) for party in PEOPLE}
    producer, artist, recording, mixing = (
        people[f"pty-{who}"] for who in ("producer", "artist", "recording", "mixing")
    )
    for party, (name, _) in PEOPLE.items():
        await producer.parties.upsert(party, name)
    members = [res.Member(party=party, roles=roles) for party, (_, roles) in PEOPLE.items()]
    project = (await producer.projects.create(f"{title}, the record", "The Testers", members)).name
    song = (await producer.songs.create(project, title, sample_rate_hz=RATE_HZ, bit_depth=24)).name
    await artist.songs.register_work(song, title, ["pty-artist"])
    await artist.briefs.propose(song, brief())
    for person in (artist, producer):
        await person.briefs.agree(song, 1)
        await person.songs.approve_arrangement(song)
    await producer.stages.advance(song, res.STAGE_RECORDING)
    sources = {}
    for seed, track in enumerate(("lead", "band"), start=1):
        await recording.takes.define_track(song, track, track.title())
        take = await recording.takes.record(song, track, write_stem(folder / f"{track}.wav", seed, length_s))
        sources[track] = take.asset_sha256
    for take in (await recording.takes.wait_checked(song)).takes:
        await producer.takes.select(song, take.track, take.id)
    await producer.stages.advance(song, res.STAGE_MIXING)
    made = Production(project, song, res.Version(), sources)
    mix = await mixing.versions.propose_mix(song, made.recipe(delay=True), comment="A <i>slap</i> on the lead")
    mix = await mixing.versions.wait_rendered(mix.name)
    made.mix = await mixing.versions.submit(mix.name)
    return made


def brief() -> brief_pb2.Brief:
    """Return a brief with one rule over the recipe and one over the signal."""
    rule = brief_pb2.Constraint(
        id="dry-lead",
        statement="No delay on my lead: I want the room, not an echo.",
        effect_forbidden=brief_pb2.EffectForbidden(
            selector=brief_pb2.TrackSelector(tracks=["lead"]), effects=["delay"]
        ),
    )
    peak = brief_pb2.Constraint(
        id="headroom",
        statement="Leave room.",
        true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-1.0, applies_to=brief_pb2.APPLIES_TO_MIX),
    )
    return brief_pb2.Brief(intent="Close & dry <script>alert(1)</script>", constraints=[rule, peak])


def write_stem(path: Path, seed: int, length_s: float) -> Path:
    """Write a melody of plucked tones with a little noise, stereo, 24 bit."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    beat_s = 0.5
    pitch_hz = 110.0 * seed * 2.0 ** (rng.integers(0, 12, size=int(length_s / beat_s) + 1) / 12)
    beat = (time_s / beat_s).astype(int)
    tone = np.sin(2 * np.pi * pitch_hz[beat] * time_s) * np.exp(-4.0 * (time_s % beat_s))
    left = 0.25 * tone + 0.005 * rng.standard_normal(len(time_s))
    soundfile.write(path, np.stack([left, 0.8 * left], axis=1), RATE_HZ, subtype="PCM_24")
    return path


def section(page: str, name: str) -> str:
    """Return the text of a live region, without tags, with single spaces."""
    begin = page.index(f'id="{name}"')
    begin = page.index(">", begin) + 1
    end = page.find(" data-live", begin)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page[begin : end if end > 0 else None])))
