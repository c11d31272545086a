"""What clients asked for and were told, and what subscribers saw: lines of JSON, so that a run can be judged again."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["invoke", "ok", "fail", "info"]
"""`fail` says that it did not happen, `info` that nobody knows."""


@dataclass(frozen=True, slots=True)
class Op:
    """One line of a client: it asks, or it is answered.

    Attributes
    ----------
    at_s : float
        Monotonic clock.
    client : str
    song : str
    value : str
        `client-counter`, unique in a run.
    kind : str
    code : str
        Of an answer that is not OK.
    attempt : int
        From 1; a value whose outcome is not known is asked for again with the same request id.
    """

    at_s: float
    client: str
    song: str
    value: str
    kind: Kind
    code: str = ""
    attempt: int = 1

    @property
    def counter(self) -> int:
        """Return the value's place among the client's."""
        return int(self.value.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class Seen:
    """One event, as the log holds it or as a subscriber got it."""

    song: str
    sequence: int
    event_id: str
    value: str


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when a fault was on, its end being when the system was meant to have recovered."""

    name: str
    start_s: float
    end_s: float


@dataclass(slots=True)
class History:
    """A whole run.

    Attributes
    ----------
    ops : list of Op
        In the order in which they happened.
    log : list of Seen
        What the log holds at the end, in its order.
    subscribers : dict of str to list of Seen
        What each subscriber got, in the order in which it came; one that resumed from an earlier cursor got some
        events again.
    planned : int
        Faults that were to happen.
    windows : list of Window
        Those that did.
    """

    ops: list[Op] = field(default_factory=list)
    log: list[Seen] = field(default_factory=list)
    subscribers: dict[str, list[Seen]] = field(default_factory=dict)
    planned: int = 0
    windows: list[Window] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        yield json.dumps({"planned": self.planned})
        for kind, items in (("op", self.ops), ("window", self.windows), ("log", self.log)):
            yield from (json.dumps({"is": kind, **asdict(item)}) for item in items)
        for name, seen in self.subscribers.items():
            yield from (json.dumps({"is": "seen", "by": name, **asdict(item)}) for item in seen)

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("w") as file:
            file.writelines(f"{line}\n" for line in self.lines())

    @classmethod
    def read(cls, lines: Iterable[str]) -> "History":
        """Read what `write` wrote."""
        history = cls()
        for line in lines:
            match json.loads(line):
                case {"planned": planned}:
                    history.planned = planned
                case {"is": "op", **values}:
                    history.ops.append(Op(**values))
                case {"is": "window", **values}:
                    history.windows.append(Window(**values))
                case {"is": "log", **values}:
                    history.log.append(Seen(**values))
                case {"is": "seen", "by": name, **values}:
                    history.subscribers.setdefault(name, []).append(Seen(**values))
        return history
