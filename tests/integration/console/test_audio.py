"""Audio by HTTP: whole, by range, by condition, and only for those who may hear it."""

import asyncio
import hashlib
import re

import pytest
from tapelog_console.live.seats import TRANSFERS_PERSON_MAX

from .site import Production, Site


async def _address(site: Site, production: Production) -> str:
    async with site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{production.song}")).text
    found = re.search(r'data-url="([^"]+)"', page)
    assert found is not None
    return found[1]


async def test_the_whole_file_has_the_digest_of_the_render(site: Site, production: Production) -> None:
    """What the browser gets is what was rendered."""
    address = await _address(site, production)
    async with site.browser("pty-producer") as browser:
        answer = await browser.get(address)

    assert answer.status == 200
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"].startswith("audio/")
    assert hashlib.sha256(answer.body).hexdigest() == production.mix.audio[0].sha256


@pytest.mark.parametrize(
    ("wanted", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=1000000-", 1_000_000, None),
        ("bytes=-44", -44, None),
        ("bytes=5-99999999999", 5, None),
    ],
)
async def test_a_range_is_exactly_that_range(
    site: Site, production: Production, wanted: str, begin: int, end: int | None
) -> None:
    """206 with the bytes, their place and the length of the whole."""
    address = await _address(site, production)
    async with site.browser("pty-producer") as browser:
        whole = (await browser.get(address)).body
        part = await browser.get(address, Range=wanted)

    expected = whole[begin:end]
    first = len(whole) + begin if begin < 0 else begin
    assert part.status == 206
    assert part.body == expected
    assert part.headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-"])
async def test_what_is_no_single_range_gets_the_whole(site: Site, production: Production, wanted: str) -> None:
    """As the standard allows, and better than an error in the middle of a song."""
    address = await _address(site, production)
    async with site.browser("pty-producer") as browser:
        answer = await browser.get(address, method="HEAD", Range=wanted)

    assert answer.status == 200


async def test_a_range_beyond_the_end_is_416(site: Site, production: Production) -> None:
    """With the length, so that the player knows."""
    address = await _address(site, production)
    size_bytes = production.mix.audio[0].size_bytes
    async with site.browser("pty-producer") as browser:
        answer = await browser.get(address, Range=f"bytes={size_bytes}-")

    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{size_bytes}"


async def test_conditions_are_heard(site: Site, production: Production) -> None:
    """If-Range with another validator gets the whole, If-None-Match with this one nothing."""
    address = await _address(site, production)
    async with site.browser("pty-producer") as browser:
        etag = (await browser.get(address, method="HEAD")).headers["ETag"]
        same = await browser.get(address, method="HEAD", Range="bytes=0-9", If_Range=etag)
        other = await browser.get(address, method="HEAD", Range="bytes=0-9", If_Range='"old"')
        known = await browser.get(address, If_None_Match=etag)

    assert (same.status, other.status, known.status) == (206, 200, 304)
    assert known.body == b""


async def test_head_has_the_headers_and_no_body(site: Site, production: Production) -> None:
    """The same length as the whole, and no byte of it."""
    address = await _address(site, production)
    async with site.browser("pty-producer") as browser:
        answer = await browser.get(address, method="HEAD")

    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == production.mix.audio[0].size_bytes
    assert answer.body == b""


async def test_one_person_has_so_many_transfers(site: Site, production: Production) -> None:
    """Seats are given back: many more files than there are seats are sent, so long as not all at once."""
    address = await _address(site, production)
    async with site.browser("pty-mastering") as browser:
        for _ in range(TRANSFERS_PERSON_MAX + 4):
            assert (await browser.get(address, Range="bytes=0-9")).status == 206
        answers = await asyncio.gather(*(browser.get(address) for _ in range(3 * TRANSFERS_PERSON_MAX)))
        assert (await browser.get(address, Range="bytes=0-9")).status == 206

    assert {answer.status for answer in answers} <= {200, 429}
    assert all(
        hashlib.sha256(one.body).hexdigest() == production.mix.audio[0].sha256 for one in answers if one.status == 200
    )


async def test_nobody_else_hears_it(site: Site, production: Production) -> None:
    """Neither a stranger nor somebody who is signed in and not on the project."""
    address = await _address(site, production)
    async with site.visitor() as stranger, site.browser("pty-outsider") as outsider:
        assert (await stranger.get(address)).status == 401
        assert (await outsider.get(address)).status in (403, 404)


async def test_a_take_is_heard_as_it_was_uploaded(site: Site, production: Production) -> None:
    """Whole and by range, to who may read the song; another id is not found."""
    async with site.api() as api:
        (found, *_) = (await api.songs.get(production.song)).takes
    address = f"/{production.song}/takes/{found.id}/audio"
    async with site.browser("pty-artist") as browser, site.browser("pty-outsider") as outsider:
        whole = await browser.get(address)
        part = await browser.get(address, Range="bytes=44-99")
        missing = await browser.get(f"/{production.song}/takes/tk-none/audio")
        refused = await outsider.get(address)

    assert hashlib.sha256(whole.body).hexdigest() == found.asset_sha256
    assert (part.status, part.body) == (206, whole.body[44:100])
    assert missing.status == 404
    assert refused.status in (403, 404)


async def test_another_digest_is_not_found(site: Site, production: Production) -> None:
    """The address names the file; a guess is not answered with another one."""
    address = re.sub(r"/[0-9a-f]{16}\.", f"/{'0' * 16}.", await _address(site, production))
    async with site.browser("pty-producer") as browser:
        assert (await browser.get(address)).status == 404
