"""A recipe as a DAWproject file, with its audio, markers, and a report of what other programs will not see.

Source: DAWproject 1.0 (Project.xsd, MetaData.xsd). Levels are written as ratios and pans from 0 to 1, as its hosts do;
times in seconds.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_interchange.archive import write_archive
from tapelog_interchange.dawproject.devices import DeviceWriter
from tapelog_interchange.dawproject.values import boolean, comment_of, number, real
from tapelog_interchange.errors import NotPossibleError
from tapelog_interchange.flatten import unit_of
from tapelog_interchange.losses import Loss
from tapelog_interchange.session import Marker

VERSION: Final = "1.0"
_VOLUME: Final = {"min": 0.0, "max": 10 ** (24 / 20)}
_CURVES: Final[dict[int, str]] = {
    pb.AUTOMATION_CURVE_SMOOTH: "a smooth curve",
    pb.AUTOMATION_CURVE_EARLY: "an early curve",
    pb.AUTOMATION_CURVE_LATE: "a late curve",
}


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What the format wants to know of an audio file."""

    path: Path
    sample_rate_hz: int
    channels: int
    length_frames: int


Strip = pb.RecipeTrack | pb.RecipeBus


def _db(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


class _Writer:
    def __init__(self, recipe: pb.MixRecipe, facts: dict[str, AudioFacts], application: tuple[str, str]) -> None:
        self.recipe = recipe
        self.facts = facts
        self.application = application
        self.losses: list[Loss] = []
        self._count = itertools.count(1)
        self.devices = DeviceWriter(self.new_id, self.losses)
        self.strips: tuple[Strip, ...] = (*recipe.tracks, *recipe.buses)
        self.channel_ids = {"": self.new_id()} | {strip.id: self.new_id() for strip in self.strips}
        self.lanes: list[tuple[str, list[ET.Element]]] = []

    def new_id(self) -> str:
        return f"id{next(self._count)}"

    def lost(self, where: str, what: str, instead: str) -> None:
        self.losses.append(Loss(where, what, instead))

    def seconds(self, frame: int) -> str:
        return number(frame / self.recipe.sample_rate_hz)

    def points(self, target: str, unit: str, where: str, points: Iterable[tuple[int, float, int]]) -> ET.Element:
        """Return automation of a parameter; curved segments become straight ones."""
        element = ET.Element("Points", {"unit": unit, "timeUnit": "seconds", "id": self.new_id()})
        ET.SubElement(element, "Target", {"parameter": target})
        for frame, value, curve in points:
            if curve in _CURVES:
                self.lost(
                    where, f"{_CURVES[curve]} of automation at {self.seconds(frame)} s", "a straight line was written"
                )
            shape = "hold" if curve == pb.AUTOMATION_CURVE_HOLD else "linear"
            attributes = {"time": self.seconds(frame), "value": number(value), "interpolation": shape}
            ET.SubElement(element, "RealPoint", attributes)
        return element

    def fader(self, target: str, where: str, fader_db: float, points: Sequence[pb.GainPoint]) -> list[ET.Element]:
        if not points:
            return []
        moved = ((point.frame, fader_db + point.gain_db, point.curve) for point in points)
        return [self.points(target, "decibel", where, moved)]

    def chain(
        self, channel: ET.Element, chain: Sequence[pb.Processor], moves: Sequence[pb.SettingAutomation], where: str
    ) -> list[ET.Element]:
        if not chain:
            return []
        parent = ET.SubElement(channel, "Devices")
        ids = [self.devices.write(parent, processor, where) for processor in chain]
        lanes = []
        for moving in moves:
            target = ids[moving.position].get(moving.setting) if moving.position < len(ids) else None
            if target is None:
                self.lost(where, f"automation of {moving.setting}", "it was left out: the setting is not written")
                continue
            native = chain[moving.position].WhichOneof("kind") in ("compressor", "gate")
            scale = 0.001 if moving.setting.endswith("_ms") and native else 1.0
            unit = "seconds" if scale != 1.0 else unit_of(moving.setting)
            points = ((point.frame, point.value * scale, point.curve) for point in moving.points)
            lanes.append(self.points(target, unit, f"{where} > {moving.setting}", points))
        return lanes

    def strip(self, parent: ET.Element, strip: Strip, role: str, channels: int) -> list[ET.Element]:
        """Write what tracks and buses have in common; return its automation."""
        channel = ET.SubElement(
            parent, "Channel",
            {"audioChannels": str(channels), "destination": self.channel_ids[strip.output_bus], "role": role,
             "solo": "true" if strip.solo else "false", "id": self.channel_ids[strip.id]},
        )  # fmt: skip
        lanes = self.chain(channel, strip.chain, strip.automation, strip.id)
        boolean(channel, "Mute", self.new_id(), value=strip.mute)
        pan_id, volume_id = self.new_id(), self.new_id()
        real(channel, "Pan", (strip.pan + 1) / 2, "normalized", pan_id, min=0, max=1)
        if strip.sends:
            sends = ET.SubElement(channel, "Sends")
            for send in strip.sends:
                attributes = {"destination": self.channel_ids[send.bus], "type": "pre" if send.pre_fader else "post"}
                element = ET.SubElement(sends, "Send", {**attributes, "id": self.new_id()})
                send_id = self.new_id()
                real(element, "Volume", _db(send.gain_db), "linear", send_id, **_VOLUME)
                lanes += self.fader(send_id, f"{strip.id} > send to {send.bus}", send.gain_db, send.gain_automation)
        real(channel, "Volume", _db(strip.gain_db), "linear", volume_id, **_VOLUME)
        lanes += self.fader(volume_id, strip.id, strip.gain_db, strip.gain_automation)
        if isinstance(strip, pb.RecipeTrack) and strip.pan_automation:
            moved = ((point.frame, (point.pan + 1) / 2, point.curve) for point in strip.pan_automation)
            lanes.append(self.points(pan_id, "normalized", f"{strip.id} > pan", moved))
        return lanes

    def track(self, structure: ET.Element, track: pb.RecipeTrack) -> None:
        facts = self.facts[track.id]
        ident = self.new_id()
        attributes = {"contentType": "audio", "loaded": "true", "id": ident, "name": track.id}
        if comment := comment_of(track.tags, track.printed_effects):
            attributes["comment"] = comment
        lanes = self.strip(ET.SubElement(structure, "Track", attributes), track, "regular", facts.channels)
        clips = ET.Element("Clips", {"id": self.new_id()})
        length_s = number(facts.length_frames / facts.sample_rate_hz)
        clip = ET.SubElement(clips, "Clip", {"time": self.seconds(track.start_frame), "duration": length_s,
                             "contentTimeUnit": "seconds", "playStart": "0", "name": track.id})  # fmt: skip
        audio = {"channels": str(facts.channels), "sampleRate": str(facts.sample_rate_hz), "duration": length_s}
        ET.SubElement(
            ET.SubElement(clip, "Audio", {**audio, "id": self.new_id()}), "File", {"path": self.entry(track.id)}
        )
        self.lanes.append((ident, [clips, *lanes]))
        if track.polarity_inverted:
            self.lost(track.id, "inverted polarity", "it was left out: the format has no place for it")
        if track.HasField("dual_pan"):
            self.lost(track.id, "a dual pan", "the balance was written instead")

    def entry(self, track: str) -> str:
        """Return the name of a track's audio inside the archive."""
        return f"audio/{track}{self.facts[track].path.suffix.lower()}"

    def bus(self, structure: ET.Element, bus: pb.RecipeBus) -> None:
        feeds = {strip.output_bus for strip in self.strips}
        ident = self.new_id()
        attributes = {"contentType": "audio", "loaded": "true", "id": ident, "name": bus.id}
        role = "submix" if bus.id in feeds else "effect"
        lanes = self.strip(ET.SubElement(structure, "Track", attributes), bus, role, 2)
        if lanes:
            self.lanes.append((ident, lanes))

    def master(self, structure: ET.Element) -> None:
        ident = self.new_id()
        track = ET.SubElement(
            structure, "Track", {"contentType": "audio", "loaded": "true", "id": ident, "name": "Master"}
        )
        attributes = {"audioChannels": "2", "role": "master", "solo": "false", "id": self.channel_ids[""]}
        channel = ET.SubElement(track, "Channel", attributes)
        lanes = self.chain(channel, self.recipe.mix_chain, self.recipe.mix_automation, "master")
        volume_id = self.new_id()
        real(channel, "Volume", _db(self.recipe.mix_gain_db), "linear", volume_id, **_VOLUME)
        lanes += self.fader(volume_id, "master", self.recipe.mix_gain_db, self.recipe.mix_gain_automation)
        if lanes:
            self.lanes.append((ident, lanes))
        if self.recipe.pan_law not in (pb.PAN_LAW_UNSPECIFIED, pb.PAN_LAW_MINUS_3_DB):
            self.lost("master", "the pan law", "the format has none; mono tracks may stand at another level elsewhere")
        if self.recipe.tail_s:
            self.lost("master", f"a tail of {self.recipe.tail_s:g} s", "set the end of the bounce by hand")
        for vca in self.recipe.vcas:
            self.lost(vca.id, f"a VCA at {vca.gain_db:+g} dB over {', '.join(vca.members)}", "it was left out")

    def project(self, markers: Sequence[Marker]) -> bytes:
        root = ET.Element("Project", {"version": VERSION})
        ET.SubElement(root, "Application", dict(zip(("name", "version"), self.application, strict=True)))
        if self.recipe.tempo_bpm:
            transport = ET.SubElement(root, "Transport")
            real(transport, "Tempo", self.recipe.tempo_bpm, "bpm", self.new_id(), min=20, max=400)
        structure = ET.SubElement(root, "Structure")
        for track in self.recipe.tracks:
            self.track(structure, track)
        for bus in self.recipe.buses:
            self.bus(structure, bus)
        self.master(structure)
        arrangement = ET.SubElement(root, "Arrangement", {"id": self.new_id()})
        lanes = ET.SubElement(arrangement, "Lanes", {"timeUnit": "seconds", "id": self.new_id()})
        for ident, content in self.lanes:
            ET.SubElement(lanes, "Lanes", {"track": ident, "id": self.new_id()}).extend(content)
        if markers:
            element = ET.SubElement(arrangement, "Markers", {"timeUnit": "seconds", "id": self.new_id()})
            for marker in markers:
                ET.SubElement(element, "Marker", {"time": number(marker.time_s), "name": marker.name})
        ET.indent(root)
        return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def write_dawproject(
    path: Path,
    recipe: pb.MixRecipe,
    facts: Callable[[pb.RecipeTrack], AudioFacts],
    *,
    version: str,
    title: str = "",
    markers: Sequence[Marker] = (),
) -> tuple[Loss, ...]:
    """Write a DAWproject with its audio inside; the same recipe and audio give the same bytes.

    Parameters
    ----------
    path : Path
        The file to write.
    recipe : MixRecipe
        A valid recipe.
    facts : callable
        Returns the audio file of a track.
    version : str
        Version of this program, which the file names.
    title : str
        Title of the song.
    markers : sequence of Marker
        Places to mark, such as the notes of a review.

    Returns
    -------
    tuple of Loss
        What other programs will not see, or see changed.

    Raises
    ------
    NotPossibleError
        The recipe has no tracks.
    OSError
        A file cannot be read or written.
    """
    if not recipe.tracks:
        raise NotPossibleError("RECIPE_EMPTY", "the recipe has no tracks", "add one before it is exported")
    writer = _Writer(recipe, {track.id: facts(track) for track in recipe.tracks}, ("Tapelog", version))
    metadata = ET.Element("MetaData")
    ET.SubElement(metadata, "Title").text = title
    texts = {
        "project.xml": writer.project(markers),
        "metadata.xml": ET.tostring(metadata, encoding="utf-8", xml_declaration=True),
    }
    files = {writer.entry(track.id): writer.facts[track.id].path for track in recipe.tracks}
    write_archive(path, texts, files)
    return tuple(writer.losses)
