"""Which events a subscriber gets: projects, songs and type patterns, every given condition must hold."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .catalogue import EVENT_TYPES
from .errors import InvalidValue
from .threads import Thread

VALUES_MAX: Final = 32
"""Projects, songs and patterns of one filter, each."""

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TYPE: Final = re.compile(r"tapelog\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_PREFIX: Final = re.compile(r"[a-z0-9_.]{0,120}\*")

BILLING_TYPES: Final = ("tapelog.usage_account.*", "tapelog.song.stage_*")
"""All that a BILLING_READER may follow: what is owed, and at which stage of a song it arose."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """
    A checked filter; make it with `of`. An empty part lets everything through.

    Attributes
    ----------
    types
        Full types, and prefixes that end in `*`.
    thread
        Of the events about notes, only those of this thread.
    """

    projects: tuple[str, ...] = ()
    songs: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    thread: Thread | None = None

    @classmethod
    def of(
        cls,
        *,
        projects: Sequence[str] = (),
        songs: Sequence[str] = (),
        types: Sequence[str] = (),
        thread: Thread | None = None,
        known: Mapping[str, str] = EVENT_TYPES,
    ) -> "EventFilter":
        """
        Check a filter.

        Raises
        ------
        InvalidValue
            A list is too long, an id or pattern is malformed, or a pattern matches no event type there is: a
            misspelt type would otherwise wait for ever in silence.
        """
        for field, values in (("projects", projects), ("songs", songs), ("types", types)):
            if len(values) > VALUES_MAX:
                raise InvalidValue(
                    f"filter.{field}", "FILTER_TOO_LONG", f"has {len(values)} values, the limit is {VALUES_MAX}"
                )
        for field, values in (("projects", projects), ("songs", songs)):
            for index, value in enumerate(values):
                if not _ID.fullmatch(value):
                    raise InvalidValue(
                        f"filter.{field}[{index}]",
                        "INVALID_ID",
                        f"{value[:64]!r} is not an id",
                    )
        for index, pattern in enumerate(types):
            _check_pattern(f"filter.types[{index}]", pattern, known)
        return cls(projects=_unique(projects), songs=_unique(songs), types=_unique(types), thread=thread)

    def matches(self, *, type_: str, project: str, song: str, thread: Thread | None) -> bool:
        """Say whether an event passes; `thread` is the one it is of, None for what is about no note."""
        return (
            (not self.projects or project in self.projects)
            and (not self.songs or song in self.songs)
            and (not self.types or any(_fits(pattern, type_) for pattern in self.types))
            and (self.thread is None or thread in (None, self.thread))
        )

    def known_types(self, known: Iterable[str] = EVENT_TYPES) -> tuple[str, ...]:
        """Return the event types there are that pass, in the catalogue's order."""
        return tuple(type_ for type_ in known if not self.types or any(_fits(p, type_) for p in self.types))


def beyond(event_filter: EventFilter, allowed: EventFilter) -> tuple[str, ...]:
    """Return the types that `event_filter` lets through and `allowed` does not."""
    permitted = set(allowed.known_types())
    return tuple(type_ for type_ in event_filter.known_types() if type_ not in permitted)


def _check_pattern(field: str, pattern: str, known: Mapping[str, str]) -> None:
    shown = pattern[:128]
    if not (_TYPE.fullmatch(pattern) or _PREFIX.fullmatch(pattern)):
        raise InvalidValue(
            field,
            "INVALID_TYPE_PATTERN",
            f"{shown!r} is neither a full type such as 'tapelog.song.stage_advanced.v1' nor a prefix that ends in '*'",
        )
    if not any(_fits(pattern, type_) for type_ in known):
        raise InvalidValue(field, "NO_SUCH_TYPE", f"no event type matches {shown!r}; docs/events.md lists them all")


def _fits(pattern: str, type_: str) -> bool:
    return type_.startswith(pattern[:-1]) if pattern.endswith("*") else type_ == pattern


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
