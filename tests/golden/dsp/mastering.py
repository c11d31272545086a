"""Run every mastering processor over a programme, and print the digest of each result as JSON."""

import hashlib
import json
import sys

import numpy as np
from tapelog_dsp import (
    Audio,
    BandDynamics,
    Bell,
    Clipper,
    CurveEq,
    Dither,
    Exciter,
    Fade,
    HighShelf,
    LinearPhaseEq,
    LowShelf,
    MonoMaker,
    Multiband,
    TruePeakLimiter,
    limit_blocks,
)
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.testing import programme

RATE = 44_100
PROCESSORS = {
    "multiband": Multiband(
        (120.0, 600.0, 4_000.0), tuple(BandDynamics(-30.0, 2.0 + k, gain_db=0.5 * k) for k in range(4))
    ),
    "clipper": Clipper(-9.0, 3.0),
    "exciter": Exciter(2_500.0, 18.0, -3.0, 0.4),
    "linear-phase eq": LinearPhaseEq((LowShelf(90.0, 2.0), Bell(3_000.0, -3.0, 1.5), HighShelf(9_000.0, 2.0))),
    "curve, minimum phase": CurveEq(((40.0, 3.0), (300.0, -2.0), (2_000.0, 1.0), (12_000.0, 4.0))),
    "mono-maker": MonoMaker(120.0),
}


def digest(samples: Audio) -> str:
    """Return the SHA-256 of an array."""
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def main() -> None:
    """Print the digests."""
    # Written as whole numbers first: the generator's last bits may differ between machines, a recording's do not.
    source = np.round(programme(3.0, sample_rate=RATE) * 2.0**15) / 2.0**16
    digests = {}
    for name, spec in PROCESSORS.items():
        digests[name] = digest(np.concatenate(list(run_aligned(spec.prepare(RATE, 2), [source])), axis=1))
    faded = list(Fade(0.5, 1.0, "equal-power").blocks([source], sample_rate=RATE, length_frames=source.shape[1]))
    limited = list(limit_blocks(faded, sample_rate=RATE, drive_db=9.0, limiter=TruePeakLimiter(-0.3)))
    digests["fade and limiter"] = digest(np.concatenate(limited, axis=1))
    for shaping in ("lipshitz-5", "f-weighted-9"):
        dither = Dither(bits=16, digest=b"\x2a" * 32, channels=2, shaping=shaping, sample_rate=RATE)
        digests[f"dither {shaping}"] = digest(dither.process(np.concatenate(limited, axis=1))[0])
    json.dump(digests, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
