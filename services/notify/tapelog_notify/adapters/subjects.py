"""Filters as subjects of the public stream, so that the server sends only what a subscriber asked for."""

from itertools import product
from typing import Final

from tapelog_chassis.topology import pub_filter

from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.event_filter import EventFilter

SUBJECTS_MAX: Final = 256
"""Subjects of one consumer; a filter that needs more is applied by type only where that suffices, else not at all."""


def public_subjects(tenant: str, event_filter: EventFilter) -> tuple[str, ...]:
    """
    Return subjects that cover a filter, all of them below the tenant's.

    A subject wildcard is a whole token, so a type pattern becomes the types that are known to match it: whoever reads
    events is upgraded before those who write new ones. Where the combinations are more than `SUBJECTS_MAX` the
    subjects cover more than the filter, and the reader sorts out the rest.
    """
    types: tuple[str, ...] = event_filter.known_types()
    if not event_filter.types or len(types) == len(EVENT_TYPES):
        types = ("",)
    projects, songs = event_filter.projects or ("",), event_filter.songs or ("",)
    for combination in ((projects, songs, types), (projects, ("",), types), (("",), ("",), types)):
        if len(combination[0]) * len(combination[1]) * len(combination[2]) <= SUBJECTS_MAX:
            return tuple(
                pub_filter(tenant, project=project, song=song, type_=type_)
                for project, song, type_ in product(*combination)
            )
    return (pub_filter(tenant),)


def is_exact(event_filter: EventFilter) -> bool:
    """Whether the subjects cover exactly the filter: needed where nobody sorts out the rest."""
    types = len(event_filter.known_types()) if event_filter.types else 1
    return max(1, len(event_filter.projects)) * max(1, len(event_filter.songs)) * types <= SUBJECTS_MAX
