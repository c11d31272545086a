"""What a rule of the brief can find, and the words all rules share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from tapelog.session.v1 import brief_pb2

PATHS_SHOWN: Final = 4
"""Paths written out in a verdict's sentence."""
DB_EPSILON: Final = 1e-6
"""Far below what can be measured; keeps a value that was set to its limit from failing by a rounded bit."""

PASS: Final = brief_pb2.VERDICT_PASS
VIOLATION: Final = brief_pb2.VERDICT_VIOLATION
NOT_MEASURED: Final = brief_pb2.VERDICT_NOT_MEASURED
NOT_APPLICABLE: Final = brief_pb2.VERDICT_NOT_APPLICABLE


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found."""

    verdict: brief_pb2.Verdict.ValueType
    evidence: str
    paths: tuple[str, ...] = ()


def some(paths: Iterable[str]) -> str:
    """Return the first of some places, and how many more there are."""
    listed = list(paths)
    more = f" and {len(listed) - PATHS_SHOWN} more" if len(listed) > PATHS_SHOWN else ""
    return ", ".join(listed[:PATHS_SHOWN]) + more
