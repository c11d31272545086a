"""The one table of a recipe's numbers: unit, range and default of every field that is a number."""

from dataclasses import replace
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_parameters import SETTINGS, Parameter, Smoothing, recipe_parameters

from tapelog_recipe.limits import CHAIN_MAX, SONG_MAX_S

_FADER: Final = replace(SETTINGS["Fader"]["gain_db"], low=-96.0, smoothing=Smoothing.FIXED)
"""The core's without its last 48 dB, for which a recipe mutes; it moves by gain points of its own."""

_FRAME: Final = Parameter("frames", 0, SONG_MAX_S * 192_000)
_PAN: Final = replace(SETTINGS["Pan"]["pan"], smoothing=Smoothing.FIXED)
_RATE: Final = SETTINGS["Mix"]["sample_rate"]

_OF_THE_CORE: Final = (
    "Gain", "TimeAlign", "HighPass", "LowPass", "EqBand", "Compressor", "Gate", "DeEsser", "DynamicEq",
    "TransientShaper", "Saturation", "MonoMaker", "RoomReverb", "ConvolutionReverb", "Width",
    "BandDynamics", "Clipper", "Exciter", "LinearPhaseEq", "CurveEq",
)  # fmt: skip
"""Messages whose numbers are those of the core's processor of the same name."""

PARAMETERS: Final[dict[str, dict[str, Parameter]]] = {
    "MixRecipe": {
        "sample_rate_hz": _RATE,
        "mix_gain_db": _FADER,
        "tail_s": replace(SETTINGS["Mix"]["tail_s"], default=0.0),
        "tempo_bpm": Parameter("beats/min", 20.0, 400.0, zero_is_off=True),
    },
    "RecipeTrack": {"gain_db": _FADER, "pan": _PAN, "start_frame": _FRAME},
    "DualPan": {"left": replace(_PAN, default=-1.0), "right": replace(_PAN, default=1.0)},
    "RecipeSend": {"gain_db": _FADER},
    "GainPoint": {"frame": _FRAME, "gain_db": _FADER},
    "RecipeBus": {"gain_db": _FADER, "pan": _PAN},
    "RecipeVca": {"gain_db": _FADER},
    "PanPoint": {"frame": _FRAME, "pan": _PAN},
    "SettingAutomation": {"position": Parameter("", 0, CHAIN_MAX - 1)},
    "SettingPoint": {"frame": _FRAME, "value": Parameter("", -1e6, 1e6)},
    **{name: recipe_parameters(name) for name in _OF_THE_CORE},
    "Delay": {
        **recipe_parameters("Delay"),
        "beats": Parameter("", 0.01, 16.0, zero_is_off=True, smoothing=Smoothing.GRID),
    },
    "Reverb": {
        **recipe_parameters("PlateReverb"),
        "damping": Parameter("", 0.0, 1.0, 0.5, smoothing=Smoothing.GRID),
    },
    "CurvePoint": {
        "frequency_hz": Parameter("Hz", 1.0, 96_000.0, None),
        "gain_db": replace(SETTINGS["EqBand"]["gain_db"], smoothing=Smoothing.FIXED),
    },
    "MasterFade": dict(SETTINGS["Fade"]),
    "MasterRecipe": {"sample_rate_hz": replace(_RATE, default=0.0, zero_is_off=True)},
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
    "NoiseShaping": pb.NOISE_SHAPING_NONE,
    "FadeShape": pb.FADE_SHAPE_SMOOTH,
    "CurvePhase": pb.CURVE_PHASE_MINIMUM,
    "InsertChannels": pb.INSERT_CHANNELS_STEREO,
}
"""What an unspecified enum stands for."""

PROCESSOR_KINDS: Final[tuple[str, ...]] = tuple(
    field.name for field in pb.Processor.DESCRIPTOR.oneofs_by_name["kind"].fields
)
"""Kinds of inserts, as brief constraints name them: ``high_pass``, ``low_pass``, ``eq``, ``compressor``, ..."""


def parameter(message: type[Message] | Message, field: str) -> Parameter | None:
    """Return the entry of a message's field, or None if the field is not a number."""
    return PARAMETERS.get(message.DESCRIPTOR.name, {}).get(field)
