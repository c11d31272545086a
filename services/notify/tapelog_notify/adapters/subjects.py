"""Filters as subjects of the public stream, so that the server sends only what a subscriber asked for."""

from itertools import product
from typing import Final

from tapelog_chassis.topology import pub_filter

from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.threads import NOTE_TYPES, Thread

SUBJECTS_MAX: Final = 256
"""Subjects of one consumer; a filter that needs more is applied by type only where that suffices, else not at all."""
_ANY: Final = (("", ""),)


def public_subjects(tenant: str, event_filter: EventFilter) -> tuple[str, ...]:
    """
    Return subjects that cover a filter, all of them below the tenant's.

    A subject wildcard is a whole token, so a type pattern becomes the types that are known to match it: whoever reads
    events is upgraded before those who write new ones. Where the combinations are more than `SUBJECTS_MAX` the
    subjects cover more than the filter, and the reader sorts out the rest.
    """
    tokens = _tokens(event_filter)
    projects, songs = event_filter.projects or ("",), event_filter.songs or ("",)
    for combination in ((projects, songs, tokens), (projects, ("",), tokens), (("",), ("",), tokens)):
        if len(combination[0]) * len(combination[1]) * len(combination[2]) <= SUBJECTS_MAX:
            return tuple(
                pub_filter(tenant, project=project, song=song, type_=type_, audience=audience)
                for project, song, (type_, audience) in product(*combination)
            )
    return (pub_filter(tenant),)


def is_exact(event_filter: EventFilter) -> bool:
    """Whether the subjects cover exactly the filter: needed where nobody sorts out the rest."""
    count = len(_tokens(event_filter))
    return max(1, len(event_filter.projects)) * max(1, len(event_filter.songs)) * count <= SUBJECTS_MAX


def _tokens(event_filter: EventFilter) -> tuple[tuple[str, str], ...]:
    """Return type and audience of every last token that a filter lets through; one empty pair stands for all."""
    types = event_filter.known_types()
    if event_filter.thread is None and len(types) == len(EVENT_TYPES):
        return _ANY
    return tuple((type_, audience) for type_ in types for audience in _audiences(type_, event_filter.thread))


def _audiences(type_: str, thread: Thread | None) -> tuple[str, ...]:
    if type_ not in NOTE_TYPES:
        return ("",)
    match thread:
        case Thread.CLIENT:
            return (Thread.CLIENT.value,)
        case Thread.INTERNAL:
            return ("",)
    return ("", Thread.CLIENT.value)
