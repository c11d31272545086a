"""
An earlier version beside this one, on one broker and one log: nothing is lost, done twice, or misunderstood.

The earlier version is run from its own sources, taken out of the repository's history; a clone without it skips.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from tapelog.render.v1 import resources_pb2 as render
from tapelog_chassis.nats import connected
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.settings import ServiceSettings
from tapelog_chassis.testing import eventually
from tapelog_chassis.topology import CONTEXTS
from tapelog_chassis.verification import verify_log
from tapelog_cli.installation.plan import Plan, StackOptions, environment_of, prepared
from tapelog_client import StackState, Tapelog
from tapelog_notify.adapters.public_check import check_public
from tapelog_notify.testing_endpoint import Receiver

from tests.faults.harness.battery import Row

from .conftest import clean_environment
from .processes import STORE_BYTES, until_serving
from .studio import RATE_HZ, Studio, open_studio, recipe, record_stems

pytestmark = pytest.mark.faults

ROOT: Final = Path(__file__).parents[2]
PREVIOUS: Final = "662e9a795776e5682d0c9e2d6c265e32e0daed39"
"""The earlier version: the state of main before this one, with the same engine and the same chain of hashes."""
SOURCES: Final = (
    "cli", "libs/chassis", "libs/client", "libs/desk", "libs/dsp", "libs/interchange", "libs/parameters", "libs/recipe",
    "protos/gen/python", "services/console", "services/notify", "services/render", "services/session",
)  # fmt: skip
GIT: Final = shutil.which("git") or ""
NAMES: Final = ("session", "render", "notify")
SONGS: Final = 40
MIXES: Final = 6
STOP_S: Final = 40.0
SETTLE_S: Final = 60.0


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Take the earlier version's sources out of the history; return the PYTHONPATH that runs them."""
    if not GIT:
        pytest.skip("there is no git to take the earlier version out of the history with")
    asked = subprocess.run(
        [GIT, "cat-file", "-e", f"{PREVIOUS}^{{commit}}"], cwd=ROOT, check=False, capture_output=True
    )
    if asked.returncode:
        pytest.skip(f"this clone has no commit {PREVIOUS[:12]}: fetch the history (git fetch --unshallow)")
    archive = subprocess.run([GIT, "archive", PREVIOUS], cwd=ROOT, check=True, capture_output=True).stdout
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return os.pathsep.join(str(folder / source) for source in SOURCES)


@dataclass
class Part:
    """A service of one version, as a process."""

    settings: ServiceSettings
    process: asyncio.subprocess.Process

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self.settings.host}:{self.settings.port}"

    async def stop(self) -> int:
        """Stop it well; return its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), STOP_S)


async def start(name: str, settings: ServiceSettings, *, path: str = "") -> Part:
    """Start a service, from the sources on a path or from this version's."""
    environment = {**clean_environment(), **environment_of(settings)} | ({"PYTHONPATH": path} if path else {})
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", f"tapelog_{name}", env=environment)
    part = Part(settings, process)
    try:
        await until_serving(settings)
    except BaseException:
        process.kill()
        raise
    return part


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def beside(plan: Plan) -> dict[str, ServiceSettings]:
    """Return the settings of a second instance of each service, on the same folder but with journals of its own."""
    ports = {name: free_port() for name in NAMES}
    own = {"anchor_dir": plan.folder.path / "anchors-earlier"}
    return {
        "session": plan.session.model_copy(
            update={**own, "port": ports["session"], "render_address": f"127.0.0.1:{ports['render']}"}
        ),
        "render": plan.render.model_copy(
            update={
                **own,
                "port": ports["render"],
                "session_address": f"127.0.0.1:{ports['session']}",
                "spawn_workers": False,
            }
        ),
        "notify": plan.notify.model_copy(update={**own, "port": ports["notify"]}),
    }


def caller(parts: dict[str, Part], plan: Plan, folder: Path) -> Tapelog:
    """Return a client of the services of one version, who may speak as anybody."""
    folder.mkdir()
    StackState(
        pid=os.getpid(),
        **{name: parts[name].address for name in NAMES},
        nats_url=plan.nats.url,
        identity_dir=str(plan.session.identity_dir),
        started=datetime.now(UTC).isoformat(),
        console="",
    ).write(folder)
    return Tapelog.local(folder, party="pty-producer", tenant_roles=("AUDITOR", "INTEGRATION"))


async def write(apis: list[Tapelog], project: str, done: dict[str, str], first: int, count: int) -> None:
    """Create songs through one version and, under the same request id, through the other: one song each."""
    for number in range(first, first + count):
        request_id, title = str(uuid.uuid4()), f"Song {number}"
        order = apis if number % 2 else list(reversed(apis))
        names = {
            (
                await api.as_party("pty-producer").songs.create(
                    project, title, sample_rate_hz=RATE_HZ, bit_depth=24, request_id=request_id
                )
            ).name
            for api in order
        }
        assert len(names) == 1
        done[title] = names.pop()


async def mix(studio: Studio, first: int, count: int) -> list[str]:
    """Propose mixes and wait until they are rendered."""
    made = [
        (await studio.mixing.versions.propose_mix(studio.song, recipe(studio, gain_db=-0.5 * number))).name
        for number in range(first, first + count)
    ]
    for name in made:
        await studio.mixing.versions.wait_rendered(name)
    return made


@pytest.mark.timeout(400)
async def test_two_versions_side_by_side_lose_nothing_and_do_nothing_twice(
    earlier: str, tmp_path: Path, row: Row
) -> None:
    """
    The earlier version works alone, then both together, then the new one alone: one log, one public stream, one bill.

    Requests go to both under the same id; events, webhooks and usage are then counted.
    """
    done: dict[str, str] = {}
    options = StackOptions(data_dir=tmp_path / "data", store_bytes=STORE_BYTES)
    async with prepared(options) as plan, Receiver() as receiver:
        new_settings = {"session": plan.session, "render": plan.render, "notify": plan.notify}
        old = {name: await start(name, settings, path=earlier) for name, settings in beside(plan).items()}
        new: dict[str, Part] = {}
        try:
            async with caller(old, plan, tmp_path / "earlier") as old_api:
                await old_api.subscriptions.create_webhook("Everything", receiver.url)
                studio = await open_studio(old_api, "Upgraded")
                await write([old_api], studio.project, done, 0, SONGS // 4)
                new = {name: await start(name, settings) for name, settings in new_settings.items()}
                async with caller(new, plan, tmp_path / "new") as new_api:
                    await record_stems(studio, tmp_path, tracks=2, length_s=1.0)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(write([old_api, new_api], studio.project, done, SONGS // 4, SONGS // 2))
                        mixing = group.create_task(mix(studio, 0, MIXES))
                    for name in reversed(NAMES):
                        assert await old[name].stop() == 0
                    await write([new_api], studio.project, done, 3 * SONGS // 4, SONGS // 4)
                    for title, song in done.items():
                        assert (await new_api.songs.get(song)).title == title
                    events = await _check(plan, new_api, studio, receiver, mixing.result())
        finally:
            for part in (*old.values(), *new.values()):
                await part.stop()
    assert len(done) == SONGS
    row(
        "P11",
        "the earlier version and this one side by side, then this one alone: nothing lost, nothing done twice",
        f"{SONGS} songs, {MIXES} mixes, {events} events, all published and delivered; one bill a mix",
    )


async def _check(plan: Plan, api: Tapelog, studio: Studio, receiver: Receiver, mixes: list[str]) -> int:
    """Compare logs, public stream, deliveries and bills; return how many events there are."""
    creds = plan.nats.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(plan.nats.url, name="maintenance", creds=creds) as connection:

        async def is_quiet() -> bool:
            logs = [await verify_log(connection, name, plan.folder.path / "anchors") for name in CONTEXTS]
            return (await check_public(connection)).events == sum(log.place.events for log in logs)

        await eventually(is_quiet, within_s=SETTLE_S, every_s=1.0)
        reports = {name: await verify_log(connection, name, plan.folder.path / "anchors") for name in CONTEXTS}
        public = await check_public(connection)
    assert public.wrong == []
    for name, report in reports.items():
        # The journals of the earlier version are its own; what this one read is whole.
        assert report.wrong == [], name
    events = sum(report.place.events for report in reports.values())
    assert public.events == events
    await _check_deliveries(receiver, events)
    now = datetime.now(UTC)
    statement = await api.usage.statement(studio.project_id, now - timedelta(hours=1), now + timedelta(hours=1))
    bills = Counter(line.job for line in statement.lines)
    assert len(bills) == len(mixes)
    assert set(bills.values()) == {1}
    states = Counter([job.state async for job in api.renders.list()])
    assert set(states) == {render.JOB_STATE_SUCCEEDED}
    return events


async def _check_deliveries(receiver: Receiver, events: int) -> None:
    # What is before the subscription is not delivered; its own creation is.
    def first_times() -> list[str]:
        return list(dict.fromkeys(receiver.accepted_ids))

    await eventually(lambda: len(first_times()) >= events - 1, within_s=SETTLE_S)
    assert len(first_times()) <= events
