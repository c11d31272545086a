"""Every processor's settings, under the name of its class in the core and of its message in a recipe."""

from typing import Final

from tapelog_parameters.model import Parameter, Smoothing

_GRID: Final = Smoothing.GRID
_MIX: Final = Parameter("", 0.0, 1.0, 1.0, smoothing=_GRID)
_SLOPE: Final = Parameter("dB/octave", 6, 48, 12, choices=(6, 12, 18, 24, 30, 36, 42, 48), recipe_name="slope_db_oct")
_ATTACK: Final = Parameter("ms", 0.0, 500.0, 10.0, smoothing=_GRID)
_RELEASE: Final = Parameter("ms", 1.0, 5_000.0, 120.0, smoothing=_GRID)
_THRESHOLD: Final = Parameter("dBFS", -80.0, 0.0, smoothing=_GRID)


def _corner(name: str, *, moving: bool = True) -> Parameter:
    smoothing = _GRID if moving else Smoothing.FIXED
    return Parameter("Hz", 10.0, 0.45, None, high_is_share_of_rate=True, smoothing=smoothing, recipe_name=name)


def _optional_filter(name: str) -> Parameter:
    return Parameter("Hz", 10.0, 20_000.0, zero_is_off=True, smoothing=_GRID, recipe_name=name)


PROCESSORS: Final[dict[str, dict[str, Parameter]]] = {
    "Polarity": {},
    "MidSide": {},
    "Gain": {"gain_db": Parameter("dB", -144.0, 48.0, smoothing=_GRID)},
    "TimeAlign": {"delay_ms": Parameter("ms", 0.0, 1_000.0, None)},
    "HighPass": {"cutoff_hz": _corner("frequency_hz"), "slope_db_per_octave": _SLOPE},
    "LowPass": {"cutoff_hz": _corner("frequency_hz"), "slope_db_per_octave": _SLOPE},
    "EqBand": {
        "frequency_hz": Parameter("Hz", 10.0, 0.49, None, high_is_share_of_rate=True, smoothing=_GRID),
        "gain_db": Parameter("dB", -24.0, 24.0, smoothing=_GRID),
        "q": Parameter("", 0.1, 40.0, 0.7071, smoothing=_GRID),
    },
    "Notch": {
        "frequency_hz": Parameter("Hz", 10.0, 0.49, None, high_is_share_of_rate=True, smoothing=_GRID),
        "q": Parameter("", 0.1, 200.0, 10.0, smoothing=_GRID),
    },
    "Compressor": {
        "threshold_db": _THRESHOLD,
        "ratio": Parameter("", 1.0, 100.0, 2.0, smoothing=_GRID),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
        "knee_db": Parameter("dB", 0.0, 30.0, 6.0, smoothing=_GRID),
        "makeup_db": Parameter("dB", -24.0, 36.0, smoothing=_GRID),
        "mix": _MIX,
        "sidechain_highpass_hz": _optional_filter("sidechain_high_pass_hz"),
        "sidechain_lowpass_hz": _optional_filter("sidechain_low_pass_hz"),
        "rms_ms": Parameter("ms", 0.0, 500.0),
        "lookahead_ms": Parameter("ms", 0.0, 20.0),
    },
    "Gate": {
        "threshold_db": Parameter("dBFS", -80.0, 0.0, -50.0, smoothing=_GRID),
        "hysteresis_db": Parameter("dB", 0.0, 24.0, 4.0, smoothing=_GRID),
        "range_db": Parameter("dB", 0.0, 96.0, 40.0, smoothing=_GRID),
        "ratio": Parameter("", 1.0, 100.0, 100.0, smoothing=_GRID),
        "attack_ms": Parameter("ms", 0.0, 500.0, 1.0, smoothing=_GRID),
        "hold_ms": Parameter("ms", 0.0, 2_000.0, 20.0, smoothing=_GRID),
        "release_ms": _RELEASE,
        "lookahead_ms": Parameter("ms", 0.0, 20.0),
        "sidechain_highpass_hz": _optional_filter("sidechain_high_pass_hz"),
        "sidechain_lowpass_hz": _optional_filter("sidechain_low_pass_hz"),
    },
    "DeEsser": {
        "frequency_hz": Parameter("Hz", 1_000.0, 0.45, 6_500.0, high_is_share_of_rate=True, smoothing=_GRID),
        "q": Parameter("", 0.3, 8.0, 1.0, smoothing=_GRID),
        "sensitivity_db": Parameter("dB", -40.0, 12.0, -10.0, smoothing=_GRID),
        "range_db": Parameter("dB", 0.0, 24.0, 8.0, smoothing=_GRID),
        "attack_ms": Parameter("ms", 0.0, 100.0, 1.0, smoothing=_GRID),
        "release_ms": Parameter("ms", 1.0, 1_000.0, 50.0, smoothing=_GRID),
    },
    "DynamicEq": {
        "frequency_hz": Parameter("Hz", 10.0, 0.45, None, high_is_share_of_rate=True, smoothing=_GRID),
        "q": Parameter("", 0.1, 20.0, 1.0, smoothing=_GRID),
        "threshold_db": _THRESHOLD,
        "ratio": Parameter("", 1.0, 100.0, 2.0, smoothing=_GRID),
        "range_db": Parameter("dB", -24.0, 24.0, -6.0, smoothing=_GRID),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
    },
    "TransientShaper": {
        "attack_db": Parameter("dB", -24.0, 24.0, smoothing=_GRID),
        "sustain_db": Parameter("dB", -24.0, 24.0, smoothing=_GRID),
    },
    "Saturation": {
        "drive_db": Parameter("dB", 0.0, 36.0, smoothing=_GRID),
        "bias": Parameter("", 0.0, 1.0, smoothing=_GRID),
        "output_db": Parameter("dB", -36.0, 12.0, smoothing=_GRID),
        "oversampling": Parameter("", 1, 8, 1, choices=(1, 2, 4, 8)),
    },
    "MonoMaker": {"frequency_hz": Parameter("Hz", 20.0, 1_000.0, 120.0, smoothing=_GRID)},
    "Multiband": {"splits_hz": Parameter("Hz", 20.0, 0.45, None, high_is_share_of_rate=True)},
    "BandDynamics": {
        "threshold_db": Parameter("dBFS", -80.0, 0.0, smoothing=_GRID),
        "ratio": Parameter("", 1.0, 100.0, 1.0, smoothing=_GRID),
        "attack_ms": Parameter("ms", 0.0, 500.0, 15.0, smoothing=_GRID),
        "release_ms": Parameter("ms", 1.0, 5_000.0, 120.0, smoothing=_GRID),
        "knee_db": Parameter("dB", 0.0, 30.0, 6.0, smoothing=_GRID),
        "gain_db": Parameter("dB", -24.0, 24.0, smoothing=_GRID),
        "range_db": Parameter("dB", 0.0, 60.0, 24.0, smoothing=_GRID),
        "mix": Parameter("", 0.0, 1.0, 1.0, smoothing=_GRID),
        "rms_ms": Parameter("ms", 0.0, 500.0),
    },
    "TruePeakLimiter": {
        "ceiling_dbtp": Parameter("dBTP", -24.0, 0.0, -1.0),
        "lookahead_ms": Parameter("ms", 1.0, 20.0, 3.0),
        "hold_ms": Parameter("ms", 0.0, 50.0, 8.0),
        "release_ms": Parameter("ms", 5.0, 2_000.0, 50.0),
    },
    "Clipper": {
        "ceiling_db": Parameter("dBFS", -24.0, 0.0, -1.0, smoothing=_GRID),
        "knee_db": Parameter("dB", 0.0, 12.0, 2.0, smoothing=_GRID),
    },
    "Exciter": {
        "frequency_hz": Parameter("Hz", 500.0, 16_000.0, 3_000.0, smoothing=_GRID),
        "drive_db": Parameter("dB", 0.0, 48.0, 12.0, smoothing=_GRID),
        "amount_db": Parameter("dB", -144.0, 12.0, -6.0, smoothing=_GRID),
        "even": Parameter("", 0.0, 1.0, 0.5, smoothing=_GRID),
    },
    "LinearPhaseEq": {"length_ms": Parameter("ms", 5.0, 300.0, 170.0)},
    "CurveEq": {"length_ms": Parameter("ms", 5.0, 300.0, 170.0)},
    "Delay": {
        "time_ms": Parameter("ms", 1.0, 5_000.0, None, zero_is_off=True, smoothing=_GRID),
        "feedback": Parameter("", 0.0, 0.95, smoothing=_GRID),
        "mix": Parameter("", 0.0, 1.0, 0.25, smoothing=_GRID),
        "highpass_hz": _optional_filter("high_pass_hz"),
        "lowpass_hz": _optional_filter("low_pass_hz"),
    },
    "PlateReverb": {
        "decay_s": Parameter("s", 0.1, 20.0, 1.8, smoothing=_GRID),
        "predelay_ms": Parameter("ms", 0.0, 500.0, recipe_name="pre_delay_ms", smoothing=_GRID),
        "damping_hz": Parameter("Hz", 200.0, 20_000.0, 6_000.0, recipe_name="-", smoothing=_GRID),
        "lowcut_hz": Parameter("Hz", 10.0, 2_000.0, 120.0, recipe_name="-", smoothing=_GRID),
        "bandwidth_hz": Parameter("Hz", 500.0, 20_000.0, 12_000.0, recipe_name="-", smoothing=_GRID),
        "size": Parameter("", 0.5, 1.5, 1.0, recipe_name="-"),
        "mix": Parameter("", 0.0, 1.0, 1.0, smoothing=_GRID),
    },
    "RoomReverb": {
        "decay_s": Parameter("s", 0.1, 20.0, 1.2, smoothing=_GRID),
        "predelay_ms": Parameter("ms", 0.0, 500.0, recipe_name="pre_delay_ms", smoothing=_GRID),
        "size_m": Parameter("m", 2.0, 60.0, 12.0),
        "damping_hz": Parameter("Hz", 200.0, 20_000.0, 6_000.0, smoothing=_GRID),
        "lowcut_hz": Parameter("Hz", 10.0, 2_000.0, 80.0, recipe_name="low_cut_hz", smoothing=_GRID),
        "mix": Parameter("", 0.0, 1.0, 1.0, smoothing=_GRID),
    },
    "ConvolutionReverb": {
        "predelay_ms": Parameter("ms", 0.0, 500.0, recipe_name="pre_delay_ms"),
        "mix": Parameter("", 0.0, 1.0, 1.0, smoothing=_GRID),
        "gain_db": Parameter("dB", -60.0, 24.0, smoothing=_GRID),
    },
    "Width": {"width": Parameter("", 0.0, 2.0, 1.0, smoothing=_GRID)},
}
"""Class of the core -> setting -> parameter. A recipe_name of ``-`` is a setting that recipes do not have."""


def recipe_parameters(owner: str) -> dict[str, Parameter]:
    """Return a processor's settings under their names in a recipe."""
    return {entry.recipe_name or name: entry for name, entry in PROCESSORS[owner].items() if entry.recipe_name != "-"}
