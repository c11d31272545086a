"""How many live connections there may be: per person, and in all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tapelog_console.errors import TooManyStreams

SEATS_PERSON_MAX: Final = 12
"""Open pages of one person that are live at once; hidden ones let go of their seat."""
SEATS_MAX: Final = 1_000
"""Live pages in all: each is an open connection and some 50 kB."""


class Seats:
    """Counts live connections."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def take(self, tenant: str, party: str) -> Iterator[None]:
        """Hold a seat for the length of the block.

        Raises
        ------
        TooManyStreams
            There is none left.
        """
        person = (tenant, party)
        if self._taken[person] >= SEATS_PERSON_MAX:
            raise TooManyStreams(f"You have {SEATS_PERSON_MAX} live pages open, which is the limit.")
        if self._taken.total() >= SEATS_MAX:
            raise TooManyStreams(f"{SEATS_MAX} live pages are open, which is the limit of this console.")
        self._taken[person] += 1
        try:
            yield
        finally:
            self._taken[person] -= 1
            if not self._taken[person]:
                del self._taken[person]
