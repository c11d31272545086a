"""What a render gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp import ENGINE_VERSION

from tapelog_desk.analysis import Analysis


@dataclass(frozen=True, slots=True)
class RenderedAudio:
    """An audio file that was made.

    Attributes
    ----------
    path : Path
        Where it is.
    result : AudioResult
        Its digests, format and measurements, taken from exactly the samples in the file.
    """

    path: Path
    result: pb.AudioResult


@dataclass(frozen=True, slots=True)
class RenderedFileOut:
    """A further file.

    Attributes
    ----------
    role : str
        What it is: ``analysis``.
    path : Path
        Where it is.
    media_type : str
        Such as ``application/json``.
    """

    role: str
    path: Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a master reached its target.

    Attributes
    ----------
    reached : bool
        Loudness within the tolerance, and peaks at or under the ceiling.
    limit : str
        Empty, or what stands in the way, in words.
    target_name : str
        Name of the target; empty where it was written out.
    target_lufs, ceiling_dbtp, tolerance_lu : float
        What was asked for.
    drive_db : float
        Gain before the limiter.
    passes : int
        How often the mix was read to find it.
    """

    reached: bool
    limit: str
    target_name: str
    target_lufs: float
    ceiling_dbtp: float
    tolerance_lu: float
    drive_db: float
    passes: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished render.

    Attributes
    ----------
    audio : tuple of RenderedAudio
        In the order of the outputs asked for; the first is the master copy.
    files : tuple of RenderedFileOut
        Further files.
    recipe_digest : str
        Of the recipe with its sources pinned by content.
    analysis : Analysis
        Of the master copy's samples.
    verdict : Verdict, optional
        For masters.
    gain_reduction_db : sequence of float
        For masters: the limiter's reduction at the loudest sample of each 100 ms.
    remarks : tuple of str
        What a person should know, such as samples clipped by an integer format.
    engine_version : str
        Engine that rendered it.
    timings_s : dict of str to float
        Seconds per stage; never part of any digest or file.
    """

    audio: tuple[RenderedAudio, ...]
    files: tuple[RenderedFileOut, ...]
    recipe_digest: str
    analysis: Analysis
    verdict: Verdict | None = None
    gain_reduction_db: Sequence[float] = ()
    remarks: tuple[str, ...] = ()
    engine_version: str = ENGINE_VERSION
    timings_s: dict[str, float] = field(default_factory=dict)
