"""One stack and one production for all tests of the review page; tests that change a song make their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import Production, Site, produce, running_site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a stack."""
    with running_site(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="package")
def production(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a song whose mix 1 breaks the brief; tests only read it."""
    return _make(site, tmp_path_factory.mktemp("stems"), "Read <em>only</em>")


@pytest.fixture(scope="package")
def lively(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return another such song, to which tests add what they wait for."""
    return _make(site, tmp_path_factory.mktemp("stems"), "Lively")


def _make(site: Site, folder: Path, title: str) -> Production:
    async def make() -> Production:
        async with site.api() as api:
            return await produce(api, folder, title)

    return asyncio.run(make())
