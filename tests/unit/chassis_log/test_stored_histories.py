"""Histories of render and notify as an earlier version stored them: read, verified, folded and written the same."""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from tapelog_chassis.event_log import AggregateId, chain, codec

FOLDER = Path(__file__).parents[2] / "golden" / "histories"
NAMES = sorted(path.name for path in FOLDER.glob("stored-v*.json"))
UNKNOWN = bytes.fromhex("c2a90704") + b"more"
"""Field 15,000, length-delimited, four bytes: what a later version may add to an event."""


@pytest.fixture(scope="module")
def recorder() -> Any:
    """Load what recorded them."""
    spec = importlib.util.spec_from_file_location("stored", FOLDER / "stored.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_kind_has_a_history(recorder: Any) -> None:
    """Jobs that ended well and not, an account, a subscription, a rule."""
    assert {json.loads((FOLDER / name).read_text())["aggregate"] for name in NAMES} == set(recorder.KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_stored_is_read_verified_and_written_the_same(name: str, recorder: Any) -> None:
    """Headers to the letter, bodies byte for byte, the chain with the formula of today, and the state of then."""
    golden = json.loads((FOLDER / name).read_text())
    events = recorder.stored(golden)
    chain.verify(AggregateId.parse(golden["subject"]), events)
    for event, line in zip(events, golden["events"], strict=True):
        assert codec.encode(event) == line["headers"]
        message = recorder.KINDS[golden["aggregate"]].registry.decode(event)
        assert message.SerializeToString(deterministic=True).hex() == line["data"]
    assert recorder.read(golden["aggregate"], events) == golden["state"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_later_version_adds_is_kept_and_changes_nothing(name: str, recorder: Any) -> None:
    """A field that this version does not know, in every event: the same state, and it is written again."""
    golden = json.loads((FOLDER / name).read_text())
    registry = recorder.KINDS[golden["aggregate"]].registry
    later = [dataclasses.replace(event, data=event.data + UNKNOWN) for event in recorder.stored(golden)]
    assert recorder.read(golden["aggregate"], later) == golden["state"]
    for event in later:
        assert registry.decode(event).SerializeToString(deterministic=True).endswith(UNKNOWN)
