"""Inserts as DAWproject's devices.

What has a built-in device there travels natively: filters and equalisers, the compressor, the gate. The settings that
such a device does not have (a knee, a mix) go along as named parameters. Everything else travels as a device of ours,
named by its kind with its settings as parameters: Tapelog reads it back whole, other programs show it as missing.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe.parameters import parameter

from tapelog_interchange.dawproject.values import boolean, number, real
from tapelog_interchange.flatten import Setting, flatten, unit_of
from tapelog_interchange.losses import Loss

VENDOR: Final = "Tapelog"
BAND_TYPES: Final = {
    pb.EQ_SHAPE_UNSPECIFIED: "bell",
    pb.EQ_SHAPE_BELL: "bell",
    pb.EQ_SHAPE_LOW_SHELF: "lowShelf",
    pb.EQ_SHAPE_HIGH_SHELF: "highShelf",
    pb.EQ_SHAPE_NOTCH: "notch",
}
"""Our shapes -> DAWproject's; a tilt has none."""


class Native(NamedTuple):
    """A setting that a built-in device has an element for; `scale` times ours is theirs."""

    tag: str
    unit: str
    scale: float = 1.0


NATIVE: Final[dict[str, dict[str, Native]]] = {
    "compressor": {
        "attack_ms": Native("Attack", "seconds", 0.001),
        "makeup_db": Native("OutputGain", "decibel"),
        "ratio": Native("Ratio", "linear"),
        "release_ms": Native("Release", "seconds", 0.001),
        "threshold_db": Native("Threshold", "decibel"),
    },
    "gate": {
        "attack_ms": Native("Attack", "seconds", 0.001),
        "range_db": Native("Range", "decibel", -1.0),
        "ratio": Native("Ratio", "linear"),
        "release_ms": Native("Release", "seconds", 0.001),
        "threshold_db": Native("Threshold", "decibel"),
    },
}
"""Kind -> setting -> its element, in the schema's order."""

TAGS: Final = {"compressor": "Compressor", "gate": "NoiseGate"}
KIND_OF: Final = {tag: kind for kind, tag in TAGS.items()}

_SENSES: Final = "what its detector hears instead of its own input"


class DeviceWriter:
    """Writes the inserts of a session; ids are unique in the document.

    Parameters
    ----------
    new_id : callable
        Returns a new id of the document.
    losses : list of Loss
        Gets what other programs will not see.
    """

    def __init__(self, new_id: Callable[[], str], losses: list[Loss]) -> None:
        self._new_id = new_id
        self._losses = losses

    def write(self, parent: ET.Element, processor: pb.Processor, where: str) -> dict[str, str]:
        """Add a device and return the ids of its parameters by our settings' paths."""
        kind = processor.WhichOneof("kind") or "gain"
        message: Message = getattr(processor, kind)
        place = f"{where} > {kind}"
        if processor.channels not in (pb.INSERT_CHANNELS_UNSPECIFIED, pb.INSERT_CHANNELS_STEREO):
            self._losses.append(Loss(place, "it works on the middle or the sides only", "written for both channels"))
        if kind in ("high_pass", "low_pass"):
            return self._filter(parent, processor, kind)
        if kind == "eq" and all(band.shape in BAND_TYPES for band in processor.eq.bands):
            return self._equalizer(parent, processor)
        if kind in NATIVE:
            return self._dynamics(parent, processor, kind, message, place)
        self._losses.append(
            Loss(place, "no other program knows this device", "Tapelog reads it back; print it for others")
        )
        device = self._device(parent, "BuiltinDevice", kind, processor, own=True)
        return self._parameters(device, list(flatten(message)), place)

    def _device(self, parent: ET.Element, tag: str, kind: str, processor: pb.Processor, *, own: bool) -> ET.Element:
        name = kind.replace("_", " ").capitalize()
        attributes = {"deviceName": name, "deviceRole": "audioFX", "loaded": "true", "id": self._new_id(), "name": name}
        if own:
            attributes |= {"deviceID": f"tapelog.{kind}", "deviceVendor": VENDOR}
        device = ET.SubElement(parent, tag, attributes)
        ET.SubElement(device, "Parameters")
        boolean(device, "Enabled", self._new_id(), value=not processor.bypass)
        return device

    def _parameters(self, device: ET.Element, settings: list[Setting], place: str) -> dict[str, str]:
        parameters, ids = device[0], {}  # every device is made with its parameters first
        for setting in settings:
            ids[setting.path] = ident = self._new_id()
            common = {"id": ident, "name": setting.path}
            if setting.words:
                labels = {"count": str(len(setting.words)), "labels": " ".join(setting.words)}
                index = str(setting.words.index(str(setting.value)))
                ET.SubElement(parameters, "EnumParameter", {**labels, "value": index, **common})
            elif isinstance(setting.value, str):
                self._losses.append(Loss(place, f"{setting.path} is {setting.value!r}, {_SENSES}", "it was left out"))
            elif isinstance(setting.value, bool):
                value = "true" if setting.value else "false"
                ET.SubElement(parameters, "BoolParameter", {"value": value, **common})
            else:
                attributes = {"unit": unit_of(setting.path), "value": number(setting.value), **common}
                ET.SubElement(parameters, "RealParameter", attributes)
        return ids

    def _filter(self, parent: ET.Element, processor: pb.Processor, kind: str) -> dict[str, str]:
        device = self._device(parent, "Equalizer", kind, processor, own=False)
        message = processor.high_pass if kind == "high_pass" else processor.low_pass
        slope = message.slope_db_oct if message.HasField("slope_db_oct") else 12
        band = ET.SubElement(
            device, "Band", {"type": "highPass" if kind == "high_pass" else "lowPass", "order": str(slope // 6)}
        )
        ids = {"frequency_hz": self._new_id()}
        real(band, "Freq", message.frequency_hz, "hertz", ids["frequency_hz"])
        boolean(band, "Enabled", self._new_id(), value=True)
        return ids

    def _equalizer(self, parent: ET.Element, processor: pb.Processor) -> dict[str, str]:
        device = self._device(parent, "Equalizer", "eq", processor, own=False)
        ids = {}
        for index, band in enumerate(processor.eq.bands):
            element = ET.SubElement(device, "Band", {"type": BAND_TYPES[band.shape]})
            values = {
                "frequency_hz": ("Freq", band.frequency_hz, "hertz"),
                "gain_db": ("Gain", band.gain_db, "decibel"),
                "q": ("Q", self._value(band, "q"), "linear"),
            }
            for name, (tag, value, unit) in values.items():
                ids[f"bands.{index}.{name}"] = ident = self._new_id()
                real(element, tag, value, unit, ident)
            boolean(element, "Enabled", self._new_id(), value=True)
        return ids

    def _dynamics(
        self, parent: ET.Element, processor: pb.Processor, kind: str, message: Message, place: str
    ) -> dict[str, str]:
        device = self._device(parent, TAGS[kind], kind, processor, own=False)
        native = NATIVE[kind]
        ids = {}
        for name, there in native.items():
            value = self._value(message, name)
            ids[name] = ident = self._new_id()
            real(device, there.tag, value * there.scale, there.unit, ident)
        rest = [setting for setting in flatten(message) if setting.path not in native]
        if rest:
            names = ", ".join(setting.path for setting in rest)
            self._losses.append(Loss(place, f"no other program reads {names}", "Tapelog reads them back"))
        return ids | self._parameters(device, rest, place)

    @staticmethod
    def _value(message: Message, name: str) -> float:
        """Return a setting with its default resolved."""
        entry = parameter(message, name)
        descriptor = message.DESCRIPTOR.fields_by_name[name]
        if descriptor.has_presence and not message.HasField(name) and entry is not None and entry.default is not None:
            return float(entry.default)
        return float(getattr(message, name))
