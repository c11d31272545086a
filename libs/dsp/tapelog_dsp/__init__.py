"""The mix and master core: arrays in, arrays out, the same bits on every machine and for every block size."""

from tapelog_dsp.audio import Audio, round_to_float32, valid_audio
from tapelog_dsp.errors import (
    AudioError,
    DspError,
    GraphError,
    KernelsMissingError,
    ParameterError,
    TargetUnknownError,
)
from tapelog_dsp.graph.mixgraph import MixBlock, MixGraph
from tapelog_dsp.graph.render import ArrayReader, BlockReader, render
from tapelog_dsp.graph.spec import MIX, BusSpec, GainPoint, MixSpec, SendSpec, TrackSpec
from tapelog_dsp.processors.base import Processor, ProcessorSpec
from tapelog_dsp.processors.gain import Gain, Polarity, Width
from tapelog_dsp.version import ENGINE_VERSION

__all__ = [
    "ENGINE_VERSION",
    "MIX",
    "ArrayReader",
    "Audio",
    "AudioError",
    "BlockReader",
    "BusSpec",
    "DspError",
    "Gain",
    "GainPoint",
    "GraphError",
    "KernelsMissingError",
    "MixBlock",
    "MixGraph",
    "MixSpec",
    "ParameterError",
    "Polarity",
    "Processor",
    "ProcessorSpec",
    "SendSpec",
    "TargetUnknownError",
    "TrackSpec",
    "Width",
    "render",
    "round_to_float32",
    "valid_audio",
]
