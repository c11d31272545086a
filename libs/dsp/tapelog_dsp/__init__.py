"""The mix and master core: arrays in, arrays out, the same bits on every machine and for every block size."""

from typing import TYPE_CHECKING

from tapelog_dsp._process import keep_memory  # before NumPy is loaded
from tapelog_dsp.demand import on_demand

if TYPE_CHECKING:
    from tapelog_dsp.analysis.platforms import PlatformPreview
    from tapelog_dsp.analysis.profiles import Device, load_curves, load_devices, load_limits
    from tapelog_dsp.analysis.reference import (
        ASPECTS,
        Match,
        MatchSettings,
        Profile,
        Profiler,
        Reference,
        match,
        profile,
    )
    from tapelog_dsp.analysis.spectrum import Spectrum, SpectrumMeter
    from tapelog_dsp.analysis.translation import TranslationReport, Translator, translate
    from tapelog_dsp.analysis.verdicts import Check, Status
    from tapelog_dsp.audio import Audio, round_to_float32, valid_audio
    from tapelog_dsp.errors import (
        AudioError,
        DspError,
        GraphError,
        KernelsMissingError,
        ParameterError,
        TargetUnknownError,
    )
    from tapelog_dsp.graph.lines import Bed
    from tapelog_dsp.graph.mixgraph import MixBlock, MixGraph
    from tapelog_dsp.graph.render import ArrayReader, BedReader, BlockReader, DirectReader, LineReader, render
    from tapelog_dsp.graph.spec import MIX, BusSpec, GainPoint, MixSpec, PanPoint, SendSpec, TrackSpec, VcaSpec
    from tapelog_dsp.kernels.console import split_sum
    from tapelog_dsp.kernels.pcm import pack_pcm, unpack_pcm
    from tapelog_dsp.master.album import AlbumAim, AlbumSolution, AlbumSong, solve_album
    from tapelog_dsp.master.chain import MasterChain, MasterSpec
    from tapelog_dsp.master.clipper import Clipper
    from tapelog_dsp.master.dither import Dither
    from tapelog_dsp.master.drive import DriveSolution, limit_blocks, solve_drive
    from tapelog_dsp.master.exciter import Exciter
    from tapelog_dsp.master.fades import Fade
    from tapelog_dsp.master.linear_phase import CurveEq, LinearPhaseEq
    from tapelog_dsp.master.monomaker import MonoMaker
    from tapelog_dsp.master.multiband import BandDynamics, Multiband
    from tapelog_dsp.master.ride import DriveRide
    from tapelog_dsp.meters.levels import LevelMeter, Levels
    from tapelog_dsp.meters.loudness import Loudness, LoudnessMeter, pooled_lufs
    from tapelog_dsp.meters.meter import Measurement, Meter, measure
    from tapelog_dsp.meters.truepeak import TruePeak, TruePeakMeter
    from tapelog_dsp.meters.waveform import WaveformPeaks
    from tapelog_dsp.processors.band import DeEsser, DynamicEq
    from tapelog_dsp.processors.base import Key, Processor, ProcessorSpec
    from tapelog_dsp.processors.compressor import Compressor
    from tapelog_dsp.processors.convolution import ConvolutionReverb, Impulse
    from tapelog_dsp.processors.delay import Delay
    from tapelog_dsp.processors.filters import Bell, HighPass, HighShelf, LowPass, LowShelf, Notch, ParametricEq, Tilt
    from tapelog_dsp.processors.gain import Gain, Polarity, Width
    from tapelog_dsp.processors.gate import Gate
    from tapelog_dsp.processors.limiter import TruePeakLimiter
    from tapelog_dsp.processors.moving import MovingSetting, SettingPoint
    from tapelog_dsp.processors.reverb import PlateReverb
    from tapelog_dsp.processors.room import RoomReverb
    from tapelog_dsp.processors.saturation import Saturation
    from tapelog_dsp.processors.stereo import MidSide, TimeAlign
    from tapelog_dsp.processors.transient import TransientShaper
    from tapelog_dsp.readahead import ahead
    from tapelog_dsp.resampling import Resampler, resample, resampled_frames
    from tapelog_dsp.targets import Target, get_target, load_targets, parse_targets, read_targets
    from tapelog_dsp.version import ENGINE_VERSION

keep_memory()

__getattr__ = on_demand(
    __name__,
    {
        "analysis.platforms": "PlatformPreview",
        "analysis.profiles": "Device load_curves load_devices load_limits",
        "analysis.reference": "ASPECTS Match MatchSettings Profile Profiler Reference match profile",
        "analysis.spectrum": "Spectrum SpectrumMeter",
        "analysis.translation": "TranslationReport Translator translate",
        "analysis.verdicts": "Check Status",
        "audio": "Audio round_to_float32 valid_audio",
        "errors": "AudioError DspError GraphError KernelsMissingError ParameterError TargetUnknownError",
        "graph.lines": "Bed",
        "graph.mixgraph": "MixBlock MixGraph",
        "graph.render": "ArrayReader BedReader BlockReader DirectReader LineReader render",
        "graph.spec": "MIX BusSpec GainPoint MixSpec PanPoint SendSpec TrackSpec VcaSpec",
        "kernels.console": "split_sum",
        "kernels.pcm": "pack_pcm unpack_pcm",
        "master.album": "AlbumAim AlbumSolution AlbumSong solve_album",
        "master.chain": "MasterChain MasterSpec",
        "master.clipper": "Clipper",
        "master.dither": "Dither",
        "master.drive": "DriveSolution limit_blocks solve_drive",
        "master.exciter": "Exciter",
        "master.fades": "Fade",
        "master.linear_phase": "CurveEq LinearPhaseEq",
        "master.monomaker": "MonoMaker",
        "master.multiband": "BandDynamics Multiband",
        "master.ride": "DriveRide",
        "meters.levels": "LevelMeter Levels",
        "meters.loudness": "Loudness LoudnessMeter pooled_lufs",
        "meters.meter": "Measurement Meter measure",
        "meters.truepeak": "TruePeak TruePeakMeter",
        "meters.waveform": "WaveformPeaks",
        "processors.band": "DeEsser DynamicEq",
        "processors.base": "Key Processor ProcessorSpec",
        "processors.compressor": "Compressor",
        "processors.convolution": "ConvolutionReverb Impulse",
        "processors.delay": "Delay",
        "processors.filters": "Bell HighPass HighShelf LowPass LowShelf Notch ParametricEq Tilt",
        "processors.gain": "Gain Polarity Width",
        "processors.gate": "Gate",
        "processors.limiter": "TruePeakLimiter",
        "processors.moving": "MovingSetting SettingPoint",
        "processors.reverb": "PlateReverb",
        "processors.room": "RoomReverb",
        "processors.saturation": "Saturation",
        "processors.stereo": "MidSide TimeAlign",
        "processors.transient": "TransientShaper",
        "readahead": "ahead",
        "resampling": "Resampler resample resampled_frames",
        "targets": "Target get_target load_targets parse_targets read_targets",
        "version": "ENGINE_VERSION",
    },
)

__all__ = [
    "ASPECTS",
    "ENGINE_VERSION",
    "MIX",
    "AlbumAim",
    "AlbumSolution",
    "AlbumSong",
    "ArrayReader",
    "Audio",
    "AudioError",
    "BandDynamics",
    "Bed",
    "BedReader",
    "Bell",
    "BlockReader",
    "BusSpec",
    "Check",
    "Clipper",
    "Compressor",
    "ConvolutionReverb",
    "CurveEq",
    "DeEsser",
    "Delay",
    "Device",
    "DirectReader",
    "Dither",
    "DriveRide",
    "DriveSolution",
    "DspError",
    "DynamicEq",
    "Exciter",
    "Fade",
    "Gain",
    "GainPoint",
    "Gate",
    "GraphError",
    "HighPass",
    "HighShelf",
    "Impulse",
    "KernelsMissingError",
    "Key",
    "LevelMeter",
    "Levels",
    "LineReader",
    "LinearPhaseEq",
    "Loudness",
    "LoudnessMeter",
    "LowPass",
    "LowShelf",
    "MasterChain",
    "MasterSpec",
    "Match",
    "MatchSettings",
    "Measurement",
    "Meter",
    "MidSide",
    "MixBlock",
    "MixGraph",
    "MixSpec",
    "MonoMaker",
    "MovingSetting",
    "Multiband",
    "Notch",
    "PanPoint",
    "ParameterError",
    "ParametricEq",
    "PlateReverb",
    "PlatformPreview",
    "Polarity",
    "Processor",
    "ProcessorSpec",
    "Profile",
    "Profiler",
    "Reference",
    "Resampler",
    "RoomReverb",
    "Saturation",
    "SendSpec",
    "SettingPoint",
    "Spectrum",
    "SpectrumMeter",
    "Status",
    "Target",
    "TargetUnknownError",
    "Tilt",
    "TimeAlign",
    "TrackSpec",
    "TransientShaper",
    "TranslationReport",
    "Translator",
    "TruePeak",
    "TruePeakLimiter",
    "TruePeakMeter",
    "VcaSpec",
    "WaveformPeaks",
    "Width",
    "ahead",
    "get_target",
    "limit_blocks",
    "load_curves",
    "load_devices",
    "load_limits",
    "load_targets",
    "match",
    "measure",
    "pack_pcm",
    "parse_targets",
    "pooled_lufs",
    "profile",
    "read_targets",
    "render",
    "resample",
    "resampled_frames",
    "round_to_float32",
    "solve_album",
    "solve_drive",
    "split_sum",
    "translate",
    "unpack_pcm",
    "valid_audio",
]
