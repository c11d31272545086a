"""Record the golden histories of this version: `python tests/golden/histories/record.py [NAME]`, such as `v2`.

A history that is there is never written again: what a version has written, every later one must read. What is recorded
anew is the table of field numbers, to which fields may be added and of which none may change.
"""

import importlib.util
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.application.reading.resources import delivery_resource, project_resource, song_resource
from tapelog_session.application.studio_sessions import session_resource
from tapelog_session.domain import evolve, project, studio_session
from tapelog_session.domain.handover import delivery
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.project import Project
from tapelog_session.domain.song import Song
from tapelog_session.domain.studio_session import StudioSession

HERE: Final = Path(__file__).parent
FIELDS: Final = HERE / "fields.json"
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
FOLDS: Final[dict[str, tuple[Any, Any, Any]]] = {
    "project": (Project, project.evolve, project_resource),
    "song": (Song, evolve.evolve, song_resource),
    "studio_session": (StudioSession, studio_session.evolve, session_resource),
    "delivery_package": (DeliveryPackage, delivery.evolve, delivery_resource),
}
"""Per aggregate word: its state before the first event, its fold, and how it is read."""


def written(events: Sequence[tuple[Message, datetime]]) -> list[dict[str, str]]:
    """Return a history as it is committed: type, time and the very bytes of each event."""
    return [
        {
            "type": EVENTS.type_of(event),
            "time": time.isoformat(),
            "data": event.SerializeToString(deterministic=True).hex(),
        }
        for event, time in events
    ]


def read(word: str, history: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Fold a history as the service does, and return what it reads as."""
    initial, fold, resource = FOLDS[word]
    state, time = initial(), EPOCH
    for line in history:
        time = datetime.fromisoformat(line["time"])
        message = EVENTS.current(line["type"], EVENTS.types[line["type"]].FromString(bytes.fromhex(line["data"])))
        state = fold(state, message, time)
    plain = MessageToDict(resource(Versioned(state, len(history), time=time)), preserving_proto_field_name=True)
    return dict(sorted(plain.items()))


def field_numbers() -> dict[str, dict[str, list[Any]]]:
    """Return number, type and cardinality of every field that an event's bytes are made of, by message and name."""
    found: dict[str, dict[str, list[Any]]] = {}
    waiting: list[Descriptor] = [message.DESCRIPTOR for message in EVENTS.types.values()]
    while waiting:
        described = waiting.pop()
        if described.full_name in found:
            continue
        found[described.full_name] = {
            field.name: [field.number, field.type, field.is_repeated] for field in described.fields
        }
        waiting += [field.message_type for field in described.fields if field.message_type is not None]
    return {name: dict(sorted(fields.items())) for name, fields in sorted(found.items())}


def _module(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _histories() -> dict[str, list[tuple[Message, datetime]]]:
    session = _module("session_in_memory", HERE.parents[1] / "unit" / "session" / "conftest.py").Session()
    story = _module("story", HERE / "story.py")
    story.tell(session)

    def timed(events: Sequence[Message]) -> list[tuple[Message, datetime]]:
        return [(event, EPOCH + timedelta(seconds=number)) for number, event in enumerate(events)]

    return {
        "project": timed(story.project_events()),
        "song": session.events,
        "studio_session": timed(story.studio_session_events()),
        "delivery_package": timed(story.delivery_events()),
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=False) + "\n")


def main() -> None:
    """Record the histories under the name, if there is one, and the table of fields."""
    for name in sys.argv[1:2]:
        for word, events in _histories().items():
            path = HERE / f"{name}-{word}.json"
            if path.exists():
                raise SystemExit(f"{path.name} is there already; a history is never written again: choose another name")
            history = written(events)
            _write(path, {"aggregate": word, "events": history, "state": read(word, history)})
            print(f"{path.name}: {len(history)} events")  # noqa: T201 - a tool
    _write(FIELDS, field_numbers())


if __name__ == "__main__":
    main()
