"""What an attacker or a disk does to a log and its anchors, in numbers: every single change is found."""

import asyncio
import base64
import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from tapelog_chassis.anchors import AnchorJournal, AnchorKey, AnchorVerifier, LogGuard, Rolling, journal_path
from tapelog_chassis.anchors.guard import check_anchor, scan
from tapelog_chassis.anchors.journal import _hash as hash_of
from tapelog_chassis.anchors.journal import read_journal
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.event_log import (
    AggregateId,
    CorruptStream,
    LogTampered,
    MemoryEventLog,
    StoredEvent,
    chain,
    codec,
)
from tapelog_chassis.testing import eventually, new_event

from .event_log_contract import SONG, WHO

OTHER: Final = AggregateId("session", "acme", "sng-2")
EVENTS: Final = 60
ANCHOR_EVERY: Final = 9
SEED: Final = 14
ALL: Final = {"flips": 1000, "deletions": 100, "swaps": 100, "cuts": 100, "rewritings": 20}
FEW: Final = {"flips": 120, "deletions": 12, "swaps": 12, "cuts": 12, "rewritings": 4}


@dataclass(frozen=True)
class Message:
    """An event as it lies in the stream."""

    subject: str
    headers: dict[str, str]
    data: bytes
    position: int


class Tampered(MemoryEventLog):
    """A log that reads what lies there, as the real reader does: decoded from headers and body, and checked."""

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__()
        self._messages = messages

    async def head(self, context: str) -> int:
        """Return the last position."""
        del context
        return self._messages[-1].position if self._messages else 0

    async def read_all(self, context: str, *, after_position: int = 0) -> Any:
        """Yield what can be read; `CorruptStream` at what cannot."""
        del context
        for message in self._messages:
            if message.position > after_position:
                event = codec.decode(message.subject, message.headers, message.data, message.position)
                chain.check_link(event, None)
                codec.check_headers(event, message.headers)
                yield event


async def written(folder: Path, *, word: str = "") -> tuple[list[Message], AnchorVerifier]:
    """Write a log of two songs with signed anchors, and return it as it lies in the stream."""
    log, place = MemoryEventLog(), Rolling.start("session")
    with AnchorJournal(folder, "session", key=AnchorKey.open(folder / "keys", "session")) as journal:
        for n in range(EVENTS):
            song = SONG if n % 3 else OTHER
            new = new_event(f"{word}{n}", f"{word} body of {n}".encode())
            (event,) = await log.append(song, len(await log.load(song)), [new], WHO)
            place = place.after(event)
            if n % ANCHOR_EVERY == 0 or n == EVENTS - 1:
                journal.append(place)
    verifier = AnchorVerifier.read(folder / "keys", "session")
    assert verifier is not None
    return [message_of(event) async for event in log.read_all("session")], verifier


def message_of(event: StoredEvent) -> Message:
    """Return an event as it travels."""
    return Message(event.aggregate.subject, codec.encode(event), event.data, event.position)


async def is_found(messages: Sequence[Message], folder: Path, verifier: AnchorVerifier) -> bool:
    """Say whether start or scan refuse the log."""
    log = Tampered(messages)
    try:
        anchors = read_journal(journal_path(folder, "session"), "session", verifier=verifier)
        await check_anchor(log, "session", anchors[-1])
        await scan(log, "session", anchors)
    except (LogTampered, CorruptStream):
        return True
    return False


def flipped(rng: random.Random, messages: Sequence[Message]) -> list[Message]:
    """Flip one bit of what the chain covers: subject, body, or a header of ours, in name or value."""
    index = rng.randrange(len(messages))
    message = messages[index]
    names = [name for name in message.headers if name.startswith(("ce-", "tl-"))]
    places = [("data", ""), ("subject", ""), *(("header", name) for name in names)]
    kind, name = rng.choice(places)
    if kind == "data":
        changed = replace(message, data=_flip(rng, message.data))
    elif kind == "subject":
        changed = replace(message, subject=_flip(rng, message.subject.encode()).decode("latin-1"))
    else:
        value = _flip(rng, message.headers[name].encode()).decode("latin-1")
        changed = replace(message, headers={**message.headers, name: value})
    return [*messages[:index], changed, *messages[index + 1 :]]


def _flip(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(7))]) + content[at + 1 :]


def deleted(rng: random.Random, messages: Sequence[Message]) -> list[Message]:
    """Take one event out, and close the gap of positions or leave it."""
    index = rng.randrange(len(messages))
    rest = [*messages[:index], *messages[index + 1 :]]
    return _numbered(rest) if rng.random() < 0.5 else rest


def swapped(rng: random.Random, messages: Sequence[Message]) -> list[Message]:
    """Let two events change places."""
    one, two = rng.sample(range(len(messages)), 2)
    changed = list(messages)
    changed[one], changed[two] = changed[two], changed[one]
    return _numbered(changed)


def cut(rng: random.Random, messages: Sequence[Message]) -> list[Message]:
    """Cut the end off, and write others in its place, with right chains; or write none."""
    kept = list(messages[: rng.randrange(len(messages))])
    if rng.random() < 0.3:
        return kept
    events = [codec.decode(m.subject, m.headers, m.data, m.position) for m in kept]
    for n in range(len(messages) - len(kept) + rng.randrange(3)):
        song = rng.choice((SONG, OTHER))
        before = [event for event in events if event.aggregate == song]
        previous = before[-1].hash if before else chain.genesis_hash(song)
        (event,) = chain.seal(song, len(before), previous, [new_event(f"again-{n}", b"again")], WHO)
        events.append(replace(event, position=len(events) + 1))
    return [message_of(event) for event in events]


def _numbered(messages: Sequence[Message]) -> list[Message]:
    return [replace(message, position=number) for number, message in enumerate(messages, start=1)]


def changes(counts: dict[str, int], messages: Sequence[Message]) -> Iterator[tuple[str, list[Message]]]:
    """Yield changed logs."""
    rng = random.Random(SEED)
    kinds: dict[str, Callable[[random.Random, Sequence[Message]], list[Message]]] = {
        "flips": flipped,
        "deletions": deleted,
        "swaps": swapped,
        "cuts": cut,
    }
    for name, change in kinds.items():
        for _ in range(counts[name]):
            yield name, change(rng, messages)


@pytest.mark.parametrize(
    "counts", [pytest.param(FEW, id="few"), pytest.param(ALL, id="all", marks=pytest.mark.nightly)]
)
async def test_every_change_of_the_log_is_found(counts: dict[str, int], tmp_path: Path) -> None:
    """Flipped bits, missing events, swaps, cut ends written anew, whole histories with old anchors: all of them."""
    messages, verifier = await written(tmp_path)
    assert not await is_found(messages, tmp_path, verifier)
    found = dict.fromkeys(counts, 0)
    for name, changed in changes(counts, messages):
        if name == "flips" or changed != messages:
            assert await is_found(changed, tmp_path, verifier), (name, _difference(messages, changed))
        found[name] += 1
    for n in range(counts["rewritings"]):
        other, _ = await written(tmp_path / f"other-{n}", word=f"forged {n}")
        assert await is_found(other, tmp_path, verifier)
        found["rewritings"] += 1
    assert found == counts
    sys.stdout.write(f"found {found}, missed 0\n")


def _difference(one: Sequence[Message], two: Sequence[Message]) -> list[Any]:
    return [pair for pair in zip(one, two, strict=False) if pair[0] != pair[1]][:1]


async def test_a_forged_history_with_forged_anchors_is_found(tmp_path: Path) -> None:
    """Who writes log and journal anew, with every formula right but without the key, is found out."""
    _, verifier = await written(tmp_path)
    forged, _ = await written(tmp_path / "forged", word="forged")
    shutil.copy(journal_path(tmp_path / "forged", "session"), journal_path(tmp_path, "session"))
    with pytest.raises(LogTampered, match="not signed with the key of its writer"):
        read_journal(journal_path(tmp_path, "session"), "session", verifier=verifier)
    unsigned = journal_path(tmp_path, "session")
    lines = [json.loads(line) for line in unsigned.read_text().splitlines()]
    unsigned.write_text(
        "".join(json.dumps({k: v for k, v in line.items() if k != "signature"}) + "\n" for line in lines)
    )
    with pytest.raises(LogTampered, match="not signed at all"):
        read_journal(unsigned, "session", verifier=verifier)
    assert await is_found(forged, tmp_path, verifier)
    guard = LogGuard(Tampered(forged), tmp_path, ("session",), key_folder=tmp_path / "keys")
    with pytest.raises(LogTampered, match="signed"):
        await guard.check()


async def test_each_edited_anchor_is_found(tmp_path: Path) -> None:
    """Every value of every line, changed, with all hashes of the journal made anew as the formula says."""
    _, verifier = await written(tmp_path)
    path = journal_path(tmp_path, "session")
    right = path.read_text()
    lines = [json.loads(line) for line in right.splitlines()]
    other = AnchorKey.open(tmp_path / "other", "session")
    for number in range(len(lines)):
        for name, value in (("events", 999), ("digest", "0" * 64), ("event_hash", "1" * 64), ("time", "2026-01-01")):
            changed = [dict(line) for line in lines]
            changed[number][name] = value
            for line, before in zip(changed, [None, *changed], strict=False):
                fields = {key: item for key, item in line.items() if key not in ("hash", "signature")}
                line["hash"] = hash_of(before["hash"] if before else _genesis(), fields)
            for signature in (None, other.sign("session", changed[-1]["hash"]), base64.b64encode(b"x" * 64).decode()):
                if signature is not None:
                    changed[-1]["signature"] = signature
                path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in changed))
                with pytest.raises(LogTampered, match="signed"):
                    read_journal(path, "session", verifier=verifier)
    path.write_text(right)
    assert asdict(read_journal(path, "session", verifier=verifier)[-1])["signature"]


def _genesis() -> str:
    return hashlib.sha256(b"tapelog anchors session").hexdigest()


async def test_an_unsigned_journal_is_taken_on_once(tmp_path: Path) -> None:
    """What was anchored before there was a key is signed from then on; taking the key away later does not help."""
    log, place = MemoryEventLog(), Rolling.start("session")
    with AnchorJournal(tmp_path, "session") as journal:
        for n in range(2):
            (event,) = await log.append(SONG, n, [new_event(str(n))], WHO)
            place = place.after(event)
            journal.append(place)
    guard = LogGuard(log, tmp_path, ("session",), key_folder=tmp_path / "keys", delay_s=0.01)
    await guard.check()
    (event,) = await log.append(SONG, 2, [new_event("2")], WHO)
    with pytest.raises(LogTampered, match="not signed at all"):
        # The key is there now, and no line was written with it: somebody took them away.
        read_journal(
            journal_path(tmp_path, "session"), "session", verifier=AnchorVerifier.read(tmp_path / "keys", "session")
        )
    anchors = await _anchored_by(guard, log, tmp_path)
    assert [bool(anchor.signature) for anchor in anchors] == [False, False, True]
    await LogGuard(log, tmp_path, ("session",), key_folder=tmp_path / "keys").check()


async def _anchored_by(guard: LogGuard, log: MemoryEventLog, folder: Path) -> list[Any]:
    """Let a guard anchor what is new."""
    path, head = journal_path(folder, "session"), await log.head("session")
    running = asyncio.create_task(guard.run())
    await eventually(lambda: read_journal(path, "session")[-1].position == head)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return read_journal(path, "session", verifier=AnchorVerifier.read(folder / "keys", "session"))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It is made 0600 and must stay so; what is no key is refused too."""
    key = AnchorKey.open(tmp_path / "keys", "session")
    assert key.is_new
    assert not AnchorKey.open(tmp_path / "keys", "session").is_new
    files = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert files == ["session.pem", "session.pub.pem"]
    path = tmp_path / "keys" / "session.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigRefusal, match="other users"):
        AnchorKey.open(tmp_path / "keys", "session")
    path.write_bytes(b"no key")
    path.chmod(0o600)
    with pytest.raises(ConfigRefusal, match="PEM"):
        AnchorKey.open(tmp_path / "keys", "session")
