"""The order in which a worker looks at classes and tenants."""

import collections

import pytest
from tapelog_render.application.queueing.schedule import TENANTS_MAX, ClassRotation, FairShare

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


def test_who_had_least_is_next():
    """A tenant that comes late goes first until it has had as much as the others."""
    share = FairShare()
    for second in range(600):
        share.took("acme", second, 1.0)
    assert share.order(["acme", "beta"], 600) == ["beta", "acme"]
    turns = []
    for second in range(600, 2_400):
        tenant = share.order(["acme", "beta"], second)[0]
        turns.append(tenant)
        share.took(tenant, second, 1.0)
    assert turns[:100] == ["beta"] * 100
    assert abs(turns[-400:].count("acme") - 200) <= 1


def test_old_work_is_forgotten():
    """What a tenant had counts half after the half-life."""
    share = FairShare(half_life_s=10)
    share.took("acme", 0, 8.0)
    assert share.had_s("acme", 10) == pytest.approx(4.0)
    assert share.had_s("acme", 30) == pytest.approx(1.0)
    assert share.had_s("never", 30) == 0


def test_many_tenants_take_bounded_memory():
    """Beyond the limit, who had least is forgotten."""
    share = FairShare()
    for n in range(TENANTS_MAX + 50):
        share.took(f"t{n}", n * 0.001, 1.0 + n)
    assert share.had_s("t0", 100) == 0
    assert share.had_s(f"t{TENANTS_MAX + 49}", 100) > 0
