"""iXML: scene, take, note and the tracks' names of a recording, as location recorders and workstations write it.

Source: iXML specification 3.0 (BWFXML root; PROJECT, SCENE, TAKE, TAPE, NOTE, CIRCLED, TRACK_LIST, SPEED).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tapelog_interchange.riff import body_of, read_chunks
from tapelog_interchange.safe_xml import parse_xml
from tapelog_interchange.units import finite

VERSION: Final = "3.0"
_TEXTS: Final = (("project", "PROJECT"), ("scene", "SCENE"), ("take", "TAKE"), ("tape", "TAPE"), ("note", "NOTE"))


@dataclass(frozen=True, slots=True)
class Ixml:
    """The fields of an iXML chunk.

    Attributes
    ----------
    project, scene, take, tape, note : str
        As the recorder wrote them.
    circled : bool
        Whether the take was marked as good.
    tracks : tuple of str
        Names of the channels in their order.
    sample_rate_hz : int
        ``FILE_SAMPLE_RATE``; 0 is not said.
    time_reference_frames : int
        ``TIMESTAMP_SAMPLES_SINCE_MIDNIGHT``; 0 is not said.
    """

    project: str = ""
    scene: str = ""
    take: str = ""
    tape: str = ""
    note: str = ""
    circled: bool = False
    tracks: tuple[str, ...] = field(default=())
    sample_rate_hz: int = 0
    time_reference_frames: int = 0

    def json(self) -> dict[str, object]:
        """Return the fields as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"tracks": list(self.tracks)}


def decode_ixml(body: bytes, name: str) -> Ixml:
    """Return the fields of an iXML chunk.

    Raises
    ------
    RefusedError
        ``XML_REFUSED``.
    """
    root = parse_xml(body.rstrip(b"\0 \r\n"), f"the iXML chunk of {name}")
    texts = {key: (root.findtext(tag) or "").strip() for key, tag in _TEXTS}
    high = int(finite(root.findtext("SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI")) or 0)
    low = int(finite(root.findtext("SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO")) or 0)
    tracks = sorted(
        root.iterfind("TRACK_LIST/TRACK"), key=lambda track: finite(track.findtext("INTERLEAVE_INDEX")) or 0
    )
    return Ixml(
        **texts,
        circled=(root.findtext("CIRCLED") or "").strip().upper() == "TRUE",
        tracks=tuple((track.findtext("NAME") or "").strip() for track in tracks),
        sample_rate_hz=int(finite(root.findtext("SPEED/FILE_SAMPLE_RATE")) or 0),
        time_reference_frames=(high << 32) + low,
    )


def encode_ixml(ixml: Ixml) -> bytes:
    """Return the body of an iXML chunk."""
    root = ET.Element("BWFXML")
    ET.SubElement(root, "IXML_VERSION").text = VERSION
    for key, tag in _TEXTS:
        if getattr(ixml, key):
            ET.SubElement(root, tag).text = getattr(ixml, key)
    if ixml.circled:
        ET.SubElement(root, "CIRCLED").text = "TRUE"
    if ixml.sample_rate_hz or ixml.time_reference_frames:
        speed = ET.SubElement(root, "SPEED")
        if ixml.sample_rate_hz:
            ET.SubElement(speed, "FILE_SAMPLE_RATE").text = str(ixml.sample_rate_hz)
        ET.SubElement(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI").text = str(ixml.time_reference_frames >> 32)
        ET.SubElement(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO").text = str(ixml.time_reference_frames & 0xFFFFFFFF)
    if ixml.tracks:
        tracks = ET.SubElement(root, "TRACK_LIST")
        ET.SubElement(tracks, "TRACK_COUNT").text = str(len(ixml.tracks))
        for index, name in enumerate(ixml.tracks, 1):
            track = ET.SubElement(tracks, "TRACK")
            ET.SubElement(track, "CHANNEL_INDEX").text = str(index)
            ET.SubElement(track, "INTERLEAVE_INDEX").text = str(index)
            ET.SubElement(track, "NAME").text = name
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def changed_ixml(path: Path, texts: dict[str, str]) -> bytes:
    """Return the iXML body of a WAV file with some of its texts changed; elements that are not known here stay.

    Parameters
    ----------
    path : Path
        A WAV file, with an iXML chunk or without.
    texts : dict of str to str
        ``project``, ``scene``, ``take``, ``tape`` or ``note`` -> the new text.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED`` or ``XML_REFUSED``.
    """
    body = _body(path) or encode_ixml(Ixml())
    root = parse_xml(body.rstrip(b"\0 \r\n"), f"the iXML chunk of {path.name}")
    for key, tag in _TEXTS:
        if key in texts:
            element = root.find(tag)
            (ET.SubElement(root, tag) if element is None else element).text = texts[key]
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _body(path: Path) -> bytes | None:
    with path.open("rb") as file:
        return body_of(file, read_chunks(file, path.name), b"iXML", path.name)


def read_ixml(path: Path) -> Ixml | None:
    """Return the iXML chunk of a WAV file, or None.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED`` or ``XML_REFUSED``.
    """
    body = _body(path)
    return None if body is None else decode_ixml(body, path.name)
