"""Twin of ``pcm.c``, on NumPy's own generator of the same name."""

import math

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.pcm import FLOATS, Int32s


def dither(samples: Float64s, scale: float, key: tuple[int, int], start_frame: int) -> tuple[Int32s, Float64s, int]:
    """Round one channel with triangular dither out of Philox4x64-10."""
    whole = np.floor(samples * scale + _triangular(key, start_frame, samples.size) + 0.5)
    kept = np.clip(whole, -scale, scale - 1.0)
    return kept.astype(np.int32), kept * (1.0 / scale), int(np.count_nonzero(kept != whole))


def unpack_pcm(raw: bytes, sample_bytes: int, block: Float64s) -> None:
    """Write interleaved little-endian samples into planar ones."""
    channels = block.shape[0]
    if sample_bytes == FLOATS:
        block[:] = np.frombuffer(raw, dtype="<f4").reshape(-1, channels).T
        return
    for at in range(len(raw) // sample_bytes):
        word = int.from_bytes(raw[at * sample_bytes : (at + 1) * sample_bytes], "little", signed=True)
        block[at % channels, at // channels] = word / 2.0 ** (8 * sample_bytes - 1)


def pack_pcm(values: Int32s, sample_bytes: int) -> bytes:
    """Return whole numbers as interleaved little-endian bytes."""
    return b"".join(int(value).to_bytes(sample_bytes, "little", signed=True) for value in values.T.ravel())


def pack_floats(samples: Float64s) -> bytes:
    """Return samples as interleaved little-endian floats."""
    return samples.T.astype("<f4").tobytes()


def shaped_dither(
    samples: Float64s, scale: float, key: tuple[int, int], start_frame: int, *, taps: Float64s, errors: Float64s
) -> tuple[Int32s, Float64s, int]:
    """Do the same with error feedback, one sample at a time."""
    noise = _triangular(key, start_frame, samples.size).tolist()
    whole = np.empty(samples.size)
    past = errors.tolist()
    for n, x in enumerate(samples.tolist()):
        wanted = x * scale
        for tap, error in zip(taps.tolist(), past, strict=True):
            wanted -= tap * error
        whole[n] = math.floor(wanted + noise[n] + 0.5)
        past = [float(whole[n]) - wanted, *past[:-1]]
    errors[:] = past
    kept = np.clip(whole, -scale, scale - 1.0)
    return kept.astype(np.int32), kept * (1.0 / scale), int(np.count_nonzero(kept != whole))


def _triangular(key: tuple[int, int], start_frame: int, frames: int) -> Float64s:
    generator = np.random.Philox(key=np.array(key, dtype=np.uint64), counter=0)
    words = generator.random_raw(start_frame + frames)[start_frame:]
    high = (words >> np.uint64(32)).astype(np.float64)
    low = (words & np.uint64(0xFFFFFFFF)).astype(np.float64)
    noise: Float64s = (high - low) / 4294967296.0
    return noise
