"""One stack and one production for all tests of the review page; tests that change a song make their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import Production, Site, produce, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a stack."""
    with running_site(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def production(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a song whose mix 1 breaks the brief; tests only read it."""
    folder: Path = tmp_path_factory.mktemp("stems")

    async def make() -> Production:
        async with site.api() as api:
            return await produce(api, folder, "Read <em>only</em>")

    return asyncio.run(make())
