"""The mastering room's numbers: fades, matching, the search for a loudness, albums, targets."""

from typing import Final

from tapelog_parameters.model import Parameter

_LOUDNESS: Final = Parameter("LUFS", -60.0, 0.0, None)
_REDUCTION: Final = Parameter("dB", 0.0, 40.0, 12.0)

MASTERING: Final[dict[str, dict[str, Parameter]]] = {
    "Fade": {"in_s": Parameter("s", 0.0, 60.0), "out_s": Parameter("s", 0.0, 60.0)},
    "MatchSettings": {
        "max_gain_db": Parameter("dB", 0.0, 12.0, 12.0),
        "strength": Parameter("", 0.0, 1.0, 1.0),
    },
    "DriveSearch": {
        "target_lufs": _LOUDNESS,
        "tolerance_lu": Parameter("LU", 0.05, 60.0, 0.1),
        "reduction_max_db": _REDUCTION,
    },
    "AlbumSong": {"trim_db": Parameter("dB", -12.0, 12.0)},
    "AlbumAim": {
        "target_lufs": _LOUDNESS,
        "tolerance_lu": Parameter("LU", 0.05, 3.0, 0.1),
        "reduction_max_db": _REDUCTION,
    },
    "Target": {
        "integrated_lufs": _LOUDNESS,
        "true_peak_dbtp": Parameter("dBTP", -24.0, 0.0, None),
        "tolerance_lu": Parameter("LU", 0.0, 10.0, None),
        "sample_rate_hz": Parameter("Hz", 8_000, 192_000, None),
        "bits": Parameter("bits", 16, 32, None, choices=(16, 24, 32)),
    },
}
"""Thing -> setting -> parameter; the mastering inserts stand with all others in `processors`."""
