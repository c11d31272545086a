"""The demo, act by act."""

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tapelog_client import Tapelog
from tapelog_client.local import StackState

from tapelog_cli.demo import alternates, files, mastering, mixing, people, pre_production, recording
from tapelog_cli.demo.errors import DemoFailed
from tapelog_cli.demo.material import Material
from tapelog_cli.demo.reconcile import reconcile
from tapelog_cli.demo.report import write_report
from tapelog_cli.demo.show import Show
from tapelog_cli.demo.subscribers import subscribed
from tapelog_cli.demo.summary import Result
from tapelog_cli.installation.data_folder import LOCK_FILE, DataFolder
from tapelog_cli.installation.plan import StackOptions
from tapelog_cli.installation.stack import running_stack

DATA_FOLDER: Final = "tapelog-data"
STORE_BYTES: Final = 2 * 1024**3
"""Limit of the demo's broker; nothing is reserved on the disk."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to play the demo."""

    out: Path
    song: Path | None
    workers: int


async def play(options: DemoOptions, show: Show, after: Callable[[Result, StackState], Awaitable[None]]) -> Result:
    """Start the stack, play all acts, write the files; `after` runs while the stack is still up."""
    material = Material.find(options.song)
    data_dir = fresh_data_dir(options.out)
    show.say("tapelog", "starts the broker, three services and the workers")
    stack = StackOptions(data_dir=data_dir, workers=options.workers, store_bytes=STORE_BYTES)
    async with running_stack(stack) as state, Tapelog.local(data_dir, party=people.PRODUCER) as api:
        result = await produce(api, material, show, options.out)
        (options.out / "report.json").write_text(json.dumps(result.as_document(), indent=2, sort_keys=True) + "\n")
        await after(result, state)
    return result


async def produce(api: Tapelog, material: Material, show: Show, out: Path) -> Result:
    """Play all acts against a running stack, in one process or several, and write their files."""
    begin_s = time.monotonic()
    async with subscribed(api, show) as subscribers:
        with show.act("1. People and a song"):
            booking = await people.book(api, material, show)
        with show.act("2. Brief, arrangement, recording"):
            await pre_production.agree(booking, material, show)
            sources = await recording.record(booking, material, show)
        with show.act("3. Mix 1 breaks the brief"):
            _, note = await mixing.break_the_brief(booking, material, sources, show)
        with show.act("4. Mix 2 follows it"):
            mix = await mixing.follow_the_brief(booking, material, sources, note, show)
        with show.act("5. The master, and three alternates, over the workers"):
            async with asyncio.TaskGroup() as group:
                mastered = group.create_task(mastering.master(booking, material, show))
                made = group.create_task(alternates.make_alternates(booking, material, mix, show))
        with show.act("6. Delivery"):
            package = await mastering.deliver(booking, show)
        with show.act("7. Three subscribers and the usage ledger against the event log"):
            agreement = await reconcile(booking, subscribers, show)
    master = mastered.result()
    audio = await files.fetch_audio(booking, mix, master, made.result(), out)
    await files.fetch_manifest(booking, package, out)
    files.write_events(agreement.events, out / "events.jsonl")
    files.write_usage(agreement.entries, out / "usage.csv")
    result = Result(
        title=material.title,
        artist=material.artist,
        credits=material.credits,
        project=booking.project,
        song=booking.song,
        mix=mix,
        master=master,
        audio=audio,
        agreement=agreement,
        act_times_s=show.act_times_s,
        total_s=time.monotonic() - begin_s,
        out=str(out),
    )
    await write_report(booking, result, out)
    return result


def fresh_data_dir(out: Path) -> Path:
    """Return an empty data folder under `out`; an earlier demo's is removed, anybody else's is not.

    Raises
    ------
    DataFolderInUse
        An earlier demo still runs on it (`--keep-running`).
    DemoFailed
        The folder is not one of Tapelog.
    """
    data_dir = out / DATA_FOLDER
    if data_dir.exists():
        if not (data_dir / LOCK_FILE).exists():
            raise DemoFailed(
                f"{data_dir} exists and is not a data folder of Tapelog", hint="name another folder with --out"
            )
        with DataFolder(data_dir):
            pass
        shutil.rmtree(data_dir)
    out.mkdir(parents=True, exist_ok=True)
    return data_dir
