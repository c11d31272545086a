"""The order in which a worker looks at the classes."""

import collections

from tapelog_render.application.schedule import ClassRotation

CLASSES = ("interactive", "standard", "bulk")


def _taken(waiting: dict[str, int], count: int) -> list[str]:
    """Simulate a worker: it takes from the first class in the order that has a job."""
    rotation, left, taken = ClassRotation(CLASSES), collections.Counter(waiting), []
    for _ in range(count):
        class_ = next((name for name in rotation.order() if left[name]), None)
        if class_ is None:
            break
        left[class_] -= 1
        rotation.took(class_)
        taken.append(class_)
    return taken


def test_urgent_classes_go_first():
    """A new worker looks at interactive, then standard, then bulk."""
    assert ClassRotation(CLASSES).order() == CLASSES


def test_four_urgent_jobs_pass_for_each_one_below():
    """With both waiting, standard gets every fifth job."""
    taken = _taken({"interactive": 100, "standard": 100}, 20)
    assert collections.Counter(taken) == {"interactive": 16, "standard": 4}
    assert taken[4] == "standard"


def test_bulk_does_not_starve_behind_a_flood_of_both():
    """With everything waiting for ever, bulk still gets its turn after sixteen jobs."""
    taken = _taken({"interactive": 1000, "standard": 1000, "bulk": 1000}, 17 * 3)
    assert collections.Counter(taken)["bulk"] == 3
    assert taken.index("bulk") == 16


def test_everything_is_taken_when_nothing_else_waits():
    """Whatever the turns, a class alone is served at once."""
    for class_ in CLASSES:
        assert _taken({class_: 5}, 10) == [class_] * 5
