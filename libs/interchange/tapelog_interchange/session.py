"""A session as the readers of foreign formats understand it, before it becomes a recipe.

Every format says the same things in other words; here they are said once: in decibels, hertz, seconds and -1 to 1.
"""

from dataclasses import dataclass, field
from enum import Enum

from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_interchange.losses import Loss


class Role(Enum):
    """What a channel of the console does."""

    TRACK = "track"
    BUS = "bus"
    MASTER = "master"


@dataclass(slots=True)
class Point:
    """A point of automation, at `time_s`; `hold` keeps the value until the next."""

    time_s: float
    value: float
    hold: bool = False


@dataclass(slots=True)
class Clip:
    """A piece of an audio file on a track.

    Attributes
    ----------
    file : str
        Name of the file, as the format says it.
    start_s : float
        Where it sounds.
    offset_s : float
        Where in the file it begins.
    length_s : float or None
        How long it sounds; None is to the end of the file.
    file_length_s : float or None
        Length of the whole file, where the format says it.
    """

    file: str
    start_s: float
    offset_s: float = 0.0
    length_s: float | None = None
    file_length_s: float | None = None

    @property
    def is_cut(self) -> bool:
        """Whether less than the whole file sounds; half a millisecond is rounding."""
        if self.offset_s > 0.0005:
            return True
        return self.length_s is not None and (self.file_length_s is None or self.length_s < self.file_length_s - 0.0005)


@dataclass(slots=True)
class Send:
    """A tap to a bus, by the key of the receiving channel."""

    target: str
    gain_db: float = 0.0
    pre_fader: bool = False
    gain: list[Point] = field(default_factory=list)


@dataclass(slots=True)
class Channel:
    """A channel of the console. `output` is the key of another channel, or None for the master."""

    key: str
    name: str
    role: Role = Role.TRACK
    gain_db: float = 0.0
    pan: float = 0.0
    mute: bool = False
    solo: bool = False
    polarity_inverted: bool = False
    output: str | None = None
    tags: list[str] = field(default_factory=list)
    printed_effects: list[str] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    devices: list[pb.Processor] = field(default_factory=list)
    gain: list[Point] = field(default_factory=list)
    pans: list[Point] = field(default_factory=list)
    settings: dict[tuple[int, str], list[Point]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marker:
    """A named place in time."""

    time_s: float
    name: str


@dataclass(slots=True)
class Session:
    """A whole session, with what could not be understood.

    Attributes
    ----------
    source : str
        Who wrote it, such as ``Reaper 7.16``.
    sample_rate_hz : int
        Rate of the session, 0 where the format does not say.
    tempo_bpm : float
        Tempo, 0 where there is none.
    """

    source: str
    sample_rate_hz: int = 0
    tempo_bpm: float = 0.0
    channels: list[Channel] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
