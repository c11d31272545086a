"""A DAWproject file as a session.

Source: DAWproject 1.0 (Project.xsd). What its hosts are seen to write is read too: levels in any unit, tracks in
folders, clips inside clips, times in beats of a constant tempo.
"""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from tapelog_interchange.archive import Archive, is_plain_name
from tapelog_interchange.dawproject.read_devices import DeviceReader
from tapelog_interchange.dawproject.values import is_true, words_in_comment
from tapelog_interchange.errors import RefusedError
from tapelog_interchange.losses import Loss
from tapelog_interchange.safe_xml import parse_xml
from tapelog_interchange.session import Channel, Clip, Marker, Point, Role, Send, Session
from tapelog_interchange.units import finite, to_db, to_hz, to_ms, to_pan

_ROLES: Final = {"effect": Role.BUS, "submix": Role.BUS, "master": Role.MASTER, "regular": Role.TRACK}
_NESTED_CLIPS_MAX: Final = 8


@dataclass(slots=True)
class _Target:
    """What automation can move: a fader, a pan, a send or a setting, and the unit of its parameter."""

    points: list[Point]
    unit: str
    kind: str
    setting: str = ""


class _Reader:
    def __init__(self, root: ET.Element, archive: Archive | None) -> None:
        self.root = root
        self.archive = archive
        application = root.find("Application")
        name = "an unnamed program" if application is None else (
            f"{application.get('name', '?')} {application.get('version', '')}".strip())  # fmt: skip
        tempo = root.find("Transport/Tempo")
        bpm = None if tempo is None else finite(tempo.get("value"))
        self.session = Session(name, tempo_bpm=bpm or 0.0)
        self.devices = DeviceReader(self.session.losses, self.session.tempo_bpm)
        self.targets: dict[str, _Target] = {}
        self.by_track: dict[str, Channel] = {}
        self.rates: dict[int, int] = {}

    def lost(self, where: str, what: str, instead: str) -> None:
        self.session.losses.append(Loss(where, what, instead))

    def level(self, element: ET.Element | None, kind: str, points: list[Point]) -> float:
        """Return a fader's decibels and make it a target."""
        if element is None:
            return 0.0
        unit = element.get("unit", "linear")
        if element.get("id"):
            self.targets[element.get("id", "")] = _Target(points, unit, kind)
        value = finite(element.get("value"))
        return 0.0 if value is None else to_db(value, unit)

    def structure(self, parent: ET.Element, folder: str | None) -> None:
        """Read tracks, folders first to last; a channel in a folder is summed where the folder's channel is."""
        for element in parent:
            if element.tag != "Track" and (element.tag != "Channel" or parent.tag == "Track"):
                continue
            strip = element.find("Channel") if element.tag == "Track" else element
            name = element.get("name") or (strip.get("name") if strip is not None else None) or "track"
            key = folder
            if strip is not None:
                comment = element.get("comment", "")
                channel = self.channel(strip, name, folder, comment, is_folder=element.find("Track") is not None)
                key = channel.key if channel is not None else folder
                if channel is not None and element.get("id"):
                    self.by_track[element.get("id", "")] = channel
            if element.tag == "Track":
                self.structure(element, key)

    def channel(
        self, strip: ET.Element, name: str, folder: str | None, comment: str, *, is_folder: bool
    ) -> Channel | None:
        role = strip.get("role", "regular")
        if role not in _ROLES:
            self.lost(name, f"a channel in the role {role!r}", "it was left out")
            return None
        channel = Channel(strip.get("id") or f"channel-{len(self.session.channels)}", name, _ROLES[role])
        if is_folder and channel.role is Role.TRACK:
            channel.role = Role.BUS
        channel.output = strip.get("destination") or folder
        channel.tags, channel.printed_effects = words_in_comment(comment)
        channel.solo = strip.get("solo") == "true"
        channel.mute = is_true(strip.find("Mute"))
        channel.gain_db = self.level(strip.find("Volume"), "gain", channel.gain)
        pan = strip.find("Pan")
        value = None if pan is None else finite(pan.get("value"))
        if pan is not None and value is not None:
            unit = pan.get("unit", "normalized")
            channel.pan = to_pan(value, unit)
            self.targets[pan.get("id", "")] = _Target(channel.pans, unit, "pan")
        for element in strip.iterfind("Sends/Send"):
            if is_true(element.find("Enable"), standard=True) and element.get("destination"):
                send = Send(element.get("destination", ""), pre_fader=element.get("type") == "pre")
                send.gain_db = self.level(element.find("Volume"), "gain", send.gain)
                channel.sends.append(send)
        for device in strip.iterfind("Devices/*"):
            for made in self.devices.read(device, name):
                position = len(channel.devices)
                channel.devices.append(made.processor)
                for ident, (path, unit) in made.ids.items():
                    points = channel.settings.setdefault((position, path), [])
                    self.targets[ident] = _Target(points, unit, "setting", path)
        self.session.channels.append(channel)
        return channel

    def time(self, value: float, unit: str) -> float:
        return to_ms(value, unit, self.session.tempo_bpm) / 1000

    def lanes(self, element: ET.Element, channel: Channel | None, unit: str) -> None:
        """Read timelines: each inherits the track and the unit of what it lies in."""
        if element.get("track"):
            channel = self.by_track.get(element.get("track", ""))
        unit = element.get("timeUnit", unit)
        if element.tag == "Lanes":
            for child in element:
                self.lanes(child, channel, unit)
        elif element.tag == "Clips":
            if channel is not None:
                channel.clips += self.clips(element, channel, unit, 0.0, _NESTED_CLIPS_MAX)
        elif element.tag == "Points":
            self.points(element, unit)
        elif element.tag in ("Notes", "Video") and channel is not None:
            self.lost(channel.name, element.tag.lower(), "left out: a mix is made of audio")

    def clips(self, element: ET.Element, channel: Channel, unit: str, shift_s: float, depth: int) -> Iterator[Clip]:
        for clip in element.iterfind("Clip"):
            start, length = finite(clip.get("time")), finite(clip.get("duration"))
            if start is None or clip.get("enable") == "false":
                continue
            start_s = shift_s + self.time(start, unit)
            length_s = None if length is None else self.time(length, unit)
            inner = clip.get("contentTimeUnit", unit)
            offset_s = self.time(finite(clip.get("playStart")) or 0.0, inner)
            for fade in ("fadeInTime", "fadeOutTime"):
                if finite(clip.get(fade)):
                    self.lost(
                        channel.name, f"a clip's {fade.removesuffix('Time')} at {start_s:.2f} s", "it was left out"
                    )
            if clip.get("loopEnd"):
                self.lost(channel.name, f"a looped clip at {start_s:.2f} s", "it plays once; consolidate it first")
            nested = clip.find("Clips")
            if nested is not None and depth:
                unit_within = nested.get("timeUnit", inner)
                yield from self.clips(nested, channel, unit_within, start_s - offset_s, depth - 1)
                continue
            if clip.find("Notes") is not None or clip.find("Video") is not None:
                self.lost(
                    channel.name, f"a clip of notes or video at {start_s:.2f} s", "left out: a mix is made of audio"
                )
                continue
            audio = next(clip.iter("Audio"), None)
            file = None if audio is None else audio.find("File")
            if audio is None or file is None:
                continue
            warps = clip.find("Warps")
            if warps is not None and self.warped(clip, warps):
                self.lost(
                    channel.name, f"a stretched clip at {start_s:.2f} s", "it plays unstretched; consolidate it first"
                )
            rate = finite(audio.get("sampleRate"))
            if rate:
                self.rates[int(rate)] = self.rates.get(int(rate), 0) + 1
            whole = finite(audio.get("duration"))
            yield Clip(self.file(file, channel.name), start_s, offset_s, length_s, whole)

    def warped(self, clip: ET.Element, warps: ET.Element) -> bool:
        """Return whether warp markers change the speed."""
        inner = warps.get("contentTimeUnit", "seconds")
        outer = clip.get("contentTimeUnit", warps.get("timeUnit", "beats"))
        pairs = [
            (
                self.time(finite(warp.get("time")) or 0.0, outer),
                self.time(finite(warp.get("contentTime")) or 0.0, inner),
            )
            for warp in warps.iterfind("Warp")
        ]
        return any(abs((b[0] - a[0]) - (b[1] - a[1])) > 0.001 for a, b in itertools.pairwise(pairs))

    def file(self, element: ET.Element, where: str) -> str:
        path = element.get("path", "").replace("\\", "/")
        if element.get("external") == "true" or (self.archive is not None and path not in self.archive):
            name = path.rpartition("/")[2] or "unnamed"
            self.lost(where, f"its audio is outside the file: {path[:120]!r}", f"put {name!r} beside the recipe")
            return name
        if not is_plain_name(path):
            raise RefusedError("ARCHIVE_REFUSED", f"an audio file is named {path[:80]!r}", "export it again")
        return path

    def points(self, element: ET.Element, unit: str) -> None:
        found = element.find("Target")
        target = None if found is None else self.targets.get(found.get("parameter", ""))
        if target is None:
            self.lost("automation", "points of a parameter that we do not have", "left out")
            return
        values = element.get("unit", target.unit)
        for point in element.iterfind("RealPoint"):
            time, value = finite(point.get("time")), finite(point.get("value"))
            if time is None or value is None:
                continue
            hold = point.get("interpolation", "hold") == "hold"
            target.points.append(Point(self.time(time, unit), self.convert(value, values, target), hold))

    def convert(self, value: float, unit: str, target: _Target) -> float:
        if target.kind == "gain":
            return to_db(value, unit)
        if target.kind == "pan":
            return to_pan(value, unit)
        if target.setting.endswith("_ms") and unit in ("seconds", "beats"):
            return to_ms(value, unit, self.session.tempo_bpm)
        if target.setting.endswith("_hz"):
            return to_hz(value, unit)
        return value

    def run(self) -> Session:
        structure, arrangement = self.root.find("Structure"), self.root.find("Arrangement")
        if structure is not None:
            self.structure(structure, None)
        if arrangement is not None:
            lanes = arrangement.find("Lanes")
            if lanes is not None:
                self.lanes(lanes, None, "beats")
            if arrangement.find("TempoAutomation") is not None:
                self.lost("transport", "a tempo that moves", "the first tempo was taken")
            markers = arrangement.find("Markers")
            for marker in () if markers is None else markers.iterfind("Marker"):
                time = finite(marker.get("time"))
                if time is not None:
                    unit = "beats" if markers is None else markers.get("timeUnit", "beats")
                    self.session.markers.append(Marker(self.time(time, unit), marker.get("name", "")))
        if self.root.find("Scenes/*") is not None:
            self.lost("scenes", "clips of a launcher", "left out: only the arrangement is read")
        self._tidy()
        return self.session

    def _tidy(self) -> None:
        masters = {channel.key for channel in self.session.channels if channel.role is Role.MASTER}
        for channel in self.session.channels:
            channel.output = None if channel.output in masters else channel.output
            channel.settings = {place: points for place, points in channel.settings.items() if points}
        if self.rates:
            self.session.sample_rate_hz = max(self.rates, key=lambda rate: (self.rates[rate], rate))


def read_project(text: bytes | Iterable[bytes], name: str, archive: Archive | None = None) -> Session:
    """Read the text of a ``project.xml``.

    Raises
    ------
    RefusedError
        ``XML_REFUSED``, ``ARCHIVE_REFUSED`` or ``SESSION_REFUSED``.
    """
    root = parse_xml(text, name)
    if root.tag != "Project":
        problem = f"{name} holds <{root.tag[:40]}>, a DAWproject holds <Project>"
        raise RefusedError("SESSION_REFUSED", problem, "export it as DAWproject")
    return _Reader(root, archive).run()


def read_dawproject(archive: Archive) -> Session:
    """Read a DAWproject; the names of its clips' files are entries of the archive.

    Raises
    ------
    RefusedError
        It is no DAWproject, or breaks a limit.
    """
    with closing(archive.blocks("project.xml")) as blocks:
        return read_project(blocks, "project.xml", archive)
