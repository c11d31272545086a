"""What a repair found and what it did: measured, per place, never only a flag."""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One place in the audio.

    Parameters
    ----------
    channel, start_frame, length_frames : int
        Where.
    strength : float
        How far the place stands out; the tool's page says in which unit.
    """

    channel: int
    start_frame: int
    length_frames: int
    strength: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector measured.

    Parameters
    ----------
    tool : str
        ``dc``, ``clip``, ``dropout``, ``rumble``, ``click``, ``hum``, ``plosive`` or ``noise``.
    present : bool
        Whether the gate is open: only then does the repair change a sample.
    confidence : float
        From 0 to 1: how far the deciding measure is above (over 0.5) or below (under 0.5) its gate.
    evidence : dict
        The measured figures behind the decision, units last in their names.
    spans : tuple of Span
        The places, for defects that have places.
    """

    tool: str
    present: bool
    confidence: float
    evidence: dict[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    detail: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair changed.

    Parameters
    ----------
    tool : str
        As in the finding.
    applied : bool
        False means that the audio came out sample-identical.
    reason : str
        One sentence: why the tool did, or did not, change the audio.
    finding : Finding
        What it acted on.
    repaired_spans : int
        Places repaired; 0 for defects without places.
    changed_frames : int
        Samples that differ between input and output, all channels together.
    removed_db : float
        Energy of (input - output) against the energy of the output: if the repair is right, minus the signal-to-defect
        ratio of the input. Minus infinity when nothing changed.
    """

    tool: str
    applied: bool
    reason: str
    finding: Finding
    repaired_spans: int = 0
    changed_frames: int = 0
    removed_db: float = -math.inf


def confidence(measure: float, gate: float) -> float:
    """Map a positive measure to 0..1 so that its gate lies at one half: m / (m + gate)."""
    measure = max(measure, 0.0)
    return measure / (measure + gate) if math.isfinite(measure) else 1.0


def untouched(finding: Finding, reason: str) -> RepairReport:
    """Return the report of a repair that changed nothing."""
    return RepairReport(finding.tool, applied=False, reason=reason, finding=finding)
