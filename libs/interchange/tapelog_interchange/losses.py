"""What did not travel: every import and export says so, item by item."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """One thing that the other side does not get, or gets changed.

    Attributes
    ----------
    where : str
        Channel, device or place, such as ``lead-vox > delay``.
    what : str
        What it is, with its value.
    instead : str
        What was done instead, or what to do.
    """

    where: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.instead}"


def losses_json(losses: list[Loss]) -> list[dict[str, str]]:
    """Return losses as JSON values."""
    return [{"where": loss.where, "what": loss.what, "instead": loss.instead} for loss in losses]
