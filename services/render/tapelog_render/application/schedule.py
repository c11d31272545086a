"""In which order a worker looks at the classes: urgent ones overtake, none starves."""

from collections.abc import Sequence
from typing import Final

FAVOURED: Final = 4
"""Jobs of a more urgent class for each one of the next class below, while both have jobs waiting."""


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
