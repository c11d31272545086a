"""How many connections may be held open: per person, and in all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tapelog_console.errors import TooManyConnections

PAGES_PERSON_MAX: Final = 12
"""Open pages of one person that are live at once; hidden ones let go of their seat."""
PAGES_MAX: Final = 1_000
"""Live pages in all: each is an open connection and some 120 kB."""
TRANSFERS_PERSON_MAX: Final = 16
"""Files of one person that are sent at once; a browser asks for six from one host."""
TRANSFERS_MAX: Final = 64
"""Files sent at once in all: what waits for a slow browser is up to 8 MiB each."""


class Seats:
    """Counts connections.

    Parameters
    ----------
    what : str
        What they are, for the person who gets none.
    person_max, all_max : int
    """

    def __init__(self, what: str, *, person_max: int, all_max: int) -> None:
        self._what = what
        self._person_max = person_max
        self._all_max = all_max
        self._taken: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def take(self, tenant: str, party: str) -> Iterator[None]:
        """Hold a seat for the length of the block.

        Raises
        ------
        TooManyConnections
            There is none left.
        """
        person = (tenant, party)
        if self._taken[person] >= self._person_max:
            raise TooManyConnections(f"You have {self._person_max} {self._what} open, which is the limit.")
        if self._taken.total() >= self._all_max:
            raise TooManyConnections(f"{self._all_max} {self._what} are open, which is the limit of this console.")
        self._taken[person] += 1
        try:
            yield
        finally:
            self._taken[person] -= 1
            if not self._taken[person]:
                del self._taken[person]
