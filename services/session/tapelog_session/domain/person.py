"""What the log knows of a person beside their id: whether they were erased."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Who was erased; `party` is empty before."""

    party: str = ""


def evolve(_person: Person, event: Message, _time: datetime) -> Person:
    """Return the person after an event."""
    if isinstance(event, events_pb2.PersonErased):
        return Person(event.party)
    raise TypeError(f"{type(event).__name__} is not an event of a person")
