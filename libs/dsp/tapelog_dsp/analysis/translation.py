"""Does it sound good everywhere: one call that judges a master on other loudspeakers, in mono and on platforms."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.analysis.balance import Balance, balance
from tapelog_dsp.analysis.devices import DeviceResult, bass_harmonics_db, on_device
from tapelog_dsp.analysis.platforms import PlatformPreview, previews
from tapelog_dsp.analysis.profiles import Device, Limit, load_devices
from tapelog_dsp.analysis.spectrum import Spectrum, SpectrumMeter
from tapelog_dsp.analysis.stereo import MonoFold, mono_fold
from tapelog_dsp.analysis.verdicts import Check, Status, judge, worst
from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.errors import AudioError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.meters.levels import LevelMeter, Levels
from tapelog_dsp.meters.meter import BLOCK_FRAMES, Measurement, Meter
from tapelog_dsp.targets import Target


@dataclass(frozen=True, slots=True, eq=False)
class TranslationReport:
    """Everything that was found, and the verdicts.

    Parameters
    ----------
    status : Status
        The worst of all checks.
    checks : tuple of Check
        Each with its number and its limits.
    measurement : Measurement
        Loudness and true peak.
    levels : Levels
        Crest, DC, noise floor, correlation over time.
    psr_lu : ndarray [shape=(steps,)]
        Peak to short-term loudness every 100 ms.
    plr_lu, psr_p10_lu : float
        Peak to integrated loudness, and the lowest tenth of PSR; NaN where there is nothing to measure.
    mono : MonoFold
        The fold-down.
    devices : tuple of DeviceResult
        On other loudspeakers.
    platforms : tuple of PlatformPreview
        What streaming platforms do to it.
    balance : Balance
        The spectrum beside its reference.
    spectrum : Spectrum
        The average spectrum itself.
    """

    status: Status
    checks: tuple[Check, ...]
    measurement: Measurement
    levels: Levels
    psr_lu: Float64s
    plr_lu: float
    psr_p10_lu: float
    mono: MonoFold
    devices: tuple[DeviceResult, ...]
    platforms: tuple[PlatformPreview, ...]
    balance: Balance
    spectrum: Spectrum


class Translator:
    """The report of a stream; memory grows by 6 MB per hour.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1 or 2.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._channels = channels
        self._meter = Meter(sample_rate, channels)
        self._levels = LevelMeter(sample_rate, channels)
        self._spectrum = SpectrumMeter(sample_rate, channels)
        self._frames = 0

    def add(self, samples: Audio) -> None:
        """Take the next block ``[channels, frames]``."""
        samples = valid_audio(samples, name="judged block", channels=self._channels)
        self._meter.add(samples)
        self._levels.add(samples)
        self._spectrum.add(samples)
        self._frames += samples.shape[1]

    def result(
        self,
        *,
        reference: str | Spectrum = "popular",
        reference_name: str = "reference",
        devices: Iterable[Device] | None = None,
        targets: Iterable[Target] | None = None,
    ) -> TranslationReport:
        """Return the report so far.

        Parameters
        ----------
        reference : str or Spectrum
            Name of a reference curve, or another master's average spectrum.
        reference_name : str
            How that master is called.
        devices, targets : iterable, optional
            Instead of all of the package's data.

        Raises
        ------
        AudioError
            Nothing has been measured, or nothing but digital silence.
        """
        measurement, levels, spectrum = self._meter.result(), self._levels.result(), self._spectrum.result()
        if levels.peak_dbfs == -math.inf:
            raise AudioError(f"there is nothing to judge in {self._frames} frames of silence")
        psr = levels.psr_lu(measurement.loudness.short_term_lufs)
        heard = np.sort(psr[np.isfinite(psr)])
        fold = mono_fold(spectrum, self._rate)
        chosen = load_devices().values() if devices is None else devices
        played = tuple(on_device(spectrum, self._rate, device) for device in chosen)
        shown = previews(measurement, targets)
        beside = balance(spectrum, reference, name=reference_name)
        p10 = float(heard[math.floor(0.10 * (heard.size - 1))]) if heard.size else math.nan
        checks = (
            *_signal_checks(measurement, levels, p10),
            *(_mono_checks(fold, levels) if self._channels == 2 else ()),
            *_device_checks(played, spectrum),
            _balance_check(beside),
            *_platform_checks(shown),
        )
        loudness = measurement.loudness.integrated_lufs
        return TranslationReport(
            status=worst(checks),
            checks=checks,
            measurement=measurement,
            levels=levels,
            psr_lu=psr,
            plr_lu=measurement.peak_to_loudness_lu if math.isfinite(loudness) else math.nan,
            psr_p10_lu=p10,
            mono=fold,
            devices=played,
            platforms=shown,
            balance=beside,
            spectrum=spectrum,
        )


def translate(samples: Audio, sample_rate: int, *, reference: str | Spectrum = "popular") -> TranslationReport:
    """Judge a whole master ``[channels, frames]``, mono or stereo; see `Translator.result`."""
    judging = Translator(sample_rate, samples.shape[0])
    for start in range(0, samples.shape[1], BLOCK_FRAMES):
        judging.add(samples[:, start : start + BLOCK_FRAMES])
    return judging.result(reference=reference)


def _signal_checks(measurement: Measurement, levels: Levels, psr_p10_lu: float) -> tuple[Check, ...]:
    largest = max(abs(offset) for offset in levels.dc)
    return (
        judge("true_peak", measurement.true_peak.max_dbtp),
        judge("psr", psr_p10_lu),
        judge("dc", 20.0 * math.log10(max(largest, 1e-10))),
    )


def _mono_checks(fold: MonoFold, levels: Levels) -> tuple[Check, ...]:
    band = fold.worst_band
    return (
        judge("correlation", levels.correlation_p5),
        judge("mono_loudness", fold.loudness_lost_lu),
        judge("mono_voice", fold.voice_lost_db),
        judge("mono_band", band.lost_db, detail=f"{band.name}, {band.low_hz:g} to {band.high_hz:g} Hz"),
    )


def _device_checks(played: Iterable[DeviceResult], spectrum: Spectrum) -> Iterable[Check]:
    for result in played:
        device = result.device
        limit = Limit(
            name=f"device_{device.name.replace('-', '_')}",
            title=f"{device.title}: loudness lost beyond pink noise",
            unit="LU",
            side="above",
            warn=device.loudness_warn_lu,
            fail=device.loudness_fail_lu,
            source=f"profile {device.name} v{device.version}, {device.status}",
        )
        yield judge(limit.name, result.lost_against_pink_lu, limit=limit)
    yield judge("bass_harmonics", bass_harmonics_db(spectrum))


def _balance_check(beside: Balance) -> Check:
    band, difference = beside.worst_band
    words = f"{band}: {difference:+.1f} dB against {beside.reference}"
    return judge("balance", abs(difference), detail=words)


def _platform_checks(shown: Iterable[PlatformPreview]) -> Iterable[Check]:
    for one in shown:
        words = f"plays at {one.loudness_lufs:.1f} LUFS, {one.true_peak_dbtp:.1f} dBTP"
        title = f"{one.title}: turned down"
        yield judge("platform_loss", max(-one.gain_db, 0.0), detail=words, title=title)
