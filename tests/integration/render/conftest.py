"""Studios for the tests of this folder."""

import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from .studio import Studio, running_studio

StudioFactory = Callable[..., contextlib.AbstractAsyncContextManager[Studio]]


@pytest.fixture
def open_studio(tmp_path: Path) -> StudioFactory:
    """Open studios with settings of the test's own, each in a folder of its own."""
    numbers = itertools.count()

    def open_(**settings: Any) -> contextlib.AbstractAsyncContextManager[Studio]:
        folder = tmp_path / f"studio-{next(numbers)}"
        folder.mkdir()
        return running_studio(folder, **settings)

    return open_


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    """Open a studio with two workers."""
    async with running_studio(tmp_path) as running:
        yield running


@pytest.fixture
def song() -> str:
    """Name a song that no other test uses."""
    return f"sng-{uuid.uuid4().hex[:16]}"
