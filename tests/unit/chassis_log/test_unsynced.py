"""What a power cut leaves: a stream that holds no fact is removed when it is torn, and nothing else ever is."""

from pathlib import Path

import pytest
from tapelog_chassis.nats.unsynced import remove_torn
from tapelog_chassis.topology import DELIVERIES, PUB


def stream(store: Path, name: str, *, definition: bytes, check_sum: bytes) -> Path:
    """Make a stream's folder."""
    folder = store / "jetstream" / "ACCOUNT" / "streams" / name
    (folder / "msgs").mkdir(parents=True)
    (folder / "msgs" / "1.blk").write_bytes(b"a message")
    (folder / "meta.inf").write_bytes(definition)
    (folder / "meta.sum").write_bytes(check_sum)
    return folder


@pytest.mark.parametrize(
    ("definition", "check_sum"),
    [(b"", b""), (b'{"name": "DEL', b"0123456789abcdef"), (b"{}", b""), (bytes(200), bytes(16))],
    ids=["empty", "cut", "no sum", "zeros"],
)
def test_a_torn_stream_without_facts_is_removed(definition: bytes, check_sum: bytes, tmp_path: Path):
    """Its folder is gone; one with facts stays, as torn as it may be: an operator has to look at it."""
    torn = stream(tmp_path, DELIVERIES, definition=definition, check_sum=check_sum)
    facts = stream(tmp_path, PUB, definition=definition, check_sum=check_sum)
    assert remove_torn(tmp_path) == [DELIVERIES]
    assert not torn.exists()
    assert (facts / "msgs" / "1.blk").exists()


def test_a_whole_stream_stays(tmp_path: Path):
    """Nothing is removed, and nothing of a store that is not there yet."""
    whole = stream(tmp_path, DELIVERIES, definition=b'{"name": "DELIVERIES"}', check_sum=b"0123456789abcdef")
    assert remove_torn(tmp_path) == []
    assert (whole / "msgs" / "1.blk").exists()
    assert remove_torn(tmp_path / "none") == []
