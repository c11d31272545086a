"""Which protobuf message is which CloudEvents type: `tapelog.<aggregate>.<event_snake>.v<N>`."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from tapelog_chassis.errors import DataLoss, WrittenByNewer
from tapelog_chassis.event_log import StoredEvent

_WORD_EDGE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
OURS: Final = "tapelog."
"""What the types of all our events begin with, whichever version wrote them."""
_VERSION: Final = re.compile(r"v[1-9][0-9]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Upcaster:
    """How an event of an older version is read as one of a newer.

    Attributes
    ----------
    type : str
        The older CloudEvents type, such as `tapelog.song.take_checked.v1`.
    cast : Callable[[Message], Message]
        Pure: the same event in, the same out; never changes what it is given.
    """

    type: str
    cast: Callable[[Any], Message]


class EventRegistry:
    """The event vocabulary of a service.

    Parameters
    ----------
    words : Mapping[str, Iterable[type[Message]]]
        Event messages by the word of their aggregate: `{"song": [SongCreated, …], "project": […]}`.
    upcasters : Iterable[Upcaster]
        How events of older versions are read; their messages stay among the words.
    """

    def __init__(self, words: Mapping[str, Iterable[type[Message]]], *, upcasters: Iterable[Upcaster] = ()) -> None:
        self._classes: dict[str, type[Message]] = {}
        self._types: dict[str, str] = {}
        self._names: dict[type[Message], tuple[str, str]] = {}
        self._upcasters = {upcaster.type: upcaster for upcaster in upcasters}
        for word, messages in words.items():
            for message in messages:
                name = message.DESCRIPTOR.full_name
                event_type = event_type_of(word, message)
                if name in self._types or event_type in self._classes:
                    raise ValueError(f"event message {name} is registered twice")
                self._types[name] = event_type
                self._classes[event_type] = message

        unknown = sorted(self._upcasters.keys() - self._classes.keys())
        if unknown:
            raise ValueError(f"upcasters of {', '.join(unknown)}, which are not registered: keep the old messages")

    @property
    def types(self) -> Mapping[str, type[Message]]:
        """Message class by CloudEvents type."""
        return self._classes

    def type_of(self, event: Message) -> str:
        """Return the CloudEvents type of an event message."""
        return self._names_of(event)[0]

    def schema_of(self, event: Message) -> str:
        """Return the full name of an event message."""
        return self._names_of(event)[1]

    def _names_of(self, event: Message) -> tuple[str, str]:
        """Return type and full name; a descriptor makes its name anew whenever it is asked."""
        known = self._names.get(type(event))
        if known is None:
            name = event.DESCRIPTOR.full_name
            if name not in self._types:
                raise KeyError(f"event message {name} is not registered: add it to the service's event registry")
            known = self._names[type(event)] = (self._types[name], name)
        return known

    def decode(self, stored: StoredEvent) -> Message:
        """Return the message of a stored event.

        Raises
        ------
        WrittenByNewer
            The type is one of ours that this version does not know.
        DataLoss
            The type is nobody's, or its bytes are not its message: history is never skipped.
        """
        message_class = self._classes.get(stored.type)
        values = {"aggregate": stored.aggregate, "sequence": stored.sequence, "type": stored.type}
        if message_class is None and stored.type.startswith(OURS):
            raise WrittenByNewer(
                "WRITTEN_BY_NEWER_VERSION",
                f"{stored.aggregate} has event {stored.sequence} of type {stored.type}, written by a newer version "
                "than this one; nothing of it is read or changed here: run the version that wrote it, or a later one",
                metadata=values,
            )
        if message_class is None:
            raise DataLoss(
                "EVENT_TYPE_UNKNOWN",
                f"{stored.aggregate} has event {stored.sequence} of type {stored.type}, which is none of "
                "ours; the operator has to restore the log",
                metadata=values,
            )
        try:
            message = message_class.FromString(stored.data)
            return self.current(stored.type, message) if stored.type in self._upcasters else message
        except DecodeError:
            raise DataLoss(
                "EVENT_UNREADABLE",
                f"{stored.aggregate}: the bytes of event {stored.sequence} are not a {stored.type}; restore the log "
                "from its journal",
                metadata=values,
            ) from None

    def current(self, type_: str, message: Message) -> Message:
        """Return an event as the newest version of its type says it: every upcaster on the way, one after another."""
        while (upcaster := self._upcasters.get(type_)) is not None:
            message = upcaster.cast(message)
            type_ = self.type_of(message)
        return message

    def __repr__(self) -> str:
        return f"EventRegistry({len(self._classes)} types)"


def event_type_of(word: str, message: type[Message]) -> str:
    """Return `tapelog.<word>.<event_snake>.v<N>`, with N from the message's package."""
    version = message.DESCRIPTOR.file.package.rpartition(".")[2]
    if _VERSION.fullmatch(version) is None:
        raise ValueError(f"package of {message.DESCRIPTOR.full_name} does not end in a version such as v1")
    snake = _WORD_EDGE.sub("_", message.DESCRIPTOR.name).lower()
    return f"tapelog.{word}.{snake}.{version}"
