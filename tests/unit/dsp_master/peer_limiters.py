"""Run another project's limiter over a .npy file, in an interpreter that has it; the bench calls this.

Usage: ``python peer_limiters.py NAME CEILING_DBTP RATE_HZ IN.npy OUT.npy``
"""

import sys
from typing import Any

import numpy as np


def limited(name: str, samples: Any, rate: int, ceiling_dbtp: float) -> Any:
    """Return the samples behind a limiter with its defaults but for the ceiling."""
    if name == "libsonare-true-peak":
        import libsonare

        settings = {"ceilingDb": ceiling_dbtp}
        result = libsonare.mastering_process_stereo("maximizer.truePeakLimiter", *samples, rate, settings)
        return np.stack((np.asarray(result.left), np.asarray(result.right)))
    import pedalboard

    limiter = pedalboard.BrickwallLimiter(ceiling_db=ceiling_dbtp, true_peak=name == "pedalboard-true-peak")
    return pedalboard.Pedalboard([limiter])(samples, rate)


if __name__ == "__main__":
    which, ceiling, rate_hz, source, target = sys.argv[1:]
    wave = np.load(source).astype(np.float32)
    np.save(target, np.asarray(limited(which, wave, int(rate_hz), float(ceiling)), dtype=np.float64))
