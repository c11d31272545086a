"""What is measured of a piece of audio, and how it is written down: the file of role ``analysis``."""

import json
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp import ENGINE_VERSION, LoudnessMeter, TruePeakMeter, unpack_pcm
from tapelog_dsp.meters.packed import add_packed

from tapelog_desk.faults import FaultMeter
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.files.decoders import Packed, Samples
from tapelog_desk.limits import METER_RATE_MAX_HZ
from tapelog_desk.waveform import Waveform

SCHEMA: Final = "tapelog.analysis/1"
"""Name of the JSON form; docs/dsp.md describes its fields."""

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1, never falling. What it raises ends the work cleanly."""

METERED_CHANNELS: Final = (1, 2, 3, 5, 6)
"""Channel counts that BS.1770 has weights for."""

_STEPS_PER_S: Final = 10
_JSON_VALUES: Final = 1_000
"""Of a list that are written at a time: a few kilobytes of text."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over time.

    Attributes
    ----------
    first_s, step_s : float
        Time of the first value, and between values.
    values : sequence of float
        Minus infinity for silence; an array of doubles, for an hour has 36,000 of them.
    """

    first_s: float
    step_s: float
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that was measured of one piece of audio.

    Attributes
    ----------
    measurements : Measurements
        The numbers.
    momentary, short_term : Curve
        M ten times and S once a second; empty where loudness is not defined.
    bucket_s : float
        Time that one low and one high of the waveform stand for.
    low, high : tuple of tuple of float
        Waveform per channel.
    audio : AudioResult, optional
        The file, with its digests, where one was read or written.
    """

    measurements: pb.Measurements
    momentary: Curve
    short_term: Curve
    bucket_s: float
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]
    audio: pb.AudioResult = field(default_factory=pb.AudioResult)


class Analyzer:
    """Measures a stream; any block size gives the same result.

    Parameters
    ----------
    audio : AudioFormat
        Sample rate, channels and word length.
    waveform : bool
        Whether to draw it.
    first_frame : int
        Where this analyzer's part of a recording begins: on a whole second.
    before : ndarray [shape=(channels, frames)], optional
        The second before it.
    """

    def __init__(
        self, audio: pb.AudioFormat, *, waveform: bool = True, first_frame: int = 0, before: Samples | None = None
    ) -> None:
        self._format = audio
        rate_hz, channels = audio.sample_rate_hz, audio.channels
        in_range = rate_hz <= METER_RATE_MAX_HZ
        has_loudness = in_range and channels in METERED_CHANNELS
        self._loudness = (
            LoudnessMeter(rate_hz, channels, first_frame=first_frame, before=before) if has_loudness else None
        )
        self._true_peak = TruePeakMeter(rate_hz, channels, before=before) if in_range else None
        self._faults = FaultMeter(channels, audio.bit_depth, is_float=audio.is_float)
        if before is not None:
            self._faults.add(before)
            self._faults.forget_but_runs()
        self._waveform = Waveform(rate_hz, channels) if waveform else None
        self._frames = 0
        self._rest: Packed = np.empty(0, dtype=np.uint8)
        self._rest_bytes = 0

    def add(self, samples: Samples) -> None:
        """Measure the next block ``[channels, frames]``."""
        self._add_rest()
        if self._loudness is not None:
            self._loudness.add(samples)
        if self._true_peak is not None:
            self._true_peak.add(samples)
        self._faults.add(samples)
        if self._waveform is not None:
            self._waveform.add(samples)
        self._frames += samples.shape[1]

    def add_packed(self, raw: Packed, sample_bytes: int) -> None:
        """Measure the next block as it stands in a file; as `add`, bit for bit, at half the work.

        ``sample_bytes`` is 2 to 4, or `FLOATS` for floats of 32 bits, which have to be finite.
        """
        loudness, true_peak = self._loudness, self._true_peak
        if loudness is None or true_peak is None or loudness.is_within_hop:
            self._add_unpacked(raw, sample_bytes)
            return
        if self._rest.size:
            raw, self._rest = np.concatenate((self._rest, raw)), self._rest[:0]
        measured = add_packed(
            raw, sample_bytes, self._format.channels, loudness=loudness, true_peak=true_peak,
            full_scale=self._faults, buckets=None if self._waveform is None else self._waveform.kept,
        )  # fmt: skip
        self._frames += measured
        self._rest = raw[measured * abs(sample_bytes) * self._format.channels :].copy()
        self._rest_bytes = sample_bytes

    def _add_unpacked(self, raw: Packed, sample_bytes: int) -> None:
        channels = self._format.channels
        block = np.empty((channels, raw.size // (abs(sample_bytes) * channels)))
        unpack_pcm(raw.data, sample_bytes, block)
        self.add(block)

    def _add_rest(self) -> None:
        """Measure what `add_packed` has left for a whole hop to come."""
        rest, self._rest = self._rest, self._rest[:0]
        if rest.size:
            self._add_unpacked(rest, self._rest_bytes)

    def join(self, later: "Analyzer") -> None:
        """Take in the part that follows; neither has a waveform."""
        self._add_rest()
        later._add_rest()  # noqa: SLF001  # one of its own kind
        if self._loudness is not None and later._loudness is not None:  # noqa: SLF001  # one of its own kind
            self._loudness.join(later._loudness.state())  # noqa: SLF001
        if self._true_peak is not None and later._true_peak is not None:  # noqa: SLF001
            self._true_peak.join(later._true_peak.state())  # noqa: SLF001
        self._faults.join(later._faults)  # noqa: SLF001
        self._frames += later._frames  # noqa: SLF001

    def result(self, *, non_finite_samples: int = 0) -> Analysis:
        """Return what was measured."""
        self._add_rest()
        numbers = pb.Measurements(
            length_frames=self._frames,
            sample_rate_hz=self._format.sample_rate_hz,
            channels=self._format.channels,
            non_finite_samples=non_finite_samples,
            silent_channels=self._faults.silent_channels(),
            clipped_samples=self._faults.clipped_samples,
        )
        _set(numbers, "sample_peak_dbfs", _decibels(self._faults.sample_peak()))
        if self._true_peak is not None:
            _set(numbers, "true_peak_dbtp", self._true_peak.result().max_dbtp)
        momentary, short_term = Curve(0.4, 0.1, ()), Curve(3.0, 1.0, ())
        if self._loudness is not None:
            loudness = self._loudness.result()
            _set(numbers, "integrated_lufs", loudness.integrated_lufs)
            _set(numbers, "max_momentary_lufs", loudness.momentary_max_lufs)
            _set(numbers, "max_short_term_lufs", loudness.short_term_max_lufs)
            if np.isfinite(loudness.short_term_lufs).sum() > 1:
                _set(numbers, "loudness_range_lu", loudness.range_lu)
            momentary = Curve(0.4, 0.1, array("d", loudness.momentary_lufs))
            short_term = Curve(3.0, 1.0, array("d", loudness.short_term_lufs[::_STEPS_PER_S]))
        if self._waveform is None:
            return Analysis(numbers, momentary, short_term, 0.0, (), ())
        low, high = self._waveform.result()
        bucket_s = self._waveform.bucket_frames / self._format.sample_rate_hz
        return Analysis(numbers, momentary, short_term, bucket_s, _rows(low), _rows(high))


def _rows(values: Samples) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _decibels(magnitude: float) -> float:
    return 20.0 * math.log10(magnitude) if magnitude > 0.0 else -math.inf


def _set(numbers: pb.Measurements, name: str, value: float) -> None:
    """Set a measurement, leaving it absent where it does not exist."""
    if math.isfinite(value):
        setattr(numbers, name, value)


def _number(value: float, digits: int) -> float | None:
    return round(value, digits) + 0.0 if math.isfinite(value) else None


def curve_json(curve: Curve) -> dict[str, Any]:
    """Return a curve as JSON values, silence as null.

    Equal values are one object: an hour has 36,000 of them, and in steps of 0.01 few are different.
    """
    known: dict[float | None, float | None] = {}
    values = [known.setdefault(rounded, rounded) for rounded in (_number(value, 2) for value in curve.values)]
    return {"first_s": curve.first_s, "step_s": curve.step_s, "values": values}


def measurements_json(numbers: pb.Measurements) -> dict[str, Any]:
    """Return measurements as JSON values; what does not exist is null."""
    plain: dict[str, Any] = {}
    for described in pb.Measurements.DESCRIPTOR.fields:
        value = getattr(numbers, described.name)
        if described.is_repeated:
            plain[described.name] = list(value)
        elif isinstance(value, float):
            plain[described.name] = _number(value, 3) if numbers.HasField(described.name) else None  # type: ignore[arg-type]
        else:
            plain[described.name] = value
    return plain


def analysis_json(analysis: Analysis, **further: object) -> dict[str, Any]:
    """Return an analysis as JSON values, in the form `SCHEMA`; `further` entries stand between numbers and curves."""
    audio = analysis.audio
    return {
        "schema": SCHEMA,
        "engine_version": ENGINE_VERSION,
        "sample_digest": audio.sample_digest,
        "format": {
            "sample_rate_hz": audio.format.sample_rate_hz,
            "channels": audio.format.channels,
            "bit_depth": audio.format.bit_depth,
            "is_float": audio.format.is_float,
            "length_frames": audio.format.length_frames,
            "container": audio.format.container,
        },
        "measurements": measurements_json(analysis.measurements),
        **further,
        "momentary_lufs": curve_json(analysis.momentary),
        "short_term_lufs": curve_json(analysis.short_term),
        "waveform": {
            "bucket_s": analysis.bucket_s,
            "low": [[_number(value, 4) for value in row] for row in analysis.low],
            "high": [[_number(value, 4) for value in row] for row in analysis.high],
        },
    }


def write_json(path: Path, plain: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write JSON values to a file, whole or not at all; the same values give the same bytes.

    Piece by piece: the curves of an hour, as one text with all its parts, would take more memory than mixing it.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    with atomic_file(path) as file:
        for piece in _json_pieces(plain, encoder):
            file.write(piece.encode())
        file.write(b"\n")


def _json_pieces(plain: object, encoder: json.JSONEncoder) -> Iterator[str]:
    """Yield the JSON of a value: mappings entry by entry, long lists a thousand values at a time.

    The encoder's own way to yield pieces does so value by value, which takes six times as long.
    """
    if isinstance(plain, Mapping) and plain:
        start = "{"
        for name, value in plain.items():
            yield f"{start}{encoder.encode(name)}:"
            yield from _json_pieces(value, encoder)
            start = ","
        yield "}"
    elif isinstance(plain, list) and len(plain) > _JSON_VALUES:
        for first in range(0, len(plain), _JSON_VALUES):
            values = encoder.encode(plain[first : first + _JSON_VALUES])
            yield f"{',' if first else '['}{values[1:-1]}"
        yield "]"
    else:
        yield encoder.encode(plain)
