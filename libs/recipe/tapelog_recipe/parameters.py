"""The one table of a recipe's numbers: unit, range and default of every field that is a number."""

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.limits import SONG_MAX_S


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in a recipe.

    Attributes
    ----------
    unit : str
        Unit for people; empty for ratios and counts.
    low, high : float
        Smallest and greatest value allowed.
    default : float, optional
        Value of a field that is not written; None where nothing stands for it, so it is needed or has its own meaning.
    high_is_share_of_rate : bool
        Whether `high` is a share of the mix's sample rate.
    choices : tuple of int
        If not empty, the only values allowed.
    zero_is_off : bool
        Whether 0 switches the thing off, although it is below `low`.
    """

    unit: str
    low: float
    high: float
    default: float | None = 0.0
    high_is_share_of_rate: bool = False
    choices: tuple[int, ...] = ()
    zero_is_off: bool = False

    def highest(self, sample_rate_hz: int) -> float:
        """Return the greatest value allowed at a sample rate."""
        return self.high * sample_rate_hz if self.high_is_share_of_rate else self.high


_FADER: Final = Parameter("dB", -96.0, 24.0)
_FRAME: Final = Parameter("frames", 0, SONG_MAX_S * 192_000)
_FILTER: Final = Parameter("Hz", 10.0, 0.45, None, high_is_share_of_rate=True)
_SLOPE: Final = Parameter("dB/octave", 12, 48, 12, choices=(12, 24, 36, 48))
_ECHO_FILTER: Final = Parameter("Hz", 10.0, 20_000.0, zero_is_off=True)

PARAMETERS: Final[dict[str, dict[str, Parameter]]] = {
    "MixRecipe": {
        "sample_rate_hz": Parameter("Hz", 8_000, 192_000, None),
        "mix_gain_db": _FADER,
        "tail_s": Parameter("s", 0.0, 30.0),
    },
    "RecipeTrack": {"gain_db": _FADER, "pan": Parameter("", -1.0, 1.0), "start_frame": _FRAME},
    "RecipeSend": {"gain_db": _FADER},
    "GainPoint": {"frame": _FRAME, "gain_db": _FADER},
    "RecipeBus": {"gain_db": _FADER},
    "HighPass": {"frequency_hz": _FILTER, "slope_db_oct": _SLOPE},
    "LowPass": {"frequency_hz": _FILTER, "slope_db_oct": _SLOPE},
    "EqBand": {
        "frequency_hz": Parameter("Hz", 10.0, 0.49, None, high_is_share_of_rate=True),
        "gain_db": Parameter("dB", -24.0, 24.0),
        "q": Parameter("", 0.1, 20.0, 0.7071),
    },
    "Compressor": {
        "threshold_db": Parameter("dBFS", -80.0, 0.0),
        "ratio": Parameter("", 1.0, 60.0, 2.0),
        "attack_ms": Parameter("ms", 0.05, 500.0, 10.0),
        "release_ms": Parameter("ms", 1.0, 5_000.0, 120.0),
        "knee_db": Parameter("dB", 0.0, 24.0, 6.0),
        "makeup_db": Parameter("dB", -24.0, 24.0),
        "mix": Parameter("", 0.0, 1.0, 1.0),
        "sidechain_high_pass_hz": Parameter("Hz", 0.0, 1_000.0),
    },
    "Delay": {
        "time_ms": Parameter("ms", 1.0, 4_000.0, None),
        "feedback": Parameter("", 0.0, 0.95),
        "mix": Parameter("", 0.0, 1.0, 0.25),
        "low_pass_hz": _ECHO_FILTER,
        "high_pass_hz": _ECHO_FILTER,
    },
    "Reverb": {
        "decay_s": Parameter("s", 0.1, 20.0, 1.8),
        "pre_delay_ms": Parameter("ms", 0.0, 500.0),
        "damping": Parameter("", 0.0, 1.0, 0.5),
        "mix": Parameter("", 0.0, 1.0, 1.0),
    },
    "Width": {"width": Parameter("", 0.0, 2.0, 1.0)},
    "MasterRecipe": {"sample_rate_hz": Parameter("Hz", 8_000, 192_000, zero_is_off=True)},
    "MasterTarget": {
        "integrated_lufs": Parameter("LUFS", -40.0, -5.0, None),
        "ceiling_dbtp": Parameter("dBTP", -20.0, 0.0, None),
        "tolerance_lu": Parameter("LU", 0.01, 5.0, 0.2),
    },
    "OutputFormat": {"bit_depth": Parameter("bits", 16, 32, 24, choices=(16, 24, 32))},
    "GainOffset": {"gain_db": Parameter("dB", -24.0, 24.0)},
}
"""Message name -> field name -> parameter. The comments of recipe.proto say the same; a test compares them."""

ENUM_DEFAULTS: Final[dict[str, int]] = {
    "PanLaw": pb.PAN_LAW_MINUS_3_DB,
    "AutomationCurve": pb.AUTOMATION_CURVE_LINEAR,
    "EqShape": pb.EQ_SHAPE_BELL,
    "Container": pb.CONTAINER_WAV,
}
"""What an unspecified enum stands for."""

PROCESSOR_KINDS: Final[tuple[str, ...]] = tuple(
    field.name for field in pb.Processor.DESCRIPTOR.oneofs_by_name["kind"].fields
)
"""Kinds of inserts, as brief constraints name them: ``high_pass``, ``low_pass``, ``eq``, ``compressor``, ..."""


def parameter(message: type[Message] | Message, field: str) -> Parameter | None:
    """Return the entry of a message's field, or None if the field is not a number."""
    return PARAMETERS.get(message.DESCRIPTOR.name, {}).get(field)
