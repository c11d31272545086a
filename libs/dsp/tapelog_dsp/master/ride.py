"""A gain before the limiter that moves with song time: how hard a master is driven, from place to place."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tapelog_dsp.audio import Audio
from tapelog_dsp.automation import Fader
from tapelog_dsp.graph.spec import GainPoint


@dataclass(frozen=True, slots=True)
class DriveRide:
    """Moves of the drive, added to the one gain that a loudness asks for.

    Parameters
    ----------
    points : tuple of GainPoint
        In rising order of song time; none is a drive that stands still.
    """

    points: tuple[GainPoint, ...] = ()

    def blocks(self, source: Iterable[Audio], *, sample_rate: int) -> Iterator[Audio]:
        """Move a stream ``[channels, frames]`` from frame 0 on, by the frame; without points it passes bit for bit."""
        if not self.points:
            yield from source
            return
        fader, clock = Fader(0.0, (self.points,), sample_rate), 0
        for block in source:
            yield block * fader.gains(clock, block.shape[1])
            clock += block.shape[1]
