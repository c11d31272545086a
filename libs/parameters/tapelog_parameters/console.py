"""The console's own numbers: faders, pans, the mix."""

from typing import Final

from tapelog_parameters.model import Parameter, Smoothing

_FADER: Final = Parameter("dB", -144.0, 24.0, smoothing=Smoothing.SAMPLE)
_PAN: Final = Parameter("", -1.0, 1.0, smoothing=Smoothing.SAMPLE)

CONSOLE: Final[dict[str, dict[str, Parameter]]] = {
    "Fader": {"gain_db": _FADER},
    "Pan": {"pan": _PAN},
    "Strip": {
        "gain_db": _FADER,
        "pan": _PAN,
        "pan_right": Parameter("", -1.0, 1.0, None),
        "start_frame": Parameter("frames", 0, 4 * 3600 * 192_000, 0),
    },
    "Mix": {
        "sample_rate": Parameter("Hz", 8_000, 192_000, None),
        "gain_db": _FADER,
        "tail_s": Parameter("s", 0.0, 30.0, None),
    },
}
"""Thing -> setting -> parameter. A fader at its bottom is closed."""
