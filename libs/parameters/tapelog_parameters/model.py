"""What is said of one number."""

from dataclasses import dataclass
from enum import Enum


class Smoothing(Enum):
    """How a setting that is automated moves."""

    FIXED = "fixed"
    """It cannot be automated: it is structure (lengths of lines, orders, a latency, which detector listens)."""

    GRID = "grid"
    """Looked up at every breakpoint and every 32 frames of song time or fewer, straight lines in between."""

    SAMPLE = "sample"
    """Evaluated for every frame."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a person sets.

    Attributes
    ----------
    unit : str
        Unit for people; empty for ratios and counts.
    low, high : float
        Smallest and greatest value allowed.
    default : float, optional
        Value of a field that is not written; None where nothing stands for it, so it is needed or has its own meaning.
    high_is_share_of_rate : bool
        Whether `high` is a share of the sample rate.
    choices : tuple of int
        If not empty, the only values allowed.
    zero_is_off : bool
        Whether 0 switches the thing off, although it is below `low`.
    smoothing : Smoothing
        How it moves under automation.
    recipe_name : str
        Name of the field in a recipe where it is not the core's.
    """

    unit: str
    low: float
    high: float
    default: float | None = 0.0
    high_is_share_of_rate: bool = False
    choices: tuple[int, ...] = ()
    zero_is_off: bool = False
    smoothing: Smoothing = Smoothing.FIXED
    recipe_name: str = ""

    def highest(self, sample_rate_hz: int) -> float:
        """Return the greatest value allowed at a sample rate."""
        return self.high * sample_rate_hz if self.high_is_share_of_rate else self.high

    def allows(self, value: float, sample_rate_hz: int | None = None) -> bool:
        """Return whether a finite value is in range; without a rate, shares of it are taken of 192 kHz."""
        if self.choices:
            return value in self.choices
        highest = self.highest(sample_rate_hz or 192_000)
        return self.low <= value <= highest or (self.zero_is_off and value == 0)

    def moves_to(self, value: float, sample_rate_hz: int | None = None) -> bool:
        """Return whether automation may take it to a finite value: in range, and not to where it is off."""
        return self.low <= value <= self.highest(sample_rate_hz or 192_000)

    def moving_range_text(self, sample_rate_hz: int | None = None) -> str:
        """Return the range of its automation in words."""
        return self.range_text(sample_rate_hz).removeprefix("0 (off) or ")

    def range_text(self, sample_rate_hz: int | None = None) -> str:
        """Return the range in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.high_is_share_of_rate and sample_rate_hz is None:
            high = f"{self.high:g} of the sample rate"
        else:
            high = f"{self.highest(sample_rate_hz or 1):.10g}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{'0 (off) or ' if self.zero_is_off else ''}{self.low:g} to {high}{unit}"
