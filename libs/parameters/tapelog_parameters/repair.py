"""The numbers of the repairs."""

from typing import Final

from tapelog_parameters.model import Parameter

REPAIRS: Final[dict[str, dict[str, Parameter]]] = {
    "DcSettings": {"smallest": Parameter("", 0.0001, 0.1, 0.001)},
    "ClipSettings": {"runs": Parameter("", 2, 1_000, 8)},
    "DropoutSettings": {"longest_fill_ms": Parameter("ms", 1.0, 60.0, 40.0)},
    "RumbleSettings": {
        "hump_db": Parameter("dB", 6.0, 40.0, 13.0),
        "share_db": Parameter("dB", -60.0, -10.0, -32.0),
    },
    "ClickSettings": {
        "threshold": Parameter("", 4.0, 50.0, 9.0),
        "isolation": Parameter("", 3.0, 50.0, 6.0),
        "explained": Parameter("", 1.5, 20.0, 2.5),
    },
    "HumSettings": {
        "lowest_hz": Parameter("Hz", 45.0, 65.0, 45.0),
        "highest_hz": Parameter("Hz", 45.0, 65.0, 65.0),
        "harmonics": Parameter("", 1, 40, 24),
    },
    "PlosiveSettings": {"crossover_hz": Parameter("Hz", 80.0, 200.0, 130.0)},
    "NoiseSettings": {"floor_db": Parameter("dB", -40.0, -6.0, -26.0)},
}
"""Settings of a repair -> setting -> parameter."""
