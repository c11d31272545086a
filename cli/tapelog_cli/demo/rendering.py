"""Waiting for a version's render, with its progress."""

import asyncio
from contextlib import aclosing
from typing import Final

from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog, TapelogApiError

from tapelog_cli.demo.show import Bar, Show

FIND_PAUSE_S: Final = 0.1
"""Between two looks for the render job of a version that was just proposed."""


async def wait_rendered(api: Tapelog, project_id: str, version: res.Version, show: Show) -> res.Version:
    """Show the progress of a version's render job and return the version once the song knows the result."""
    with show.bar(f"rendering {version_words(version)}") as bar:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(api, project_id, _reference_key(version), bar))
            rendered = await api.versions.wait_rendered(version.name)
            watching.cancel()
    return rendered


def version_words(version: res.Version) -> str:
    """Return `mix 2` or `master 1`."""
    return f"{'mix' if version.kind == res.VERSION_KIND_MIX else 'master'} {version.number}"


def _reference_key(version: res.Version) -> str:
    """Return the key under which the render service knows the version: the end of its name."""
    return "/".join(version.name.split("/")[-2:])


async def _watch(api: Tapelog, project_id: str, key: str, bar: Bar) -> None:
    """Draw the progress of the job; the song's own state decides when the render is done, so failures here do not."""
    try:
        job = await _find(api, project_id, key)
        async with aclosing(api.renders.watch(job)) as states:
            async for state in states:
                bar.update(100.0 if state.state == render.JOB_STATE_SUCCEEDED else state.progress_percent)
    except TapelogApiError:
        return


async def _find(api: Tapelog, project_id: str, key: str) -> str:
    while True:
        async for job in api.renders.list(project=project_id):
            if job.reference.key == key:
                return job.name
        await asyncio.sleep(FIND_PAUSE_S)
