"""
The judge of a run: what was acknowledged against what is there, after the queue checker of Jepsen's NATS tests.

Nothing here knows how Tapelog works; it compares a history with itself. `tests/faults/test_checker.py` shows for each
thing it looks for a history in which it finds it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .history import History, Op, Seen

ACKED_PER_S_MIN: Final = 50.0
"""Acknowledged outside of faults: a run with less has tried too little to say anything. Two cores, which clients,
services, broker and subscribers share, make 357 when they are nearly free and 72 when fourteen others wait for them
too (ADR 0099)."""
FIRED_MIN: Final = 0.5
"""Share of the planned faults that must have happened."""


@dataclass(slots=True)
class Verdict:
    """What a run shows.

    Attributes
    ----------
    acked, unknown, attempts, read : int
        Values that were acknowledged, whose outcome was never told, that were asked for, that are there.
    recovered : int
        Values whose outcome was never told and that are there: allowed.
    acked_per_s : float
        Outside of faults.
    invalid : list of str
        Why the run says nothing; empty when it does.
    lost_prefix, lost_middle, lost_postfix : list of str
        Acknowledged and not there: before all, among, behind all that is there of their client in their song.
    duplicates, unexpected, undone, reordered, gaps, diverged : list of str
        There twice; never asked for; there although refused; behind one that was asked for later; a hole in a song's
        sequence; a subscriber that saw something else than the log.
    """

    acked: int = 0
    unknown: int = 0
    attempts: int = 0
    read: int = 0
    recovered: int = 0
    acked_per_s: float = 0.0
    invalid: list[str] = field(default_factory=list)
    lost_prefix: list[str] = field(default_factory=list)
    lost_middle: list[str] = field(default_factory=list)
    lost_postfix: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)

    @property
    def lost(self) -> list[str]:
        """Return everything acknowledged that is not there."""
        return [*self.lost_prefix, *self.lost_middle, *self.lost_postfix]

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Return what was found, by kind; empty when all is well."""
        kinds = {
            "lost": self.lost,
            "duplicates": self.duplicates,
            "unexpected": self.unexpected,
            "undone": self.undone,
            "reordered": self.reordered,
            "gaps": self.gaps,
            "diverged": self.diverged,
        }
        return {kind: found for kind, found in kinds.items() if found}

    def __str__(self) -> str:
        counts = f"lost {len(self.lost)}, dup {len(self.duplicates)}, reorder {len(self.reordered)}"
        counts += f", gap {len(self.gaps)}, diverged {len(self.diverged)}"
        if self.unexpected or self.undone:
            counts += f", unexpected {len(self.unexpected)}, undone {len(self.undone)}"
        return f"{self.acked} acked ({self.acked_per_s:.0f}/s), {self.unknown} unknown; {counts}"


def check(history: History, *, acked_per_s_min: float = ACKED_PER_S_MIN) -> Verdict:
    """Judge a run."""
    verdict = Verdict()
    invoked, acked, failed = (_by_value(history.ops, kind) for kind in ("invoke", "ok", "fail"))
    positions = {seen.value: number for number, seen in enumerate(history.log) if seen.value}
    times = Counter(seen.value for seen in history.log if seen.value)
    verdict.attempts, verdict.acked, verdict.read = len(invoked), len(acked), len(times)
    unknown = [value for value in invoked if value not in acked and value not in failed]
    verdict.unknown = len(unknown)
    verdict.recovered = sum(value in times for value in unknown)
    verdict.duplicates = [value for value, count in times.items() if count > 1]
    verdict.unexpected = [value for value in times if value not in invoked]
    verdict.undone = [value for value in failed if value in times and value not in acked]
    _sort_lost(verdict, acked.values(), positions)
    verdict.reordered = list(_reordered(history, invoked, acked))
    verdict.gaps = list(_gaps(history.log, "log"))
    for name, seen in history.subscribers.items():
        verdict.diverged += _diverged(name, seen, history.log)
    _judge_validity(verdict, history, acked_per_s_min)
    return verdict


def _by_value(ops: Iterable[Op], kind: str) -> dict[str, Op]:
    """Return a kind's first line of each value."""
    found: dict[str, Op] = {}
    for op in ops:
        if op.kind == kind:
            found.setdefault(op.value, op)
    return found


def _sort_lost(verdict: Verdict, acked: Iterable[Op], positions: dict[str, int]) -> None:
    there: dict[tuple[str, str], list[int]] = defaultdict(list)
    gone: list[Op] = []
    for op in acked:
        if op.value in positions:
            there[op.client, op.song].append(op.counter)
        else:
            gone.append(op)
    for op in gone:
        counters = there[op.client, op.song]
        if not counters or op.counter > max(counters):
            verdict.lost_postfix.append(op.value)
        elif op.counter < min(counters):
            verdict.lost_prefix.append(op.value)
        else:
            verdict.lost_middle.append(op.value)


def _reordered(history: History, invoked: dict[str, Op], acked: dict[str, Op]) -> Iterable[str]:
    """Yield values that were acknowledged before another was asked for, and stand behind it in the same song."""
    latest: dict[str, tuple[float, str]] = {}
    for seen in history.log:
        if seen.value not in invoked:
            continue
        begun_s, before = latest.get(seen.song, (float("-inf"), ""))
        if seen.value in acked and acked[seen.value].at_s < begun_s:
            yield f"{seen.value} behind {before}"
        if invoked[seen.value].at_s > begun_s:
            latest[seen.song] = (invoked[seen.value].at_s, seen.value)


def _gaps(seen: Iterable[Seen], where: str) -> Iterable[str]:
    """Yield holes in the songs' sequences, which begin with 1."""
    last: Counter[str] = Counter()
    for event in seen:
        if event.sequence != last[event.song] + 1:
            yield f"{where}: {event.song} goes from {last[event.song]} to {event.sequence}"
        last[event.song] = event.sequence


def _diverged(name: str, seen: Sequence[Seen], log: Sequence[Seen]) -> Iterable[str]:
    """Yield what a subscriber saw otherwise than the log has it: missing, foreign, changed or out of order.

    An event that comes again must be the same; a resumed stream may step back, but never over what was not seen.
    """
    truth = {event.event_id: event for event in log}
    last: Counter[str] = Counter()
    got: set[str] = set()
    for event in seen:
        if truth.get(event.event_id) != event:
            yield f"{name} got {event}, which the log does not have"
        elif event.event_id not in got and event.sequence != last[event.song] + 1:
            yield f"{name}: {event.song} goes from {last[event.song]} to {event.sequence}"
        got.add(event.event_id)
        last[event.song] = max(last[event.song], event.sequence)
    missing = [event for event in log if event.event_id not in got]
    if missing:
        yield f"{name} missed {len(missing)}, the first is {missing[0]}"


def _judge_validity(verdict: Verdict, history: History, acked_per_s_min: float) -> None:
    fired = len(history.windows)
    if fired < FIRED_MIN * history.planned:
        verdict.invalid.append(f"{fired} of {history.planned} planned faults happened")
    calm_s, calm = 0.0, 0
    if history.ops:
        begin_s, end_s = history.ops[0].at_s, history.ops[-1].at_s
        edges = sorted((window.start_s, window.end_s) for window in history.windows)
        spans, at_s = [], begin_s
        for start_s, stop_s in edges:
            spans.append((at_s, max(at_s, min(start_s, end_s))))
            at_s = max(at_s, stop_s)
        spans.append((at_s, max(at_s, end_s)))
        calm_s = sum(stop_s - start_s for start_s, stop_s in spans)
        calm = sum(
            op.kind == "ok" and any(start_s <= op.at_s <= stop_s for start_s, stop_s in spans) for op in history.ops
        )
    verdict.acked_per_s = calm / calm_s if calm_s else 0.0
    if verdict.acked_per_s < acked_per_s_min:
        verdict.invalid.append(
            f"{verdict.acked_per_s:.0f} acknowledged per second outside of faults, {acked_per_s_min:.0f} are needed"
        )
