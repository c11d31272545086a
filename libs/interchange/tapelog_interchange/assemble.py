"""From a session as another program wrote it to a recipe: ids, faders, buses, and clips that our tracks can play.

A track of ours plays one file from its first frame. A track of clips becomes one track per clip, summed into a bus that
has the track's own strip, so that its compressor hears what it heard there. A clip that begins inside its file, or ends
before it, is to be cut out first: `Cut` says what, the caller does it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe.parameters import parameter

from tapelog_interchange.errors import RefusedError
from tapelog_interchange.limits import CHANNELS_MAX
from tapelog_interchange.losses import Loss
from tapelog_interchange.session import Channel, Clip, Point, Role, Session

ID_MAX: Final = 32
_MICRO: Final = 6
"""Decimals that a recipe keeps; what another program stored as a ratio comes back to the same millionth."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a file that a track plays.

    Attributes
    ----------
    track : str
        Id of the track.
    file : str
        Name of the whole file.
    offset_s : float
        Where the piece begins.
    length_s : float or None
        How long it is; None is to the end.
    """

    track: str
    file: str
    offset_s: float
    length_s: float | None


@dataclass(frozen=True, slots=True)
class Imported:
    """A recipe made from a session.

    Attributes
    ----------
    recipe : MixRecipe
        Its sources are `file` sources with the names that the session uses.
    cuts : tuple of Cut
        Tracks whose file has to be cut out first.
    losses : tuple of Loss
        What did not travel.
    """

    recipe: pb.MixRecipe
    cuts: tuple[Cut, ...]
    losses: tuple[Loss, ...]


def slug(name: str, taken: set[str], fallback: str) -> str:
    """Return an id for a name, unique among `taken`, which gets it."""
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not word or not word[0].isalpha():
        word = f"{fallback}-{word}".strip("-")
    word = word[:ID_MAX].rstrip("-")
    candidate, number = word, 2
    while candidate in taken:
        tail = f"-{number}"
        candidate, number = word[: ID_MAX - len(tail)].rstrip("-") + tail, number + 1
    taken.add(candidate)
    return candidate


class _Assembly:
    def __init__(self, session: Session, sample_rate_hz: int) -> None:
        self.session = session
        self.rate_hz = sample_rate_hz
        self.recipe = pb.MixRecipe(sample_rate_hz=sample_rate_hz, tempo_bpm=round(session.tempo_bpm, _MICRO))
        self.losses = list(session.losses)
        self.cuts: list[Cut] = []
        self.taken: set[str] = set()
        self.ids = {
            channel.key: slug(channel.name, self.taken, "bus" if channel.role is Role.BUS else "track")
            for channel in session.channels
            if channel.role is not Role.MASTER
        }

    def frame(self, time_s: float) -> int:
        return max(0, round(time_s * self.rate_hz))

    def lost(self, where: str, what: str, instead: str) -> None:
        self.losses.append(Loss(where, what, instead))

    def gains(self, points: list[Point], fader_db: float) -> list[pb.GainPoint]:
        """Return automation of a fader; another program's points replace the fader, ours are added to it."""
        return [
            pb.GainPoint(frame=self.frame(point.time_s), gain_db=_gain(point.value - fader_db), curve=_curve(point))
            for point in _in_order(points, self.frame)
        ]

    def strip(self, channel: Channel, target: pb.RecipeTrack | pb.RecipeBus) -> None:
        """Write what tracks and buses have in common."""
        target.gain_db = _gain(channel.gain_db)
        target.pan = round(min(1.0, max(-1.0, channel.pan)), _MICRO)
        target.mute = channel.mute
        target.solo = channel.solo
        target.output_bus = self.ids.get(channel.output or "", "")
        target.chain.extend(self.fitted(channel))
        target.gain_automation.extend(self.gains(channel.gain, channel.gain_db))
        target.automation.extend(self.settings(channel))
        for send in channel.sends:
            bus = self.ids.get(send.target)
            if bus is None:
                self.lost(channel.name, "a send to a channel that is not there", "it was left out")
                continue
            target.sends.append(
                pb.RecipeSend(
                    bus=bus,
                    gain_db=_gain(send.gain_db),
                    pre_fader=send.pre_fader,
                    gain_automation=self.gains(send.gain, send.gain_db),
                )
            )

    def fitted(self, channel: Channel) -> list[pb.Processor]:
        for processor in channel.devices:
            self._fit(processor, f"{channel.name} > {processor.WhichOneof('kind')}")
        return channel.devices

    def settings(self, channel: Channel) -> list[pb.SettingAutomation]:
        return [
            pb.SettingAutomation(
                position=position,
                setting=setting,
                points=[
                    pb.SettingPoint(frame=self.frame(p.time_s), value=round(p.value, _MICRO), curve=_curve(p))
                    for p in _in_order(points, self.frame)
                ],
            )
            for (position, setting), points in sorted(channel.settings.items())
        ]

    def source(self, track: pb.RecipeTrack, clip: Clip) -> None:
        track.source.file = clip.file
        track.start_frame = self.frame(clip.start_s)
        if clip.start_s < 0:
            self.lost(track.id, f"it begins {-clip.start_s:.3f} s before the session", "it was moved to its start")
        if clip.is_cut:
            self.cuts.append(Cut(track.id, clip.file, clip.offset_s, clip.length_s))

    def track(self, channel: Channel) -> None:
        if not channel.clips:
            self.lost(channel.name, "a track without audio", "it was left out")
            return
        if len(channel.clips) == 1:
            track = self.recipe.tracks.add(id=self.ids[channel.key], polarity_inverted=channel.polarity_inverted)
            track.tags.extend(channel.tags)
            track.printed_effects.extend(channel.printed_effects)
            self.strip(channel, track)
            track.pan_automation.extend(
                pb.PanPoint(frame=self.frame(p.time_s), pan=round(p.value, _MICRO), curve=_curve(p))
                for p in _in_order(channel.pans, self.frame)
            )
            self.source(track, channel.clips[0])
            return
        bus_id = self.ids[channel.key]
        for clip in sorted(channel.clips, key=lambda each: each.start_s):
            track = self.recipe.tracks.add(id=slug(bus_id, self.taken, "track"), output_bus=bus_id)
            track.polarity_inverted = channel.polarity_inverted
            track.tags.extend(channel.tags)
            self.source(track, clip)
        self.strip(channel, self.recipe.buses.add(id=bus_id))
        self.lost(
            channel.name,
            f"a track of {len(channel.clips)} clips",
            "each clip became a track, summed into a bus with the track's strip",
        )
        if channel.pans:
            self.lost(channel.name, "pan automation of a track of clips", "it was left out; buses have a balance only")

    def master(self, channel: Channel) -> None:
        self.recipe.mix_gain_db = _gain(channel.gain_db)
        self.recipe.mix_chain.extend(self.fitted(channel))
        self.recipe.mix_gain_automation.extend(self.gains(channel.gain, channel.gain_db))
        self.recipe.mix_automation.extend(self.settings(channel))
        if channel.pan:
            self.lost("master", f"a balance of {channel.pan:+.2f}", "it was left out")

    def run(self) -> Imported:
        for channel in self.session.channels:
            if channel.role is Role.TRACK:
                self.track(channel)
            elif channel.role is Role.BUS:
                bus = self.recipe.buses.add(id=self.ids[channel.key])
                self.strip(channel, bus)
                if channel.pans:
                    self.lost(channel.name, "pan automation of a bus", "it was left out")
            else:
                self.master(channel)
        self._drop_loose_ends()
        return Imported(self.recipe, tuple(self.cuts), tuple(self.losses))

    def _fit(self, message: Message, where: str) -> None:
        """Bring every number of an insert into our range, and say so."""
        for descriptor, value in message.ListFields():
            field: Any = descriptor
            if field.message_type is not None:
                for item in value if field.is_repeated else (value,):
                    self._fit(item, where)
                continue
            entry = parameter(message, field.name)
            if entry is None or field.is_repeated or entry.allows(value, self.rate_hz):
                continue
            nearest = min(max(value, entry.low), entry.highest(self.rate_hz))
            if entry.choices:
                nearest = min(entry.choices, key=lambda choice: abs(choice - value))
            setattr(message, field.name, nearest)
            self.lost(where, f"{field.name} is {value:g}", f"{nearest:g} was taken, the nearest that we have")

    def _drop_loose_ends(self) -> None:
        """Open outputs and sends whose bus was left out go to the mix bus, or away."""
        buses = {bus.id for bus in self.recipe.buses}
        strips: tuple[pb.RecipeTrack | pb.RecipeBus, ...] = (*self.recipe.tracks, *self.recipe.buses)
        for channel in strips:
            if channel.output_bus not in buses:
                channel.output_bus = ""
            kept = [send for send in channel.sends if send.bus in buses]
            if len(kept) < len(channel.sends):
                self.lost(channel.id, "a send to a channel that is no bus", "it was left out")
                del channel.sends[:]
                channel.sends.extend(kept)


def assemble(session: Session, sample_rate_hz: int = 0) -> Imported:
    """Make a recipe from a session.

    Parameters
    ----------
    session : Session
        As a reader understood it.
    sample_rate_hz : int
        Rate of the mix; 0 takes the session's, or 48000.

    Raises
    ------
    RefusedError
        ``SESSION_REFUSED``: it has no channel with audio, or too many channels.
    """
    if len(session.channels) > CHANNELS_MAX:
        problem = f"the session has {len(session.channels)} channels, at most {CHANNELS_MAX} are read"
        raise RefusedError("SESSION_REFUSED", problem, "split it")
    imported = _Assembly(session, sample_rate_hz or session.sample_rate_hz or 48_000).run()
    if not imported.recipe.tracks:
        problem = "the session has no track with an audio file"
        raise RefusedError("SESSION_REFUSED", problem, "record or consolidate its audio, then export it again")
    return imported


def _gain(value_db: float) -> float:
    return round(min(24.0, max(-96.0, value_db)), _MICRO)


def _curve(point: Point) -> pb.AutomationCurve.ValueType:
    return pb.AUTOMATION_CURVE_HOLD if point.hold else pb.AUTOMATION_CURVE_LINEAR


def _in_order(points: list[Point], frame: Callable[[float], int]) -> list[Point]:
    """Return points by time, the last of those that fall on one frame."""
    by_frame: dict[int, Point] = {}
    for point in sorted(points, key=lambda each: each.time_s):
        by_frame[frame(point.time_s)] = point
    return list(by_frame.values())
