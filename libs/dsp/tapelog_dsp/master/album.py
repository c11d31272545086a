"""Album mode: one drive for every song, so that their loudness to one another stays as it was mixed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, one_of
from tapelog_dsp.errors import AudioError, ParameterError
from tapelog_dsp.master.drive import (
    AIM_LU,
    PASSES_MAX,
    REDUCTION_MAX_DB,
    BlockSource,
    floor_step,
    limit_blocks,
    next_drive,
    step,
)
from tapelog_dsp.meters.loudness import LoudnessMeter, pooled_lufs
from tapelog_dsp.meters.meter import Measurement
from tapelog_dsp.meters.truepeak import TruePeakMeter
from tapelog_dsp.processors.limiter import TruePeakLimiter

SONGS_MAX: Final = 99
"""As many as a Compact Disc has tracks."""

MODES: Final = ("album", "loudest")


@dataclass(frozen=True, slots=True, eq=False)
class AlbumSong:
    """One song of an album.

    Parameters
    ----------
    source : callable
        Starts another pass over the song before its limiter; every pass must give the same samples.
    trim_db : float
        On top of the album's drive, where a song is to stand louder or softer than it was mixed.
    """

    source: BlockSource
    trim_db: float = 0.0

    def __post_init__(self) -> None:
        declared(self)


@dataclass(frozen=True, slots=True, eq=False)
class AlbumSolution:
    """What the search found.

    Parameters
    ----------
    feasible : bool
        Whether the album's loudness is within the tolerance of the target.
    drive_db : float
        Gain before every song's limiter, trims not included.
    limit : str
        Empty, or what stands in the way, for a person to read.
    album_lufs : float
        Loudness that was aimed at: of all songs pooled, or of the loudest one.
    before, after : tuple of Measurement
        Of each song.
    passes : int
        How often every song was read.
    """

    feasible: bool
    drive_db: float
    limit: str
    album_lufs: float
    before: tuple[Measurement, ...]
    after: tuple[Measurement, ...]
    passes: int

    @property
    def steps_lu(self) -> tuple[float, ...]:
        """How much the distance of each song to the first one has changed in loudness: what limiting did to it."""
        moved = [
            after.loudness.integrated_lufs - before.loudness.integrated_lufs
            for before, after in zip(self.before, self.after, strict=True)
        ]
        return tuple(value - moved[0] for value in moved)


@dataclass(frozen=True, slots=True)
class AlbumAim:
    """What an album is to reach.

    Parameters
    ----------
    target_lufs : float
        Integrated loudness.
    mode : {"album", "loudest"}
        Whether all songs pooled or the loudest one has it (AES TD1008 asks for the latter).
    tolerance_lu : float
        Largest difference that counts as reached, 0.05 or more.
    reduction_max_db : float
        How much the limiter may take off the highest peak of any song.
    """

    target_lufs: float
    mode: str = "album"
    tolerance_lu: float = 0.1
    reduction_max_db: float = REDUCTION_MAX_DB

    def __post_init__(self) -> None:
        declared(self, "AlbumAim")
        one_of(self, "mode", MODES)


def solve_album(
    songs: Sequence[AlbumSong], *, sample_rate: int, aim: AlbumAim, limiter: TruePeakLimiter | None = None
) -> AlbumSolution:
    """Find the one drive with which the limited songs reach the album's loudness.

    Raises
    ------
    ParameterError
        No song, or more than `SONGS_MAX`.
    AudioError
        A song is empty or not finite, or all of them are silent.
    """
    if not 1 <= len(songs) <= SONGS_MAX:
        raise ParameterError("songs", f"{len(songs)} songs", f"1 to {SONGS_MAX}")
    ceiling = limiter or TruePeakLimiter()
    before, loudness = _measure(songs, sample_rate, aim, None, ceiling)
    if loudness == -math.inf:
        raise AudioError("no song of the album is louder than the absolute gate of -70 LUFS")
    peak = max(song.true_peak.max_dbtp + own.trim_db for song, own in zip(before, songs, strict=True))
    highest = floor_step(ceiling.ceiling_dbtp - peak + aim.reduction_max_db)
    points: list[tuple[float, float]] = []
    drive = min(step(aim.target_lufs - loudness), highest)
    while True:
        after, reached = _measure(songs, sample_rate, aim, drive, ceiling)
        error = reached - aim.target_lufs
        points.append((drive, error))
        following = min(next_drive(points), highest)
        if abs(error) <= AIM_LU or following == drive or len(points) + 1 == PASSES_MAX:
            feasible = abs(error) <= aim.tolerance_lu
            reason = "" if feasible else _reason(reached, aim, at_bound=drive == highest)
            return AlbumSolution(feasible, drive, reason, reached, before, after, len(points) + 1)
        drive = following


def _reason(reached: float, aim: AlbumAim, *, at_bound: bool) -> str:
    if at_bound:
        return (
            f"the limiter would take more than {aim.reduction_max_db:g} dB off the highest peak; within that the album "
            f"reaches {reached:.2f} LUFS"
        )
    return f"{PASSES_MAX} passes came no closer than {reached:.2f} LUFS to the target of {aim.target_lufs:g} LUFS"


def _measure(
    songs: Sequence[AlbumSong], sample_rate: int, aim: AlbumAim, drive_db: float | None, limiter: TruePeakLimiter
) -> tuple[tuple[Measurement, ...], float]:
    """Return each song's measurement and the album's loudness; without a drive of the songs as they are, trimmed."""
    found, meters = [], []
    for number, song in enumerate(songs, 1):
        blocks = song.source()
        if drive_db is not None:
            drive = drive_db + song.trim_db
            blocks = limit_blocks(blocks, sample_rate=sample_rate, drive_db=drive, limiter=limiter)
        loudness: LoudnessMeter | None = None
        frames = 0
        for block in blocks:
            if loudness is None:
                loudness, peaks = _meters(sample_rate, block)
            loudness.add(block)
            peaks.add(block)
            frames += block.shape[1]
        if loudness is None:
            raise AudioError(f"song {number} of the album has no blocks")
        meters.append(loudness)
        found.append(Measurement(frames, loudness.result(), peaks.result()))
    if drive_db is not None or all(song.trim_db == 0.0 for song in songs):
        pooled = pooled_lufs(meters)
    else:
        powers = [
            (10.0 ** ((one.loudness.integrated_lufs + song.trim_db) / 10.0), one.frames)
            for one, song in zip(found, songs, strict=True)
        ]
        mean = sum(power * frames for power, frames in powers) / max(sum(frames for _, frames in powers), 1)
        pooled = 10.0 * math.log10(mean) if mean > 0.0 else -math.inf
    if aim.mode == "album":
        return tuple(found), pooled
    trims = [0.0 if drive_db is not None else song.trim_db for song in songs]
    loudest = max(one.loudness.integrated_lufs + trim for one, trim in zip(found, trims, strict=True))
    return tuple(found), loudest


def _meters(sample_rate: int, block: Audio) -> tuple[LoudnessMeter, TruePeakMeter]:
    return LoudnessMeter(sample_rate, block.shape[0]), TruePeakMeter(sample_rate, block.shape[0])
