"""A mix as plain data: tracks, buses, sends and one mix node; wired and checked by `tapelog_dsp.graph.plan`."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tapelog_parameters import SETTINGS

from tapelog_dsp.audio import valid_sample_rate
from tapelog_dsp.automation import SHAPES
from tapelog_dsp.checks import declared, one_of
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.processors.base import ProcessorSpec
from tapelog_dsp.processors.moving import MovingSetting
from tapelog_dsp.processors.pan import PAN_LAWS_DB

MIX: Final = "mix"
"""Name of the last node; no track or bus may use it."""

TAIL_MAX_S: Final = SETTINGS["Mix"]["tail_s"].high
"""Longest tail that is rendered after the song's end."""


@dataclass(frozen=True, slots=True)
class GainPoint:
    """One breakpoint of a gain automation.

    Parameters
    ----------
    frame : int
        Song time, sample-accurate.
    gain_db : float
        Added to the fader. Before the first point its value holds, after the last point likewise.
    shape : {"linear", "hold", "smooth", "early", "late"}
        How the gain goes on to the next point: in a straight line in dB; unchanged until it jumps there (within 5 ms);
        in an S that starts and ends level; most of the way at first, or at last.
    """

    frame: int
    gain_db: float
    shape: str = "linear"

    def __post_init__(self) -> None:
        declared(self, "Fader")
        one_of(self, "shape", SHAPES)

    @property
    def level(self) -> float:
        """The gain in dB."""
        return self.gain_db


@dataclass(frozen=True, slots=True)
class PanPoint:
    """One breakpoint of a pan automation; the position is the one that holds, not an offset.

    Parameters
    ----------
    frame : int
        Song time, sample-accurate.
    pan : float
        From -1 to 1.
    shape : {"linear", "hold", "smooth", "early", "late"}
        As for `GainPoint`.
    """

    frame: int
    pan: float
    shape: str = "linear"

    def __post_init__(self) -> None:
        declared(self, "Pan")
        one_of(self, "shape", SHAPES)

    @property
    def level(self) -> float:
        """The position."""
        return self.pan


@dataclass(frozen=True, slots=True)
class SendSpec:
    """A copy of the signal to a bus.

    Parameters
    ----------
    bus : str
        Id of the bus that receives it.
    gain_db : float
        Level of the send.
    pre_fader : bool
        Taken before fader and automation; it follows the pan either way.
    gain_automation : tuple of GainPoint
        Added to the level.
    """

    bus: str
    gain_db: float = 0.0
    pre_fader: bool = False
    gain_automation: tuple[GainPoint, ...] = ()

    def __post_init__(self) -> None:
        declared(self, "Fader")
        check_automation(f"SendSpec({self.bus}).gain_automation", self.gain_automation)


@dataclass(frozen=True, slots=True)
class VcaSpec:
    """A fader that moves other faders: no audio passes it, its level is added to theirs in dB.

    Parameters
    ----------
    id : str
        Name within the mix.
    members : tuple of str
        Ids of tracks and buses; one strip may be under several.
    gain_db, mute, gain_automation
        As on a track.
    """

    id: str
    members: tuple[str, ...]
    gain_db: float = 0.0
    mute: bool = False
    gain_automation: tuple[GainPoint, ...] = ()

    def __post_init__(self) -> None:
        declared(self, "Fader")
        check_automation(f"VcaSpec({self.id}).gain_automation", self.gain_automation)


def _check_strip(strip: "TrackSpec | BusSpec") -> None:
    if not strip.id or strip.id == MIX:
        raise ParameterError(f"{type(strip).__name__}.id", strip.id, f"a name, and not {MIX!r}")
    declared(strip, "Strip")
    check_automation(f"{type(strip).__name__}({strip.id}).gain_automation", strip.gain_automation)
    check_automation(f"{type(strip).__name__}({strip.id}).pan_automation", strip.pan_automation)


def check_automation(name: str, points: "Sequence[GainPoint | PanPoint]") -> None:
    """Raise `ParameterError` unless the breakpoints are in rising order of time."""
    for before, after in itertools.pairwise(points):
        if after.frame <= before.frame:
            raise ParameterError(name, after.frame, f"in rising order of frames, so above {before.frame}")


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """One channel strip fed by one recording.

    Parameters
    ----------
    id : str
        Name within the mix.
    channels : int
        1 or 2; a mono track is panned by the mix's law, a stereo track is balanced.
    gain_db, pan, polarity_inverted, mute, solo
        The strip's own controls; pan from -1 (left) to 1 (right). With any solo in the mix only the ways through soloed
        strips are open: what feeds them, and what they feed.
    pan_right : float, optional
        For a stereo track: `pan` places its left channel and this its right one, instead of a balance.
    start_frame : int
        Song time of the recording's first sample.
    processors : tuple of ProcessorSpec
        In order, before the fader.
    sends : tuple of SendSpec
        Copies to buses.
    output_bus : str
        Where the strip goes: a bus, or `MIX`.
    gain_automation, pan_automation : tuple of GainPoint, tuple of PanPoint
        Added to the fader; instead of the pan. Both sample-accurate.
    automation : tuple of MovingSetting
        Settings of the processors that move.
    """

    id: str
    channels: int = 2
    gain_db: float = 0.0
    pan: float = 0.0
    polarity_inverted: bool = False
    start_frame: int = 0
    mute: bool = False
    processors: tuple[ProcessorSpec, ...] = ()
    sends: tuple[SendSpec, ...] = ()
    output_bus: str = MIX
    gain_automation: tuple[GainPoint, ...] = ()
    solo: bool = False
    pan_right: float | None = None
    pan_automation: tuple[PanPoint, ...] = ()
    automation: tuple[MovingSetting, ...] = ()

    def __post_init__(self) -> None:
        _check_strip(self)
        one_of(self, "channels", (1, 2))
        if self.pan_right is not None and (self.channels != 2 or self.pan_automation):
            raise ParameterError(
                f"TrackSpec({self.id}).pan_right", self.pan_right, "for a stereo track without pan automation"
            )
        if self.start_frame < 0:
            raise ParameterError(f"TrackSpec({self.id}).start_frame", self.start_frame, "0 or later")


@dataclass(frozen=True, slots=True)
class BusSpec:
    """A stereo bus: a sub-group, or an effect fed by sends. The fields mean what they mean on a track."""

    id: str
    gain_db: float = 0.0
    pan: float = 0.0
    polarity_inverted: bool = False
    mute: bool = False
    processors: tuple[ProcessorSpec, ...] = ()
    sends: tuple[SendSpec, ...] = ()
    output_bus: str = MIX
    gain_automation: tuple[GainPoint, ...] = ()
    solo: bool = False
    pan_automation: tuple[PanPoint, ...] = ()
    automation: tuple[MovingSetting, ...] = ()

    def __post_init__(self) -> None:
        _check_strip(self)


@dataclass(frozen=True, slots=True)
class MixSpec:
    """A whole mix. Its output is stereo.

    Parameters
    ----------
    sample_rate : int
        Rate of every track in Hz.
    tracks, buses
        In any order: sums are exact.
    pan_law_db : {0, -3, -4.5, -6}
        Level of a mono source at the centre.
    processors, gain_db, gain_automation, automation
        Of the mix node itself.
    length_frames : int, optional
        The song's length without its tail; by default it ends with its last track.
    tail_s : float, optional
        Declared length of the tail. By default the tail lasts as long as the processors say it can be heard, at most
        `TAIL_MAX_S`, and is cut where it stays below -100 dBFS.
    vcas : tuple of VcaSpec
        Faders over faders.
    """

    sample_rate: int
    tracks: tuple[TrackSpec, ...]
    buses: tuple[BusSpec, ...] = ()
    pan_law_db: float = -3.0
    processors: tuple[ProcessorSpec, ...] = ()
    gain_db: float = 0.0
    gain_automation: tuple[GainPoint, ...] = ()
    length_frames: int | None = None
    tail_s: float | None = None
    vcas: tuple[VcaSpec, ...] = ()
    automation: tuple[MovingSetting, ...] = ()

    def __post_init__(self) -> None:
        valid_sample_rate(self.sample_rate, name="MixSpec.sample_rate")
        one_of(self, "pan_law_db", PAN_LAWS_DB)
        declared(self, "Mix")
        check_automation("MixSpec.gain_automation", self.gain_automation)
        if self.length_frames is not None and self.length_frames < 1:
            raise ParameterError("MixSpec.length_frames", self.length_frames, "1 or more")
