"""What lossy codecs do to a master: a round trip through each encoder that ffmpeg has here."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tapelog_dsp import Meter, SpectrumMeter
from tapelog_dsp.analysis.bands import BANDS_HZ, decibels

from tapelog_desk.errors import DeskError
from tapelog_desk.limits import BLOCK_FRAMES

Raw = npt.NDArray[np.float32]

TIMEOUT_S: Final = 600
"""One encoding or decoding; an hour of stereo takes about a minute. A hang must end."""

LISTING_TIMEOUT_S: Final = 30

ALIGN_FRAMES: Final = 8_192
"""How far a decoder may be late or early before its output is given up on."""

EXCERPT_FRAMES: Final = 1 << 17
"""Length of the excerpt that source and decoded file are aligned by."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One encoder with its rate.

    Attributes
    ----------
    name, title : str
        The key, and what a person calls it.
    encoder, extension : str
        Of ffmpeg, and of the file.
    kilobits : int
        Per second.
    """

    name: str
    title: str
    encoder: str
    extension: str
    kilobits: int


CODECS: Final = (
    Codec("aac-256", "AAC 256 kbit/s", "aac", "m4a", 256),
    Codec("aac-128", "AAC 128 kbit/s", "aac", "m4a", 128),
    Codec("mp3-320", "MP3 320 kbit/s", "libmp3lame", "mp3", 320),
    Codec("mp3-128", "MP3 128 kbit/s", "libmp3lame", "mp3", 128),
    Codec("opus-96", "Opus 96 kbit/s", "libopus", "opus", 96),
)


@dataclass(frozen=True, slots=True)
class CodecResult:
    """A master after one codec.

    Attributes
    ----------
    codec : Codec
        Which.
    true_peak_dbtp : float
        Of what a decoder gives before it clips.
    clipped_samples : int
        Samples that a fixed-point decoder would clip.
    loudness_change_lu : float
        Against the source.
    offset_frames : int
        How late the decoded file is; taken off before comparing.
    residual : tuple of (str, float)
        Per band: what differs, in dB below the band's own level.
    """

    codec: Codec
    true_peak_dbtp: float
    clipped_samples: int
    loudness_change_lu: float
    offset_frames: int
    residual: tuple[tuple[str, float], ...]


def available_codecs() -> tuple[Codec, ...]:
    """Return the codecs that ffmpeg on the PATH can encode; none where there is no ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        return ()
    listed = subprocess.run(
        [program, "-hide_banner", "-encoders"], capture_output=True, text=True, timeout=LISTING_TIMEOUT_S, check=False
    )
    known = {words[1] for line in listed.stdout.splitlines() if len(words := line.split()) > 1}
    return tuple(codec for codec in CODECS if codec.encoder in known)


def _run(*arguments: str) -> None:
    program = shutil.which("ffmpeg") or "ffmpeg"
    command = [program, "-nostdin", "-v", "error", "-y", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        problem = f"ffmpeg did not finish within {TIMEOUT_S} s"
        raise DeskError("CODEC_FAILED", problem, "leave the codecs out (--no-codec)") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeskError("CODEC_FAILED", f"ffmpeg failed: {reason}", "leave the codecs out (--no-codec)")


def round_trip(source: Path, folder: Path, codec: Codec, *, sample_rate_hz: int, channels: int) -> CodecResult:
    """Encode and decode a raw float32 file, interleaved, and compare.

    Parameters
    ----------
    source : Path
        The raw file.
    folder : Path
        For two temporary files as long as it.
    codec : Codec
        One of `available_codecs`.
    sample_rate_hz, channels : int
        Of the source.

    Raises
    ------
    DeskError
        ``CODEC_FAILED``: ffmpeg failed, hung, or gave something else back.
    """
    coded, decoded = folder / f"coded.{codec.extension}", folder / "decoded.f32"
    raw = ["-f", "f32le", "-ar", str(sample_rate_hz), "-ac", str(channels)]
    _run(*raw, "-i", str(source), "-c:a", codec.encoder, "-b:a", f"{codec.kilobits}k", str(coded))
    _run("-i", str(coded), *raw, str(decoded))
    try:
        before, after = (np.memmap(path, dtype="<f4", mode="r").reshape(-1, channels) for path in (source, decoded))
        offset = _offset(before, after)
        return _compare(before, after, codec, offset=offset, sample_rate_hz=sample_rate_hz)
    finally:
        coded.unlink(missing_ok=True)
        decoded.unlink(missing_ok=True)


def _offset(before: Raw, after: Raw) -> int:
    """Return how late the decoded file is, by the peak of the cross-correlation around the middle."""
    start = max((len(before) - EXCERPT_FRAMES) // 2, 0)
    one = before[start : start + EXCERPT_FRAMES].mean(axis=1, dtype=np.float64)
    first = max(start - ALIGN_FRAMES, 0)
    other = after[first : start + EXCERPT_FRAMES + ALIGN_FRAMES].mean(axis=1, dtype=np.float64)
    size = 1 << (len(one) + len(other) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)), size)
    lags = np.concatenate((product[: 2 * ALIGN_FRAMES + 1], product[-ALIGN_FRAMES:]))
    best = int(lags.argmax())
    place = best if best <= 2 * ALIGN_FRAMES else best - len(lags)
    return place - (start - first)


def _compare(before: Raw, after: Raw, codec: Codec, *, offset: int, sample_rate_hz: int) -> CodecResult:
    channels = before.shape[1]
    source, got = (Meter(sample_rate_hz, channels) for _ in range(2))
    spectrum, difference = (SpectrumMeter(sample_rate_hz, channels) for _ in range(2))
    first = max(-offset, 0)
    length = min(len(before), len(after) - offset) - first
    if length <= 0:
        raise DeskError("CODEC_FAILED", f"{codec.title} gave nothing back", "leave the codecs out (--no-codec)")
    clipped = 0
    for start in range(first, first + length, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, first + length)
        one, other = (
            np.ascontiguousarray(rows.T, dtype=np.float64)
            for rows in (before[start:stop], after[start + offset : stop + offset])
        )
        source.add(one)
        got.add(other)
        spectrum.add(one)
        difference.add(other - one)
        clipped += int(np.count_nonzero(np.abs(other) > 1.0))
    own, left = spectrum.result(), difference.result()
    residual = tuple(
        (name, decibels(left.power(left.stereo, *edges)) - decibels(own.power(own.stereo, *edges)))
        for name, edges in BANDS_HZ.items()
        if edges[0] < 0.4 * sample_rate_hz
    )
    change = got.result().loudness.integrated_lufs - source.result().loudness.integrated_lufs
    return CodecResult(codec, got.result().true_peak.max_dbtp, clipped, change, offset, residual)


def round_trips(
    source: Path, folder: Path, codecs: Sequence[Codec], *, sample_rate_hz: int, channels: int
) -> tuple[CodecResult, ...]:
    """Return what each codec does to a raw float32 file; see `round_trip`."""
    return tuple(
        round_trip(source, folder, codec, sample_rate_hz=sample_rate_hz, channels=channels) for codec in codecs
    )
