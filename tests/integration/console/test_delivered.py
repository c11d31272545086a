"""The demo's whole production on the page: master, delivery and its files, and what the label sees of it."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tapelog_cli.demo.material import Material
from tapelog_cli.demo.run import produce
from tapelog_cli.demo.show import Show

from .site import Site, running_site, section

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """Run a stack for the demo alone: it compares its subscribers with all that happens in the tenant."""
    with running_site(tmp_path) as running:
        yield running


async def test_a_delivered_song_is_whole_on_its_page(own_site: Site, tmp_path: Path) -> None:
    """Every file of the package downloads with its digest; the label reads the page, and not the team's notes."""
    async with own_site.api() as api:
        result = await produce(api, Material.find(), Show(None), tmp_path)
        song = await api.songs.get(result.song)
        package = await api.deliveries.get(song.delivery)
    async with own_site.browser("pty-producer") as producer, own_site.browser("pty-label") as label:
        page = (await producer.get(f"/{result.song}?version=mix-1&against=mix-2")).text
        theirs = (await label.get(f"/{result.song}?version=mix-1&against=mix-2")).text
        for file in package.files:
            got = await label.get(f"/{package.name}/{file.filename}")
            assert (got.status, hashlib.sha256(got.body).hexdigest()) == (200, file.sha256), file.filename
            assert got.headers["Content-Disposition"] == f'attachment; filename="{file.filename}"'
        part = await label.get(f"/{package.name}/{package.files[0].filename}", Range="bytes=10-19")
        manifest = await label.get(f"/{package.name}/manifest.json")
        missing = await label.get(f"/{package.name}/etc-passwd")
        report = await producer.get(f"/{result.song}/report/delivery")
        fields = {"delivery": package.name.rpartition("/")[2], "to": "files", "text": "The cover is wrong"}
        request_id = str(uuid.uuid4())
        for _ in range(2):
            returned = await label.do(result.song, "return-delivery", request_id=request_id, **fields)
            assert returned.status == 303, returned.text
        after = (await producer.get(f"/{result.song}")).text

    assert (part.status, len(part.body)) == (206, 10)
    assert hashlib.sha256(manifest.body).hexdigest() == package.manifest_sha256
    assert json.loads(manifest.body)
    assert missing.status == 404
    assert (report.status, package.files[0].filename in report.text) == (200, True)
    assert "Returned: The cover is wrong" in section(after, "delivery")
    assert section(after, "notes").count("The cover is wrong") == 1
    assert "accepted" in section(page, "delivery")
    assert "The echo hides the words" in section(page, "notes")
    assert "The echo hides the words" not in theirs
    assert "tracks[lead-vox].chain" in section(page, "changes")
