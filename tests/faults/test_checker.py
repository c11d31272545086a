"""The checker finds what it looks for: histories made by hand, each with one thing wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from .harness.checker import Verdict, check
from .harness.history import History, Op, Seen, Window

CLIENTS, SONGS, VALUES = 4, 2, 50
STEP_S = 0.004


def good() -> History:
    """Make a run in which all is well: four clients, two songs, everything acknowledged, two subscribers."""
    history, at_s, sequences = History(planned=2), 0.0, dict.fromkeys(range(SONGS), 0)
    for counter in range(VALUES):
        for client in range(CLIENTS):
            song, value = client % SONGS, f"c{client}-{counter}"
            history.ops.append(Op(at_s, f"c{client}", f"s{song}", value, "invoke"))
            history.ops.append(Op(at_s + STEP_S / 2, f"c{client}", f"s{song}", value, "ok"))
            sequences[song] += 1
            history.log.append(Seen(f"s{song}", sequences[song], f"id-{value}", value))
            at_s += STEP_S
    history.subscribers = {"steady": list(history.log), "resuming": [*history.log[:60], *history.log[40:]]}
    history.windows = [Window("kill", 0.1, 0.2), Window("kill", 0.4, 0.5)]
    return history


def found(history: History) -> Verdict:
    """Judge it; whatever is wrong, something must have been found."""
    verdict = check(history)
    assert verdict.wrong or verdict.invalid
    return verdict


def drop(history: History, value: str) -> None:
    """Remove a value from the log and from what was seen, and close the hole in the song's sequence."""
    gone = next(seen for seen in history.log if seen.value == value)

    def without(events: list[Seen]) -> list[Seen]:
        return [
            replace(seen, sequence=seen.sequence - (seen.song == gone.song and seen.sequence > gone.sequence))
            for seen in events
            if seen != gone
        ]

    history.log = without(history.log)
    history.subscribers = {name: without(events) for name, events in history.subscribers.items()}


def test_a_good_run_is_good_and_survives_being_written_down():
    """Nothing is found, the run counts, and its file gives the same verdict."""
    history = good()
    verdict = check(history)
    assert (verdict.wrong, verdict.invalid, verdict.acked) == ({}, [], CLIENTS * VALUES)
    assert check(History.read(history.lines())) == verdict


@pytest.mark.parametrize(
    ("counter", "kind"), [(0, "lost_prefix"), (VALUES // 2, "lost_middle"), (VALUES - 1, "lost_postfix")]
)
def test_a_lost_value_is_found_and_its_place_is_told(counter: int, kind: str):
    """One acknowledged value is gone without a trace in the sequence: lost, at the beginning, middle or end."""
    history = good()
    drop(history, f"c1-{counter}")
    verdict = found(history)
    assert getattr(verdict, kind) == [f"c1-{counter}"] == verdict.lost


def test_everything_lost_is_found():
    """An empty log loses all."""
    history = good()
    history.log, history.subscribers = [], {}
    assert len(found(history).lost) == CLIENTS * VALUES


def test_a_value_stored_twice_is_found():
    """The same value under another event id."""
    history = good()
    last = [seen for seen in history.log if seen.song == "s0"][-1]
    again = replace(last, sequence=last.sequence + 1, event_id="id-again")
    history.log.append(again)
    for seen in history.subscribers.values():
        seen.append(again)
    assert found(history).wrong == {"duplicates": [last.value]}


def test_a_value_that_nobody_asked_for_is_found():
    """Something stands in the log that no client wrote."""
    history = good()
    history.ops = [op for op in history.ops if op.value != "c2-7"]
    assert found(history).wrong == {"unexpected": ["c2-7"]}


def test_a_refused_value_that_is_there_is_found():
    """The client was told that it did not happen."""
    history = good()
    history.ops = [replace(op, kind="fail") if (op.value, op.kind) == ("c2-7", "ok") else op for op in history.ops]
    assert found(history).wrong == {"undone": ["c2-7"]}


def test_a_value_of_unknown_outcome_may_be_there_or_not():
    """Nobody was told: both are right, and counted."""
    history = good()
    history.ops = [
        replace(op, kind="info") if op.kind == "ok" and op.value in ("c2-7", "c3-49") else op for op in history.ops
    ]
    drop(history, "c3-49")
    verdict = check(history)
    assert (verdict.wrong, verdict.unknown, verdict.recovered) == ({}, 2, 1)


def test_values_in_the_wrong_order_are_found():
    """One that was acknowledged before the other was asked for stands behind it."""
    history = good()
    places = [number for number, seen in enumerate(history.log) if seen.song == "s1"]
    first, second = places[10], places[11]
    one, other = history.log[first], history.log[second]
    history.log[first], history.log[second] = (
        replace(other, sequence=one.sequence),
        replace(one, sequence=other.sequence),
    )
    history.subscribers = {}
    assert found(history).wrong == {"reordered": [f"{one.value} behind {other.value}"]}


def test_a_hole_in_a_songs_sequence_is_found():
    """Sequence numbers 20 and up are one too high: an event of nobody's is missing."""
    history = good()
    history.log = [replace(seen, sequence=seen.sequence + (seen.sequence >= 20)) for seen in history.log]
    history.subscribers = {}
    assert found(history).wrong == {"gaps": ["log: s0 goes from 19 to 21", "log: s1 goes from 19 to 21"]}


def _missing(seen: list[Seen]) -> list[Seen]:
    return seen[:30] + seen[31:]


def _short(seen: list[Seen]) -> list[Seen]:
    return seen[:-1]


def _swapped(seen: list[Seen]) -> list[Seen]:
    return [*seen[:30], seen[32], seen[31], seen[30], *seen[33:]]


def _changed(seen: list[Seen]) -> list[Seen]:
    return [*seen[:30], replace(seen[30], value="c0-999"), *seen[31:]]


def _renumbered(seen: list[Seen]) -> list[Seen]:
    return [*seen, replace(seen[10], sequence=11)]


@pytest.mark.parametrize("spoil", [_missing, _short, _swapped, _changed, _renumbered])
def test_a_subscriber_that_saw_something_else_is_found(spoil: Callable[[list[Seen]], list[Seen]]):
    """An event is missing, the last one is, two are swapped, one is another, one comes again with another number."""
    history = good()
    history.subscribers["steady"] = spoil(history.subscribers["steady"])
    assert set(found(history).wrong) == {"diverged"}


def test_a_run_without_faults_is_invalid():
    """Fewer than half of the planned faults happened."""
    history = good()
    history.planned = 5
    assert found(history).invalid == ["2 of 5 planned faults happened"]


def test_a_run_with_too_little_work_is_invalid():
    """The same values over a hundred times the time."""
    history = good()
    history.ops = [replace(op, at_s=op.at_s * 100) for op in history.ops]
    assert found(history).invalid[0].endswith("50 are needed")


def test_work_during_faults_does_not_count():
    """A window over nearly everything leaves too little outside of it."""
    history = good()
    history.windows = [Window("kill", 0.0, 0.2), Window("kill", 0.1, 0.79)]
    history.ops = [op for op in history.ops if op.at_s < 0.79]
    assert found(history).invalid
