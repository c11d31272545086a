"""docs/asyncapi.yaml against the topology, the catalogue, the protos and what is really published."""

import copy
import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format, symbol_database
from tapelog_chassis.event_log import AggregateId, Metadata, StoredEvent
from tapelog_chassis.topology import CANCEL_SUBJECTS, PROGRESS_SUBJECTS, PUB, STREAMS, pub_subject
from tapelog_notify.adapters.public_codec import encode_public
from tapelog_notify.application.ports import Outgoing
from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.threads import NOTE_TYPES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Read the document as any tool would."""
    found: dict[str, Any] = yaml.load((ROOT / "docs" / "asyncapi.yaml").read_text(), Loader=yaml.CSafeLoader)
    return found


def test_it_is_what_topology_and_protos_give() -> None:
    """A change of either without the document fails here."""
    tool = [sys.executable, str(ROOT / "tools" / "gen_asyncapi.py"), "--check"]
    assert subprocess.run(tool, check=False, capture_output=True, text=True).stdout == ""


@pytest.fixture(scope="module")
def peer() -> Any:
    """Import a peer's strict model of AsyncAPI 3.0; it warns about names of its own fields."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("asyncapi3").AsyncAPI3


def test_a_peer_reads_it_as_asyncapi_3(document: dict[str, Any], peer: Any) -> None:
    """Every object has the fields of the specification, and no others."""
    read = peer.model_validate(document)
    assert len(read.channels.root) == len(document["channels"])


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d.update(chanels={}),
        lambda d: d["info"].pop("version"),
        lambda d: next(iter(d["operations"].values())).update(action="publish"),
        lambda d: next(iter(d["channels"].values())).update(adress="pub"),
        lambda d: next(iter(d["components"]["messages"].values())).update(payloads={}),
    ],
    ids=["root", "info", "operation", "channel", "message"],
)
def test_the_peer_refuses_what_is_not(document: dict[str, Any], peer: Any, break_it: Callable[[Any], object]) -> None:
    """So that its acceptance means something: one wrong word is refused wherever it stands."""
    broken = copy.deepcopy(document)
    break_it(broken)
    with pytest.raises(ValueError, match="AsyncAPI3"):
        peer.model_validate(broken)


def test_every_event_has_the_subject_that_it_is_published_on(document: dict[str, Any]) -> None:
    """The addresses, filled in, are those the projector writes to; no type lacks one, none is too many."""
    public = {name: c for name, c in document["channels"].items() if not name.startswith("internal_")}
    found = [(c["title"], c["address"].format(tenant="acme", project="prj-1", song="-")) for c in public.values()]
    expected = [(type_, pub_subject("acme", "prj-1", "", type_)) for type_ in EVENT_TYPES]
    expected += [(type_, pub_subject("acme", "prj-1", "", type_, audience="client")) for type_ in NOTE_TYPES]
    assert sorted(found) == sorted(expected)


def test_every_subject_of_the_topology_is_in_it(document: dict[str, Any]) -> None:
    """Logs, queue, buckets and signals too, marked as internal."""
    listed = {c["x-subject"] for c in document["channels"].values() if "x-subject" in c}
    subjects = {subject for stream in STREAMS if stream.name != PUB for subject in stream.subjects}
    assert listed == subjects | {CANCEL_SUBJECTS, PROGRESS_SUBJECTS}


def test_every_example_is_a_message_of_its_type_and_has_no_empty_one(document: dict[str, Any]) -> None:
    """Each parses into the very message that the type carries; what has fields shows some."""
    messages = document["components"]["messages"]
    assert {message["title"]: message["name"] for message in messages.values()} == EVENT_TYPES
    for message in messages.values():
        class_ = symbol_database.Default().GetSymbol(message["name"])
        (example,) = message["examples"]
        parsed = json_format.ParseDict(example["payload"], class_())
        assert bool(parsed.ListFields()) == bool(class_.DESCRIPTOR.fields)
        properties = document["components"]["schemas"][message["name"].replace(".", "_")].get("properties", {})
        assert set(properties) == {field.name for field in class_.DESCRIPTOR.fields}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No dangling $ref."""
    for reference in _references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_headers_are_those_of_a_published_event(document: dict[str, Any]) -> None:
    """Whatever the projector writes is described, and what the document requires is written."""
    stored = StoredEvent(
        aggregate=AggregateId("session", "acme", "sng-1"), sequence=1, position=1, event_id="evt-1",
        type="tapelog.song.track_defined.v1", schema="tapelog.session.v1.TrackDefined",
        time=datetime(2026, 1, 1, tzinfo=UTC), data=b"", hash="", previous_hash="",
        metadata=Metadata(actor="pty-ana", project="prj-1", song="sng-1", correlation_id="cor-1", role_used="ARTIST"),
    )  # fmt: skip
    headers = encode_public(Outgoing(stored, {"session": 1})).headers
    schema = document["components"]["schemas"]["CloudEventHeaders"]
    assert set(schema["required"]) <= set(headers)
    assert set(headers) <= set(schema["properties"])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
