"""DAWproject's devices as inserts: what we have, what was changed on the way, and what could not be read."""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import PROCESSOR_KINDS

from tapelog_interchange.dawproject.devices import BAND_TYPES, KIND_OF, NATIVE, VENDOR
from tapelog_interchange.dawproject.values import is_true
from tapelog_interchange.flatten import write_setting
from tapelog_interchange.losses import Loss
from tapelog_interchange.units import finite, to_db, to_hz, to_ms

BANDS_MAX: Final = 16
SLOPES: Final = (6, 12, 18, 24, 30, 36, 42, 48)
BUTTERWORTH_Q: Final = 0.7071
_DIGITS: Final = 6
_SHAPES: Final = {name: shape for shape, name in BAND_TYPES.items() if shape}


class Inserted:
    """An insert and where its parameters are.

    Attributes
    ----------
    processor : Processor
        The insert.
    ids : dict of str to (str, float)
        Id of a parameter -> our setting's path, and what one of its units is in ours.
    """

    def __init__(self, *, bypass: bool) -> None:
        self.processor = pb.Processor(bypass=bypass)
        self.ids: dict[str, tuple[str, str]] = {}

    def note(self, element: ET.Element | None, path: str) -> None:
        """Remember the id of a setting's parameter, and its unit there."""
        if element is not None and element.get("id"):
            self.ids[element.get("id", "")] = (path, element.get("unit", "linear"))


class DeviceReader:
    """Reads devices; `losses` gets what they lost."""

    def __init__(self, losses: list[Loss], tempo_bpm: float) -> None:
        self._losses = losses
        self._tempo_bpm = tempo_bpm

    def read(self, device: ET.Element, channel: str) -> list[Inserted]:
        """Return the inserts that a device becomes; none if we have nothing like it."""
        name = device.get("deviceName") or device.get("name") or device.tag
        place = f"{channel} > {name}"
        if device.find("State") is not None and device.tag in ("Equalizer", *KIND_OF):
            self._losses.append(
                Loss(place, "it carries a state of its own program", "only its portable settings were read")
            )
        if device.tag == "Equalizer":
            return list(self._equalizer(device, place))
        if device.tag in KIND_OF:
            return self._dynamics(device, KIND_OF[device.tag], place)
        if device.get("deviceVendor") == VENDOR and (device.get("deviceID") or "").startswith("tapelog."):
            return self._own(device, place)
        kind = device.tag.removesuffix("Plugin")
        what = (
            f"the {kind} plug-in {name!r}" if device.tag.endswith("Plugin") else f"the device {name!r} ({device.tag})"
        )
        self._losses.append(
            Loss(place, what, "it was left out; print it into the audio, or rebuild it with an insert of ours")
        )
        return []

    def _lost(self, place: str, what: str, instead: str) -> None:
        self._losses.append(Loss(place, what, instead))

    def _bypassed(self, device: ET.Element) -> bool:
        return not is_true(device.find("Enabled"), standard=True)

    def _own(self, device: ET.Element, place: str) -> list[Inserted]:
        kind = (device.get("deviceID") or "").removeprefix("tapelog.")
        if kind not in PROCESSOR_KINDS:
            self._lost(place, f"the insert {kind!r} is not known to this version", "it was left out; update Tapelog")
            return []
        made = Inserted(bypass=self._bypassed(device))
        getattr(made.processor, kind).SetInParent()
        self._parameters(device, made, kind, place)
        return [made]

    def _parameters(self, device: ET.Element, made: Inserted, kind: str, place: str) -> None:
        for element in device.iterfind("Parameters/*"):
            path = element.get("name", "")
            value = self._parameter(element)
            if value is None or not write_setting(getattr(made.processor, kind), path, value):
                self._lost(place, f"the parameter {path!r}", "it was left out")
            else:
                made.note(element, path)

    @staticmethod
    def _parameter(element: ET.Element) -> float | bool | str | None:
        text = element.get("value")
        if element.tag == "BoolParameter":
            return is_true(element)
        if element.tag == "EnumParameter":
            labels, index = element.get("labels", "").split(), finite(text)
            return labels[int(index)] if index is not None and 0 <= index < len(labels) else None
        return finite(text)

    def _dynamics(self, device: ET.Element, kind: str, place: str) -> list[Inserted]:
        made = Inserted(bypass=self._bypassed(device))
        message = getattr(made.processor, kind)
        message.SetInParent()
        for name, there in NATIVE[kind].items():
            element = device.find(there.tag)
            value = None if element is None else finite(element.get("value"))
            if element is None or value is None:
                continue
            unit = element.get("unit", there.unit)
            if there.unit == "seconds":
                value = to_ms(value, unit, self._tempo_bpm)
            elif there.tag == "Ratio":
                value = self._ratio(value, unit, place)
            elif there.unit == "decibel":
                value = to_db(value, unit) * there.scale if there.tag != "Range" else abs(to_db(value, unit))
            if value is not None:
                setattr(message, name, round(value, _DIGITS))
                made.note(element, name)
        gain = self._gain(device.find("InputGain"))
        if gain:
            self._lost(place, f"an input gain of {gain:+.2f} dB", "written as a gain before it")
        if is_true(device.find("AutoMakeup")):
            self._lost(place, "automatic make-up gain", "left out; set makeup_db by ear")
        own = {element.get("name") for element in device.iterfind("Parameters/*")}
        if own:
            self._parameters(device, made, kind, place)
        return [_gain_insert(gain), made] if gain else [made]

    def _ratio(self, value: float, unit: str, place: str) -> float | None:
        if unit in ("percent", "normalized"):
            share = value / 100 if unit == "percent" else value
            ratio = 100.0 if share >= 0.99 else 1 / (1 - max(0.0, share))
            self._lost(place, f"a ratio of {value:g} in {unit}", f"read as {ratio:.2f} : 1; check it by ear")
            return ratio
        return value

    @staticmethod
    def _gain(element: ET.Element | None) -> float:
        value = None if element is None else finite(element.get("value"))
        return 0.0 if element is None or value is None else round(to_db(value, element.get("unit", "decibel")), _DIGITS)

    def _equalizer(self, device: ET.Element, place: str) -> Iterator[Inserted]:
        bypass = self._bypassed(device)
        before, after = self._gain(device.find("InputGain")), self._gain(device.find("OutputGain"))
        if before:
            yield _gain_insert(before)
        eq = Inserted(bypass=bypass)
        for band in device.iterfind("Band"):
            if not is_true(band.find("Enabled"), standard=True):
                self._lost(place, "a band that is switched off", "it was left out")
                continue
            kind = band.get("type", "")
            frequency = band.find("Freq")
            value = None if frequency is None else finite(frequency.get("value"))
            if frequency is None or value is None:
                self._lost(place, f"a band of type {kind!r} without a frequency", "it was left out")
                continue
            hz = round(to_hz(value, frequency.get("unit", "hertz")), _DIGITS)
            if kind in ("highPass", "lowPass"):
                yield self._filter(band, kind, hz, place, bypass=bypass)
            elif kind not in _SHAPES:
                self._lost(place, f"a band of type {kind!r} at {hz:.0f} Hz", "it was left out")
            elif len(eq.processor.eq.bands) == BANDS_MAX:
                self._lost(place, f"a band beyond the {BANDS_MAX}th", "it was left out")
            else:
                self._band(band, kind, hz, eq, place)
        if eq.processor.eq.bands:
            yield eq
        if after:
            yield _gain_insert(after)

    def _filter(self, band: ET.Element, kind: str, hz: float, place: str, *, bypass: bool) -> Inserted:
        made = Inserted(bypass=bypass)
        message = made.processor.high_pass if kind == "highPass" else made.processor.low_pass
        order = finite(band.get("order"))
        asked = 12 if order is None else round(order) * 6
        slope = min(SLOPES, key=lambda each: abs(each - asked))
        if slope != asked:
            self._lost(place, f"a slope of {asked} dB per octave", f"{slope} was taken")
        quality = band.find("Q")
        q = None if quality is None else finite(quality.get("value"))
        if q is not None and abs(q - BUTTERWORTH_Q) > 0.01:
            self._lost(place, f"a {kind} with a Q of {q:.2f}", "our filters are Butterworth: no resonance")
        message.frequency_hz = hz
        message.slope_db_oct = slope
        made.note(band.find("Freq"), "frequency_hz")
        return made

    def _band(self, band: ET.Element, kind: str, hz: float, eq: Inserted, place: str) -> None:
        index = len(eq.processor.eq.bands)
        added = eq.processor.eq.bands.add(shape=_SHAPES[kind], frequency_hz=hz)
        eq.note(band.find("Freq"), f"bands.{index}.frequency_hz")
        gain = self._gain(band.find("Gain"))
        if gain:
            added.gain_db = min(24.0, max(-24.0, gain))
            if added.gain_db != gain:
                self._lost(place, f"a gain of {gain:+.1f} dB", f"{added.gain_db:+.0f} dB was taken")
        eq.note(band.find("Gain"), f"bands.{index}.gain_db")
        quality = band.find("Q")
        q = None if quality is None else finite(quality.get("value"))
        if q is None:
            return
        if kind in ("lowShelf", "highShelf"):
            if abs(q - BUTTERWORTH_Q) > 0.01:
                self._lost(place, f"a shelf with a Q of {q:.2f}", "our shelves are Butterworth")
            return
        added.q = round(min(40.0, max(0.1, q)), _DIGITS)
        eq.note(quality, f"bands.{index}.q")


def _gain_insert(gain_db: float) -> Inserted:
    made = Inserted(bypass=False)
    made.processor.gain.gain_db = min(48.0, max(-144.0, gain_db))
    return made
