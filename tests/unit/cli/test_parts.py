# ruff: noqa: PT012 - what fails is the whole block with its parts
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tapelog_chassis.errors import PortInUse
from tapelog_chassis.lifecycle import Ready
from tapelog_chassis.settings import ServiceSettings
from tapelog_cli.errors import PartFailed
from tapelog_cli.installation.parts import Parts


def _settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(data_dir=tmp_path)


def _serving(name: str, ended: list[str]) -> Callable[..., Any]:
    async def run(settings: ServiceSettings, *, ready: Ready, stop: asyncio.Event) -> None:
        ready(address=f"{name}:1")
        try:
            await stop.wait()
        finally:
            ended.append(name)

    return run


async def test_parts_drain_in_the_order_they_were_started(tmp_path: Path) -> None:
    """Who makes events stops before who passes them on."""
    ended: list[str] = []
    async with Parts() as parts:
        for name in ("session", "render", "notify"):
            part = await parts.start(name, _serving(name, ended), _settings(tmp_path))
            assert part.address == f"{name}:1"

    assert ended == ["session", "render", "notify"]


async def test_a_crash_stops_all_and_names_the_part(tmp_path: Path) -> None:
    """When one part crashes the block is left, the others are stopped, and the error says which and why."""
    ended: list[str] = []
    crash = asyncio.Event()

    async def crashing(settings: ServiceSettings, *, ready: Ready, stop: asyncio.Event) -> None:
        ready(address="render:1")
        await crash.wait()
        raise RuntimeError("the disk is gone")

    with pytest.raises(BaseExceptionGroup) as failed:
        async with Parts() as parts:
            await parts.start("session", _serving("session", ended), _settings(tmp_path))
            await parts.start("render", crashing, _settings(tmp_path))
            crash.set()
            await asyncio.Event().wait()

    assert ended == ["session"]
    (error,) = failed.value.exceptions
    assert isinstance(error, PartFailed)
    assert str(error) == "the render part of the stack stopped: the disk is gone"


async def test_a_part_that_ends_unasked_is_a_failure(tmp_path: Path) -> None:
    """A service that returns while it should serve has failed."""

    async def leaving(settings: ServiceSettings, *, ready: Ready, stop: asyncio.Event) -> None:
        ready(address="notify:1")

    with pytest.raises(BaseExceptionGroup) as failed:
        async with Parts() as parts:
            await parts.start("notify", leaving, _settings(tmp_path))
            await asyncio.Event().wait()

    assert failed.group_contains(PartFailed, match="notify")


async def test_a_refused_configuration_keeps_its_own_error(tmp_path: Path) -> None:
    """A port in use is told as such, so that the process can end with the code for wrong set-ups."""

    async def refused(settings: ServiceSettings, *, ready: Ready, stop: asyncio.Event) -> None:
        raise PortInUse("127.0.0.1", 7101)

    with pytest.raises(BaseExceptionGroup) as failed:
        async with Parts() as parts:
            await parts.start("session", refused, _settings(tmp_path))

    assert failed.group_contains(PortInUse)


async def test_an_error_in_the_block_drains_the_parts(tmp_path: Path) -> None:
    """Whatever ends the block, the parts drain before the error goes on."""
    ended: list[str] = []
    with pytest.raises(BaseExceptionGroup) as failed:
        async with Parts() as parts:
            await parts.start("session", _serving("session", ended), _settings(tmp_path))
            raise LookupError("the demo failed")

    assert ended == ["session"]
    assert failed.group_contains(LookupError)
