"""In which order a worker takes jobs: urgent classes overtake, none starves, and tenants share alike."""

from collections.abc import Iterable, Sequence
from typing import Final

FAVOURED: Final = 4
"""Jobs of a more urgent class for each one of the next class below, while both have jobs waiting."""
HALF_LIFE_S: Final = 300.0
"""Long against a job, short against a day: a burst of work is paid back within minutes."""
TENANTS_MAX: Final = 10_000
"""Tenants remembered; beyond it, who had least is forgotten, which changes least."""


class ClassRotation:
    """Orders the classes before each pull.

    Parameters
    ----------
    classes : Sequence[str]
        From the most to the least urgent.
    favoured : int
        How many jobs of a class may pass before the next class is looked at first, once.
    """

    def __init__(self, classes: Sequence[str], *, favoured: int = FAVOURED) -> None:
        self._classes = tuple(classes)
        self._favoured = favoured
        self._passed = dict.fromkeys(self._classes, 0)  # jobs taken from above since this class had its turn

    def order(self) -> tuple[str, ...]:
        """Return the classes in the order in which to look now."""
        due = tuple(class_ for class_ in reversed(self._classes[1:]) if self._passed[class_] >= self._turn(class_))
        # A class that is due and has nothing must not hide another that is due.
        return (*due, *(class_ for class_ in self._classes if class_ not in due))

    def took(self, class_: str) -> None:
        """Note that a job of a class was taken."""
        place = self._classes.index(class_)
        self._passed[class_] = 0
        for lower in self._classes[place + 1 :]:
            self._passed[lower] += 1

    def _turn(self, class_: str) -> int:
        """Return after how many jobs from above a class is looked at first."""
        return int(self._favoured ** self._classes.index(class_))

    def __repr__(self) -> str:
        return f"ClassRotation({self.order()})"


class FairShare:
    """Orders tenants by how much of this worker's time they had lately: who had least is next.

    A tenant that comes with ten jobs behind another's ten thousand has had nothing, so its jobs go first until both
    have had the same. Time that lies back counts half for every `half_life_s`; nobody is held to last night's work.

    Parameters
    ----------
    half_life_s : float
        After how many seconds an hour of work counts as half an hour.
    """

    def __init__(self, *, half_life_s: float = HALF_LIFE_S) -> None:
        self._half_life_s = half_life_s
        self._had: dict[str, tuple[float, float]] = {}  # tenant -> seconds had, and when that was counted

    def had_s(self, tenant: str, now_s: float) -> float:
        """Return the seconds that a tenant had, as they count now."""
        had_s, at_s = self._had.get(tenant, (0.0, now_s))
        return float(had_s * 0.5 ** ((now_s - at_s) / self._half_life_s))

    def took(self, tenant: str, now_s: float, spent_s: float) -> None:
        """Count what a job of a tenant took."""
        self._had[tenant] = (self.had_s(tenant, now_s) + spent_s, now_s)
        if len(self._had) > TENANTS_MAX:
            del self._had[min(self._had, key=lambda each: self.had_s(each, now_s))]

    def order(self, tenants: Iterable[str], now_s: float) -> list[str]:
        """Return tenants, who had least first; equals by name."""
        return sorted(tenants, key=lambda tenant: (self.had_s(tenant, now_s), tenant))

    def __repr__(self) -> str:
        return f"FairShare({len(self._had)} tenants)"
