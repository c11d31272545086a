"""PASS, WARN or FAIL, each with its number and its limits."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tapelog_dsp.analysis.profiles import Limit, load_limits


class Status(StrEnum):
    """How a check ended; the later one is worse."""

    PASS = "PASS"  # noqa: S105  # a verdict
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One judged number.

    Parameters
    ----------
    name, title : str
        Stable key, and what a person calls it.
    status : Status
        The verdict.
    value : float
        The number.
    unit : str
        Of value and limits.
    side : {"above", "below"}
        Which side of the limits is bad.
    warn, fail : float
        The limits.
    detail : str
        Where it comes from or what to look at, for a person.
    """

    name: str
    title: str
    status: Status
    value: float
    unit: str
    side: str
    warn: float
    fail: float
    detail: str = ""


def judge(name: str, value: float, *, detail: str = "", limit: Limit | None = None, title: str = "") -> Check:
    """Return the verdict on a number by the limit of its name, or by another one."""
    own = limit or load_limits()[name]
    bad, signed = (value, 1.0) if own.side == "above" else (-value, -1.0)
    status = Status.PASS
    if not math.isnan(value):
        status = Status.FAIL if bad > signed * own.fail else Status.WARN if bad > signed * own.warn else Status.PASS
    return Check(name, title or own.title, status, value, own.unit, own.side, own.warn, own.fail, detail or own.source)


def worst(checks: Iterable[Check]) -> Status:
    """Return the worst verdict, PASS of none."""
    order = list(Status)
    return max((check.status for check in checks), key=order.index, default=Status.PASS)
