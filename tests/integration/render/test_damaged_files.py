"""Good files cut off and damaged at random, by the thousand, through the engine's child.

``TAPELOG_DECODES=20000 python -m pytest -m nightly -s tests/integration/render/test_damaged_files.py -k random`` is the
long run; ``TAPELOG_DECODES_FROM`` begins at another number, and each number is one damaged file for ever.
"""

import os
import random
import struct
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from .arrivals import Tally, arrival_desk
from .hostile_files import SEEDS

CUTS = 200
DECODES_COMMIT: Final = 150
DECODES: Final = 20_000
EDITS_MAX: Final = 6
NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def damaged(number: int, seeds: list[bytes]) -> bytes:
    """Return the damaged file of a number: a good one with one to six edits."""
    chance = random.Random(number)
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, EDITS_MAX)):
        # Half of all edits hit the header, where lengths and formats are.
        reach = min(len(content), 256) if chance.random() < 0.5 else len(content)
        if reach < 8:
            break
        _edit(content, chance.randrange(reach - 4), chance, seeds)
    return bytes(content)


def _edit(content: bytearray, at: int, chance: random.Random, seeds: list[bytes]) -> None:
    match chance.randrange(8):
        case 0:
            content[at] ^= 1 << chance.randrange(8)
        case 1:
            content[at] = chance.randrange(256)
        case 2:
            content[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(NUMBERS))
        case 3:
            content[at : at + 2] = struct.pack(chance.choice("<>") + "H", chance.choice(NUMBERS) & 0xFFFF)
        case 4:
            del content[at : at + chance.randint(1, 64)]
        case 5:
            content[at:at] = chance.randbytes(chance.randint(1, 64))
        case 6:
            content[at : at + 64] = bytes(64)
        case _:
            other = chance.choice(seeds)
            start = chance.randrange(len(other))
            content[at:at] = other[start : start + chance.randint(1, 512)]


def cuts(content: bytes) -> list[int]:
    """Return where a file is cut off: 200 places over its length, and around every chunk of its start."""
    even = {len(content) * n // CUTS for n in range(CUTS)}
    edges = {at + off for at in _edges(content) for off in (-1, 0, 1, 4, 7, 8, 9)}
    return sorted(at for at in even | edges if 0 <= at < len(content))


def _edges(content: bytes) -> list[int]:
    """Return where chunks, pages and metadata blocks begin."""
    if content[:4] in (b"RIFF", b"RF64", b"FORM"):
        order, at, found = (">" if content[:4] == b"FORM" else "<"), 12, []
        while at + 8 <= len(content):
            found.append(at)
            at += 8 + struct.unpack_from(order + "I", content, at + 4)[0] + 1 & ~1
        return found
    marks = (b"OggS", b"fLaC", b"\xff\xf8", b"fmt \xf3", b"data\xf3", b"\xff\xfb")
    return [at for mark in marks for at in _places(content, mark)]


def _places(content: bytes, mark: bytes) -> list[int]:
    found, at = [], content.find(mark)
    while at >= 0 and len(found) < CUTS:
        found.append(at)
        at = content.find(mark, at + 1)
    return found


async def _decode_at_random(folder: Path, *, first: int, count: int) -> tuple[Tally, Counter[str], list[str]]:
    seeds = [make() for _, make in SEEDS]
    tally, reasons, complaints = Tally(), Counter[str](), []
    path = folder / "file"
    async with arrival_desk(folder) as desk:
        for number in range(first, first + count):
            path.write_bytes(damaged(number, seeds))
            arrival = await desk.check(path)
            tally.add(arrival)
            reasons[arrival.reason] += 1
            if arrival.complaint:
                complaints.append(f"damaged({number}): {arrival.complaint}")
    return tally, reasons, complaints


async def test_a_few_damaged_at_random(tmp_path: Path):
    """Damage anywhere is a result or a refusal by the file's own reason; no child dies, none grows."""
    _, reasons, complaints = await _decode_at_random(tmp_path, first=0, count=DECODES_COMMIT)
    assert complaints == []
    assert reasons.keys() >= {"", "SOURCE_DAMAGED", "SOURCE_TRUNCATED"}, "the damage reached too little"


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
async def test_thousands_damaged_at_random(tmp_path: Path):
    """20,000 files damaged anywhere: crashes 0, failures without a reason of the file 0."""
    first = int(os.environ.get("TAPELOG_DECODES_FROM", "0"))
    count = int(os.environ.get("TAPELOG_DECODES", str(DECODES)))
    tally, reasons, complaints = await _decode_at_random(tmp_path, first=first, count=count)
    sys.stdout.write(f"\ndamaged at random: {tally}\n{dict(reasons)}")
    assert complaints == []


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
async def test_every_kind_cut_off_everywhere(tmp_path: Path):
    """Each good file cut off at 200 places and around each chunk: read in part or refused, never a death or a hang."""
    tally, complaints, path = Tally(), [], tmp_path / "file"
    async with arrival_desk(tmp_path) as desk:
        for name, make in SEEDS:
            content = make()
            for at in cuts(content):
                path.write_bytes(content[:at])
                arrival = await desk.check(path)
                tally.add(arrival)
                if arrival.complaint:
                    complaints.append(f"{name} cut off at {at}: {arrival.complaint}")
    sys.stdout.write(f"\ncut off: {tally}")
    assert complaints == []
    assert len(SEEDS) >= 12
    assert tally.files >= CUTS * len(SEEDS) * 0.9
