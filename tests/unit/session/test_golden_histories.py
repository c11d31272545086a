"""Histories that earlier versions have written: they fold to the very state they folded to then."""

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from tapelog.session.v1 import events_pb2
from tapelog_chassis.aggregates.event_registry import EventRegistry, Upcaster
from tapelog_session.application.aggregates import EVENTS

FOLDER = Path(__file__).parents[2] / "golden" / "histories"
HISTORIES = sorted(path.name for path in FOLDER.glob("v*.json"))


def _record() -> Any:
    spec = importlib.util.spec_from_file_location("record", FOLDER / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_of_an_earlier_version_folds_to_its_state(name: str) -> None:
    """Byte for byte what was written then gives what it gave then; fields that are new since may be more."""
    golden = json.loads((FOLDER / name).read_text())
    now = _record().read(golden["aggregate"], golden["events"])
    assert _kept(golden["state"], now) == golden["state"]


def _kept(then: Any, now: Any) -> Any:
    """Return of a state now what a state of then speaks of."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: _kept(value, now.get(key)) for key, value in then.items()}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [_kept(before, after) for before, after in zip(then, now, strict=True)]
    return now


def test_the_song_has_gone_all_the_way() -> None:
    """The golden song is archived in its third cycle or later, after a dispute, send-backs and two packages."""
    golden = json.loads((FOLDER / "v1-song.json").read_text())
    types = [event["type"].split(".")[2] for event in golden["events"]]
    assert golden["state"]["stage"] == "STAGE_ARCHIVED"
    assert golden["state"]["cycle"] >= 4
    assert types.count("stage_sent_back") == 3
    assert {"disagreement_closed", "check_waived", "stems_rendered", "package_accepted", "notes_carried_over"} <= set(
        types
    )
    used = set(types)
    known = {type_.split(".")[2] for type_ in EVENTS.types if type_.startswith("tapelog.song.")}
    assert len(used) >= 0.8 * len(known), sorted(known - used)


def test_no_field_of_an_event_has_changed() -> None:
    """Number, type and cardinality stay for ever; new fields are recorded, so that they stay from now on too."""
    recorded = json.loads((FOLDER / "fields.json").read_text())
    now = _record().field_numbers()
    changed = {
        f"{message}.{field}": (before, now.get(message, {}).get(field))
        for message, fields in recorded.items()
        for field, before in fields.items()
        if now.get(message, {}).get(field) != before
    }
    assert changed == {}, "make a new version of the event with an upcaster instead"
    assert now == recorded, "fields were added: record them with tests/golden/histories/record.py"


def test_the_committed_bytes_are_the_events(session: Any) -> None:
    """Reading and writing a golden event gives its bytes again: nothing in it is unknown to this version."""
    del session
    for name in HISTORIES:
        for event in json.loads((FOLDER / name).read_text())["events"]:
            message = EVENTS.types[event["type"]].FromString(bytes.fromhex(event["data"]))
            assert message.SerializeToString(deterministic=True).hex() == event["data"]


UNKNOWN = bytes.fromhex("c2a90704") + b"more"
"""Field 15,000, length-delimited, four bytes: what a later version may add to an event."""


@pytest.mark.parametrize("name", HISTORIES)
def test_what_a_later_version_adds_is_kept_and_changes_nothing(name: str) -> None:
    """Every event with a field that this version does not know: the same state, and the field is written again."""
    golden = json.loads((FOLDER / name).read_text())
    later = [{**event, "data": event["data"] + UNKNOWN.hex()} for event in golden["events"]]
    assert _kept(golden["state"], _record().read(golden["aggregate"], later)) == golden["state"]
    for event in later:
        message = EVENTS.types[event["type"]].FromString(bytes.fromhex(event["data"]))
        assert message.SerializeToString(deterministic=True).endswith(UNKNOWN)


def test_an_older_event_is_read_as_the_newer_one() -> None:
    """An upcaster stands between the bytes and the fold; chains end at the newest; the old event is left as it was."""

    def cast(old: events_pb2.MemberAdded) -> events_pb2.MemberRoleChanged:
        return events_pb2.MemberRoleChanged(party=old.party, roles=old.roles)

    def cast_again(old: events_pb2.MemberRoleChanged) -> events_pb2.MemberRemoved:
        return events_pb2.MemberRemoved(party=old.party)

    words = {"project": [events_pb2.MemberAdded, events_pb2.MemberRoleChanged, events_pb2.MemberRemoved]}
    registry = EventRegistry(
        words,
        upcasters=[
            Upcaster("tapelog.project.member_added.v1", cast),
            Upcaster("tapelog.project.member_role_changed.v1", cast_again),
        ],
    )
    old = events_pb2.MemberAdded(party="ana", roles=[1])
    before = hashlib.sha256(old.SerializeToString()).digest()
    assert registry.current("tapelog.project.member_added.v1", old) == events_pb2.MemberRemoved(party="ana")
    assert hashlib.sha256(old.SerializeToString()).digest() == before
    assert registry.current("tapelog.project.member_removed.v1", cast_again(cast(old))) == cast_again(cast(old))
    with pytest.raises(ValueError, match="keep the old messages"):
        EventRegistry(words, upcasters=[Upcaster("tapelog.project.member_teleported.v1", cast)])
