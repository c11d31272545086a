"""What a subscriber keeps of an event: enough to say which fact it was and where it stands."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Received:
    """One event as a subscriber got it."""

    id: str
    type: str
    position: int


@dataclass(slots=True)
class Inbox:
    """The events of one subscriber, deduplicated by id as every subscriber should.

    Attributes
    ----------
    name : str
        Who: for messages.
    patterns : tuple of str
        Types it asked for; empty is all.
    """

    name: str
    patterns: tuple[str, ...] = ()
    events: list[Received] = field(default_factory=list)
    repeats: int = 0
    _seen: set[str] = field(default_factory=set)

    def add(self, event: Received) -> bool:
        """Keep an event; say whether it was new."""
        if event.id in self._seen:
            self.repeats += 1
            return False
        self._seen.add(event.id)
        self.events.append(event)
        return True

    def wants(self, type_: str) -> bool:
        """Say whether the subscriber asked for a type."""
        return not self.patterns or any(type_.startswith(pattern.removesuffix("*")) for pattern in self.patterns)

    def expected(self, facts: Iterable[Received]) -> list[Received]:
        """Return those of all facts that the subscriber asked for."""
        return [fact for fact in facts if self.wants(fact.type)]
