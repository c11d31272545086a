"""Measure the core against independent truth and write docs/accuracy.md with its plots: ``make accuracy``.

``--check`` measures again and fails where a file differs. Figures are rounded, so that the last bits of another
processor's mathematics cannot be seen.
"""

import math
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tapelog_dsp as dsp
from generated_files import ROOT, write_or_check
from plots import Axis, Plot
from tapelog_dsp.design import matched, response
from tapelog_dsp.testing import TORTURE, tone

Floats = npt.NDArray[np.float64]

DOCS = ROOT / "docs"
RATE = 44_100


def _prototype_db(frequency_hz: float, gain_db: float, q: float, at: Floats) -> Floats:
    """Return the analog bell (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1) in dB."""
    s, a = 1j * at / frequency_hz, 10.0 ** (gain_db / 40.0)
    response_db: Floats = 20.0 * np.log10(np.abs((s * s + s * a / q + 1.0) / (s * s + s / (a * q) + 1.0)))
    return response_db


def _bilinear(frequency_hz: float, gain_db: float, q: float) -> Floats:
    """Return the usual digital bell (R. Bristow-Johnson's cookbook), which most plug-ins have."""
    w, a = 2.0 * math.pi * frequency_hz / RATE, 10.0 ** (gain_db / 40.0)
    alpha, c = math.sin(w) / (2.0 * q), math.cos(w)
    a0 = 1.0 + alpha / a
    return np.array([[(1 + alpha * a) / a0, -2 * c / a0, (1 - alpha * a) / a0, -2 * c / a0, (1 - alpha / a) / a0]])


def equaliser() -> str:
    """Plot how far bells are from their analog prototypes."""
    at = np.geomspace(1_000.0, 0.45 * RATE, 160)
    marks = (1_000, 2_000, 5_000, 10_000, 20_000)
    plot = Plot(
        "Equaliser against its analog prototype, 44.1 kHz, to 0.45 of the rate",
        Axis("Hz", 1_000, 20_000, marks, logarithmic=True),
        Axis("error, dB", -4.5, 4.5, (-4, -2, 0, 2, 4)),
    )
    for frequency, gain, q in ((10_000.0, 6.0, 1.0), (16_000.0, 6.0, 0.7), (16_000.0, -6.0, 2.0)):
        want = _prototype_db(frequency, gain, q, at)
        name = f"{frequency / 1000:g} kHz {gain:+g} dB Q {q:g}"
        ours, usual = matched.bell(frequency, gain, q, RATE).reshape(-1, 5), _bilinear(frequency, gain, q)
        plot.line(name, at, np.array(response.magnitude_db(ours, at, RATE)) - want)
        plot.line("  bilinear", at, np.array(response.magnitude_db(usual, at, RATE)) - want)
    return plot.svg()


def limiter() -> tuple[str, list[str]]:
    """Plot the true peak over the ceiling on every meter, and return a table of the worst."""
    drives = (0.0, 3.0, 6.0, 9.0, 12.0)
    meters = ("itu48", "hann49", "long")
    worst = np.full((len(meters), len(drives)), -math.inf)
    rows = []
    for name, made in TORTURE.items():
        samples = made()
        for place, drive in enumerate(drives):
            meter = dsp.TruePeakMeter(48_000, len(samples))
            for block in dsp.limit_blocks([samples], sample_rate=48_000, drive_db=drive):
                meter.add(block)
            read = meter.result()
            over = np.array([getattr(read, f"{kind}_dbtp") for kind in meters]) + 1.0
            worst[:, place] = np.maximum(worst[:, place], over)
            if drive == drives[-1]:
                rows.append(
                    f"| {name} | " + " | ".join(f"{round(float(value), 3) + 0.0:+.3f}" for value in over) + " |"
                )
    plot = Plot(
        "Limiter at -1 dBTP: worst true peak over the ceiling, five hard signals",
        Axis("drive, dB", 0, 12, drives),
        Axis("dB over", -0.1, 0.1, (-0.1, -0.05, 0, 0.05, 0.1)),
    )
    for kind, values in zip(("ITU 48 taps", "Hann 49 taps", "16-fold"), worst, strict=True):
        plot.line(kind, drives, values)
    plot.line("promise", drives, [0.05] * len(drives))
    return plot.svg(), rows


def _quiet_tone(level_db: float, frames: int) -> Floats:
    wave: Floats = 10.0 ** (level_db / 20.0) * np.sin(2.0 * np.pi * 997.0 / 48_000 * np.arange(frames))
    return wave


def dither() -> tuple[str, str]:
    """Plot the spectrum of the error at 16 bits, and how a tone below the last bit keeps its level."""
    frames, size = 1 << 18, 1 << 12
    at = np.fft.rfftfreq(size, 1.0 / 48_000)[4:]
    marks = (100, 1_000, 10_000, 20_000)
    spectrum = Plot(
        "Error of 16-bit dither, 48 kHz, density relative to one step of white triangular dither",
        Axis("Hz", 50, 24_000, marks, logarithmic=True),
        Axis("dB", -30, 30, (-30, -20, -10, 0, 10, 20, 30)),
    )
    samples = _quiet_tone(-20.0, frames)[None]
    bands = np.geomspace(50.0, 24_000.0, 90)
    for name in ("none", "lipshitz-5", "f-weighted-9"):
        maker = dsp.Dither(bits=16, digest=b"\7" * 32, channels=1, shaping=name, sample_rate=48_000)
        error = (maker.process(samples)[1] - samples)[0] * 32_768.0
        window = np.hanning(size)
        power = np.square(np.abs(np.fft.rfft(error.reshape(-1, size) * window, axis=1))).mean(axis=0)[4:]
        density = 10.0 * np.log10(power / (0.25 * np.square(window).sum()))
        smooth = [
            float(density[(at >= low) & (at < low * 1.12)].mean())
            for low in bands
            if ((at >= low) & (at < low * 1.12)).any()
        ]
        places = [float(low) for low in bands if ((at >= low) & (at < low * 1.12)).any()]
        spectrum.line("white" if name == "none" else name, places, smooth)
    linearity = Plot(
        "Level of a 997 Hz tone after 16-bit dither: a step is at -90.3 dBFS",
        Axis("level in, dBFS", -120, -60, (-120, -110, -100, -90, -80, -70, -60)),
        Axis("error, dB", -3, 3, (-3, -2, -1, 0, 1, 2, 3)),
    )
    levels = np.arange(-116.0, -59.0, 4.0)
    frames = 1 << 21
    reference = np.exp(-2j * np.pi * 997.0 / 48_000 * np.arange(frames))
    errors = []
    for level in levels:
        made = dsp.Dither(bits=16, digest=b"\5" * 32, channels=1).process(_quiet_tone(level, frames)[None])[1][0]
        errors.append(20.0 * math.log10(2.0 * abs((made * reference).sum()) / frames) - level)
    linearity.line("with dither", levels, errors)
    return spectrum.svg(), linearity.svg()


def resampler() -> str:
    """Plot what a 48 kHz to 44.1 kHz conversion lets through, and what folds back."""
    plot = Plot(
        "Resampling 48 kHz to 44.1 kHz: level of what comes out for a tone that goes in",
        Axis("Hz in", 16_000, 24_000, (16_000, 18_000, 20_000, 22_000, 24_000)),
        Axis("dB", -180, 10, (-180, -150, -120, -90, -60, -30, 0)),
    )
    tones, levels = np.arange(16_000.0, 24_000.0, 125.0), []
    for frequency in tones:
        index = np.arange(24_000)
        samples = np.sin(2.0 * np.pi * frequency / 48_000 * index)[None] * np.hanning(index.size)
        out = dsp.resample(samples, 48_000, RATE)
        energy = np.square(out).sum() * 48_000 / RATE / np.square(samples).sum()
        levels.append(max(10.0 * math.log10(max(float(energy), 1e-30)), -180.0))
    plot.line("energy out", tones, levels)
    plot.line("half of 44.1 kHz", [22_050.0, 22_050.0], [-180.0, 10.0])
    return plot.svg()


def loudness() -> list[str]:
    """Return a table of the standard's signals and what the meter reads."""
    cases = (
        ("Tech 3341 case 1: I", "integrated_lufs", -23.0, [(20, -23)], "0.1"),
        ("Tech 3341 case 2: I", "integrated_lufs", -33.0, [(20, -33)], "0.1"),
        ("Tech 3341 case 3: I", "integrated_lufs", -23.0, [(10, -36), (60, -23), (10, -36)], "0.1"),
        (
            "Tech 3341 case 4: I",
            "integrated_lufs",
            -23.0,
            [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)],
            "0.1",
        ),
        ("Tech 3341 case 5: I", "integrated_lufs", -23.0, [(20, -26), (20.1, -20), (20, -26)], "0.1"),
        ("Tech 3341 case 9: largest S", "short_term_max_lufs", -23.0, [(1.34, -20), (1.66, -30)] * 5, "0.1"),
        ("Tech 3341 case 12: largest M", "momentary_max_lufs", -23.0, [(0.18, -20), (0.22, -30)] * 25, "0.1"),
        ("Tech 3342 case 1: LRA", "range_lu", 10.0, [(20, -20), (20, -30)], "1"),
        ("Tech 3342 case 2: LRA", "range_lu", 5.0, [(20, -20), (20, -15)], "1"),
        ("Tech 3342 case 3: LRA", "range_lu", 20.0, [(20, -40), (20, -20)], "1"),
        ("Tech 3342 case 4: LRA", "range_lu", 15.0, [(20, -50), (20, -35), (20, -20), (20, -35), (20, -50)], "1"),
    )
    rows = []
    for title, figure, wanted, segments, tolerance in cases:
        meter = dsp.LoudnessMeter(48_000, 2)
        meter.add(tone(segments))
        read = getattr(meter.result(), figure)
        rows.append(f"| {title} | {wanted:g} | {read:.3f} | {read - wanted:+.3f} | {tolerance} |")
    return rows


def files() -> dict[Path, str]:
    """Return every file of the page."""
    peaks, worst = limiter()
    spectrum, linearity = dither()
    plots = {
        "equaliser": equaliser(),
        "limiter": peaks,
        "dither": spectrum,
        "linearity": linearity,
        "resampler": resampler(),
    }
    words = {
        "equaliser": "Bells match the analog curve up to half the sample rate; the bilinear transform bends them.",
        "limiter": "Five signals that break limiters, driven up to 12 dB further: no meter reads 0.05 dB over.",
        "dither": "White dither errs alike at every frequency; shaped dither moves the error to where the ear is deaf.",
        "linearity": "A tone far below the last bit comes out at its level: dither makes the rounding linear.",
        "resampler": "What the lower rate cannot hold is gone before it could fold back; up to 20 kHz nothing is lost.",
    }
    page = [
        "# Accuracy, measured",
        "",
        "Written by `make accuracy` from the code as it is; `tests/conformance` holds it to its promises.",
        "",
        "## Loudness",
        "",
        "| Signal | Expected | Read | Error | Tolerance |",
        "|---|---|---|---|---|",
        *loudness(),
    ]
    for name in plots:
        page += ["", f"## {name.capitalize()}", "", words[name], "", f"![{name}](plots/{name}.svg)"]
        if name == "limiter":
            page += [
                "",
                "dB over the ceiling at 12 dB of drive:",
                "",
                "| Signal | ITU 48 taps | Hann 49 taps | 16-fold |",
            ]
            page += ["|---|---|---|---|", *worst]
    made = {DOCS / "plots" / f"{name}.svg": text for name, text in plots.items()}
    return {**made, DOCS / "accuracy.md": "\n".join([*page, ""])}


def main() -> int:
    """Write the files, or compare them."""
    return write_or_check(files(), __doc__)


if __name__ == "__main__":
    sys.exit(main())
