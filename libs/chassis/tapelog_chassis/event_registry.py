"""Which protobuf message is which CloudEvents type: `tapelog.<aggregate>.<event_snake>.v<N>`."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf.message import DecodeError, Message

from tapelog_chassis.errors import DataLoss
from tapelog_chassis.event_log import StoredEvent

_WORD_EDGE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VERSION: Final = re.compile(r"v[1-9][0-9]*")


class EventRegistry:
    """The event vocabulary of a service.

    Parameters
    ----------
    words : Mapping[str, Iterable[type[Message]]]
        Event messages by the word of their aggregate: `{"song": [SongCreated, …], "project": […]}`.
    """

    def __init__(self, words: Mapping[str, Iterable[type[Message]]]) -> None:
        self._classes: dict[str, type[Message]] = {}
        self._types: dict[str, str] = {}
        for word, messages in words.items():
            for message in messages:
                name = message.DESCRIPTOR.full_name
                event_type = event_type_of(word, message)
                if name in self._types or event_type in self._classes:
                    raise ValueError(f"event message {name} is registered twice")
                self._types[name] = event_type
                self._classes[event_type] = message

    @property
    def types(self) -> Mapping[str, type[Message]]:
        """Message class by CloudEvents type."""
        return self._classes

    def type_of(self, event: Message) -> str:
        """Return the CloudEvents type of an event message."""
        name = event.DESCRIPTOR.full_name
        if name not in self._types:
            raise KeyError(f"event message {name} is not registered: add it to the service's event registry")
        return self._types[name]

    def decode(self, stored: StoredEvent) -> Message:
        """Return the message of a stored event.

        Raises
        ------
        DataLoss
            The type is unknown, or its bytes are not its message: history is never skipped.
        """
        message_class = self._classes.get(stored.type)
        values = {"aggregate": stored.aggregate, "sequence": stored.sequence, "type": stored.type}
        if message_class is None:
            raise DataLoss(
                "EVENT_TYPE_UNKNOWN",
                f"{stored.aggregate} has event {stored.sequence} of type {stored.type}, which this version does not "
                "know; run the version that wrote it, or a later one",
                metadata=values,
            )
        try:
            return message_class.FromString(stored.data)
        except DecodeError:
            raise DataLoss(
                "EVENT_UNREADABLE",
                f"{stored.aggregate}: the bytes of event {stored.sequence} are not a {stored.type}; restore the log "
                "from its journal",
                metadata=values,
            ) from None

    def __repr__(self) -> str:
        return f"EventRegistry({len(self._classes)} types)"


def event_type_of(word: str, message: type[Message]) -> str:
    """Return `tapelog.<word>.<event_snake>.v<N>`, with N from the message's package."""
    version = message.DESCRIPTOR.file.package.rpartition(".")[2]
    if _VERSION.fullmatch(version) is None:
        raise ValueError(f"package of {message.DESCRIPTOR.full_name} does not end in a version such as v1")
    snake = _WORD_EDGE.sub("_", message.DESCRIPTOR.name).lower()
    return f"tapelog.{word}.{snake}.{version}"
