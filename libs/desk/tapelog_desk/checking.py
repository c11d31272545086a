"""`tapelog check`: the translation report of a file, with codecs where ffmpeg is there."""

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tapelog_dsp as dsp
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp.analysis.translation import Translator
from tapelog_dsp.analysis.verdicts import judge, worst

from tapelog_desk.analysis import Progress
from tapelog_desk.codecs import Codec, CodecResult, round_trips
from tapelog_desk.errors import OutputError, SourceError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.readers import AudioReader, open_audio
from tapelog_desk.limits import BLOCK_FRAMES, METER_RATE_MAX_HZ, MIX_CHANNELS_MAX

SCHEMA: Final = "tapelog.check/1"
"""Name of the JSON form."""

READING_SHARE: Final = 0.4
"""Of the progress, when codecs follow."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A judged file.

    Attributes
    ----------
    name : str
        Of the file.
    format : AudioFormat
        As decoded.
    report : TranslationReport
        What the core found.
    codecs : tuple of CodecResult
        Round trips; empty where none was made.
    checks : tuple of Check
        The report's, and one per codec.
    status : Status
        The worst of them.
    """

    name: str
    format: pb.AudioFormat
    report: dsp.TranslationReport
    codecs: tuple[CodecResult, ...]
    checks: tuple[dsp.Check, ...]
    status: dsp.Status


def _judgeable(reader: AudioReader, path: Path) -> None:
    audio = reader.format
    if audio.channels > MIX_CHANNELS_MAX or audio.sample_rate_hz > METER_RATE_MAX_HZ:
        problem = f"{path.name} has {audio.channels} channels at {audio.sample_rate_hz} Hz"
        remedy = f"check a mono or stereo master of at most {METER_RATE_MAX_HZ} Hz"
        raise SourceError("SOURCE_NOT_JUDGED", problem, remedy, file=path.name)


def average_spectrum(path: Path) -> dsp.Spectrum:
    """Return a file's average spectrum, as a reference.

    Raises
    ------
    SourceError
        It cannot be read, or has more than two channels.
    """
    with open_audio(path) as reader:
        _judgeable(reader, path)
        meter = dsp.SpectrumMeter(reader.format.sample_rate_hz, reader.format.channels)
        while (block := reader.read(BLOCK_FRAMES)).shape[1]:
            meter.add(block)
    return meter.result()


def check_file(
    path: Path,
    *,
    reference: str | Path = "popular",
    codecs: Sequence[Codec] = (),
    targets: Iterable[dsp.Target] | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Judge how a master comes across elsewhere.

    Parameters
    ----------
    path : Path
        Mono or stereo audio.
    reference : str or Path
        Name of a reference curve, or another master's file.
    codecs : sequence of Codec
        What to send it through, of `tapelog_desk.codecs.available_codecs`.
    targets : iterable of Target, optional
        Platforms whose treatment is shown; the package's by default.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    SourceError
        It cannot be read whole, has too many channels, or is silent.
    DeskError
        ``CODEC_FAILED``.
    """
    shape = average_spectrum(reference) if isinstance(reference, Path) else reference
    shown = reference.name if isinstance(reference, Path) else reference
    with tempfile.TemporaryDirectory(prefix="tapelog-check-") as folder:
        raw = Path(folder, "source.f32")
        with open_audio(path) as reader:
            _judgeable(reader, path)
            audio = reader.format
            judging = Translator(audio.sample_rate_hz, audio.channels)
            _read(reader, judging, raw if codecs else None, progress)
            audio.length_frames = reader.frames_read
        try:
            report = judging.result(reference=shape, reference_name=shown, targets=targets)
        except dsp.AudioError as error:
            raise SourceError(
                "SOURCE_NOT_JUDGED", str(error), "check a file with sound in it", file=path.name
            ) from error
        found: tuple[CodecResult, ...] = ()
        for done, codec in enumerate(codecs):
            found += round_trips(
                raw, Path(folder), (codec,), sample_rate_hz=audio.sample_rate_hz, channels=audio.channels
            )
            if progress is not None:
                progress(READING_SHARE + (1.0 - READING_SHARE) * (done + 1) / len(codecs))
    checks = (*report.checks, *(_codec_check(one) for one in found))
    return Checked(path.name, audio, report, found, checks, worst(checks))


def _read(reader: AudioReader, judging: Translator, raw: Path | None, progress: Progress | None) -> None:
    share = 1.0 if raw is None else READING_SHARE
    try:
        file = None if raw is None else raw.open("wb")
        try:
            while (block := reader.read(BLOCK_FRAMES)).shape[1]:
                judging.add(block)
                if file is not None:
                    file.write(np.ascontiguousarray(block.T, dtype="<f4").tobytes())
                if progress is not None:
                    progress(share * min(reader.frames_read / max(reader.declared_frames, reader.frames_read), 1.0))
        finally:
            if file is not None:
                file.close()
    except OSError as error:
        problem = f"no temporary file can be written: {error.strerror or error}"
        raise OutputError("OUTPUT_NOT_WRITABLE", problem, "free some space, or leave the codecs out") from error


def _codec_check(result: CodecResult) -> dsp.Check:
    samples = "1 sample" if result.clipped_samples == 1 else f"{result.clipped_samples} samples"
    words = f"{samples} over full scale, {result.loudness_change_lu:+.2f} LU"
    title = f"True peak after {result.codec.title}"
    return judge("codec_peak", result.true_peak_dbtp, detail=words, title=title)


PROFILES: Final = ("mono_", "device_")
"""Checks of the core that are about playback, and no matter of platforms, codecs or tonal balance."""
STATUSES: Final = {
    dsp.Status.PASS: pb.TRANSLATION_STATUS_PASS,
    dsp.Status.WARN: pb.TRANSLATION_STATUS_WARN,
    dsp.Status.FAIL: pb.TRANSLATION_STATUS_FAIL,
}


def translation_of(path: Path) -> list[pb.TranslationCheck]:
    """Return how a master comes across on every playback profile; nothing where it cannot be judged.

    Silence, more than two channels and rates above the meters' have no such judgement.
    """
    try:
        checked = check_file(path)
    except SourceError:
        return []
    return [
        pb.TranslationCheck(
            profile=one.name.removeprefix("device_").replace("_", "-"),
            title=one.title,
            status=STATUSES[one.status],
            value=one.value if math.isfinite(one.value) else None,
            limit=one.fail,
            unit=one.unit,
            detail=one.detail,
        )
        for one in checked.report.checks
        if one.name.startswith(PROFILES)
    ]


def _number(value: float, digits: int = 3) -> float | None:
    return round(value, digits) + 0.0 if math.isfinite(value) else None


def _series(first_s: float, values: Samples) -> dict[str, Any]:
    return {"first_s": first_s, "step_s": 0.1, "values": [_number(value) for value in values.tolist()]}


def _numbers(report: dsp.TranslationReport) -> dict[str, Any]:
    loudness, peaks, levels = report.measurement.loudness, report.measurement.true_peak, report.levels
    return {
        "integrated_lufs": _number(loudness.integrated_lufs),
        "loudness_range_lu": _number(loudness.range_lu),
        "max_momentary_lufs": _number(loudness.momentary_max_lufs),
        "max_short_term_lufs": _number(loudness.short_term_max_lufs),
        "true_peak_dbtp": _number(peaks.max_dbtp),
        "sample_peak_dbfs": _number(peaks.sample_peak_dbfs),
        "plr_lu": _number(report.plr_lu),
        "psr_p10_lu": _number(report.psr_p10_lu),
        "crest_db": _number(levels.crest_db),
        "rms_dbfs": _number(levels.rms_dbfs),
        "noise_floor_dbfs": _number(levels.noise_floor_dbfs),
        "dc": [_number(offset, 6) for offset in levels.dc],
        "correlation": _number(levels.correlation),
        "correlation_p5": _number(levels.correlation_p5),
        "side_to_mid_db": _number(levels.side_to_mid_db),
        "balance_db": _number(levels.balance_db),
    }


def _devices(report: dsp.TranslationReport) -> list[dict[str, Any]]:
    return [
        {
            "name": one.device.name,
            "version": one.device.version,
            "status": one.device.status,
            "loudness_change_lu": _number(one.loudness_change_lu),
            "lost_against_pink_lu": _number(one.lost_against_pink_lu),
            "bands": {name: _number(change) for name, change in one.bands},
        }
        for one in report.devices
    ]


def _platforms(report: dsp.TranslationReport) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "status": one.status,
            "target_lufs": one.target_lufs,
            "gain_db": _number(one.gain_db),
            "held_back_db": _number(one.held_back_db),
            "limiter_db": _number(one.limiter_db),
            "loudness_lufs": _number(one.loudness_lufs),
            "true_peak_dbtp": _number(one.true_peak_dbtp),
        }
        for one in report.platforms
    ]


def _codecs(checked: Checked) -> list[dict[str, Any]]:
    return [
        {
            "name": one.codec.name,
            "true_peak_dbtp": _number(one.true_peak_dbtp),
            "clipped_samples": one.clipped_samples,
            "loudness_change_lu": _number(one.loudness_change_lu),
            "offset_frames": one.offset_frames,
            "residual_db": {name: _number(level) for name, level in one.residual},
        }
        for one in checked.codecs
    ]


def check_json(checked: Checked) -> dict[str, Any]:
    """Return a judged file as JSON values, in the form `SCHEMA`."""
    report, audio = checked.report, checked.format
    levels = report.levels
    return {
        "schema": SCHEMA,
        "engine_version": dsp.ENGINE_VERSION,
        "file": checked.name,
        "format": {
            "sample_rate_hz": audio.sample_rate_hz,
            "channels": audio.channels,
            "length_frames": audio.length_frames,
        },
        "status": checked.status.value,
        "checks": [
            {
                "name": one.name,
                "title": one.title,
                "status": one.status.value,
                "value": _number(one.value),
                "unit": one.unit,
                "side": one.side,
                "warn": one.warn,
                "fail": one.fail,
                "detail": one.detail,
            }
            for one in checked.checks
        ],
        "numbers": _numbers(report),
        "mono": {
            "loudness_lost_lu": _number(report.mono.loudness_lost_lu),
            "voice_lost_db": _number(report.mono.voice_lost_db),
            "bands": {band.name: _number(band.lost_db) for band in report.mono.bands},
        },
        "devices": _devices(report),
        "platforms": _platforms(report),
        "balance": {
            "reference": report.balance.reference,
            "thirds_hz": [round(hz, 1) for hz in report.balance.thirds_hz],
            "level_db": [_number(level, 2) for level in report.balance.level_db],
            "reference_db": [_number(level, 2) for level in report.balance.reference_db],
            "bands": {name: _number(change) for name, change in report.balance.bands},
        },
        "codecs": _codecs(checked),
        "correlation": _series(0.4, levels.correlation_series),
        "psr_lu": _series(3.0, report.psr_lu),
    }
