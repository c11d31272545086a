"""The one gatekeeper for audio buffers, and the rounding between nodes of the mix graph."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tapelog_parameters import SETTINGS

from tapelog_dsp.errors import AudioError, ParameterError
from tapelog_dsp.kernels.console import magnitude

Audio = npt.NDArray[np.float64]
"""Audio inside the core: float64, C-contiguous, ``[channels, frames]``."""

SAMPLE_RATE_MIN_HZ: Final = int(SETTINGS["Mix"]["sample_rate"].low)
SAMPLE_RATE_MAX_HZ: Final = int(SETTINGS["Mix"]["sample_rate"].high)
"""The rates that the meters and filters are re-derived and tested for."""


def valid_audio(
    samples: npt.NDArray[Any],
    *,
    name: str = "audio",
    channels: int | Sequence[int] | None = None,
    frames: int | None = None,
) -> Audio:
    """Check a buffer at the edge of the core; inner functions trust it afterwards.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        float32 or float64 samples, full scale 1.0.
    name : str
        How the error message calls the buffer, for example the track's id.
    channels, frames : int, optional
        What the shape has to be; several channel counts may be allowed.

    Returns
    -------
    ndarray [shape=(channels, frames)]
        The same values as C-contiguous float64; the same object when it already is.

    Raises
    ------
    AudioError
        The buffer is no float array, has another shape, or holds NaN or infinity. The message names the first bad value
        and its place.
    """
    if not isinstance(samples, np.ndarray) or samples.dtype not in (np.float32, np.float64):
        kind = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        raise AudioError(f"{name}: samples must be a float32 or float64 array, got {kind}")
    if samples.ndim != 2:
        raise AudioError(f"{name}: samples must have the shape [channels, frames], got {samples.shape}")
    allowed = (channels,) if isinstance(channels, int) else channels
    if allowed is not None and samples.shape[0] not in allowed:
        wanted = " or ".join(str(count) for count in allowed)
        raise AudioError(f"{name}: must have {wanted} channels, got shape {samples.shape}")
    if frames is not None and samples.shape[1] != frames:
        raise AudioError(f"{name}: must have {frames} frames, got shape {samples.shape}")
    whole = np.ascontiguousarray(samples, dtype=np.float64)
    if magnitude(whole) == np.inf:
        finite = np.isfinite(samples)
        channel, frame = (int(index) for index in np.argwhere(~finite)[0])
        raise AudioError(
            f"{name}: samples are not finite everywhere: {samples[channel, frame]} in channel {channel} "
            f"at frame {frame} ({int(finite.size - finite.sum())} in all)"
        )
    return whole


def valid_sample_rate(sample_rate: int, *, name: str = "sample_rate") -> int:
    """Return the rate in Hz, or raise `ParameterError` when the core is not defined for it."""
    if not isinstance(sample_rate, int) or not SAMPLE_RATE_MIN_HZ <= sample_rate <= SAMPLE_RATE_MAX_HZ:
        raise ParameterError(
            name, sample_rate, f"a whole number of Hz from {SAMPLE_RATE_MIN_HZ} to {SAMPLE_RATE_MAX_HZ}"
        )
    return sample_rate


def round_to_float32(samples: Audio) -> Audio:
    """Round to the float32 grid, kept as float64: what passes between nodes of the mix graph."""
    return samples.astype(np.float32).astype(np.float64)
