"""An album from its songs: one rate, one drive, gaps, a file per song, the whole as one file, and a cue sheet."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_interchange.cue import TICKS_PER_S, CueSheet, CueTrack, write_cue

from tapelog_desk.analysis import Progress, measurements_json, write_json
from tapelog_desk.errors import OutputError, SourceError, TargetError
from tapelog_desk.files.atomic import atomic_file, file_sha256
from tapelog_desk.files.decoders import Samples
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mastering import PEAK_ROOM_DB
from tapelog_desk.mixdown import at_rate, open_source
from tapelog_desk.printing import Printer, printing
from tapelog_desk.rendered import RenderedAudio
from tapelog_desk.spill import Spill
from tapelog_desk.targets import Aim

SCHEMA: Final = "tapelog.album/1"
"""Name of the JSON form."""

CHANNELS: Final = 2
GAP_MAX_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class SongIn:
    """A song of the sequence.

    Attributes
    ----------
    path : Path
        Its master before limiting, mono or stereo.
    gap_s : float
        Silence before it; that of the first song is left out.
    trim_db : float
        On top of the album's drive.
    fade : Fade
        At its start and end.
    title : str
        By default its file's name without extension.
    """

    path: Path
    gap_s: float = 2.0
    trim_db: float = 0.0
    fade: dsp.Fade = dsp.Fade()  # noqa: RUF009  # frozen
    title: str = ""


@dataclass(frozen=True, slots=True)
class SongOut:
    """A song of the finished album.

    Attributes
    ----------
    title : str
        As given, or its file's name without extension.
    start_frame, length_frames : int
        Its place on the album's time line.
    audio : RenderedAudio
        Its file.
    before_lufs : float
        Loudness before drive and limiter.
    gain_reduction_lu : float
        How much less it moved than the drive: what the limiter cost it.
    """

    title: str
    start_frame: int
    length_frames: int
    audio: RenderedAudio
    before_lufs: float
    gain_reduction_lu: float


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """A finished album.

    Attributes
    ----------
    songs : tuple of SongOut
        In sequence.
    solution : AlbumSolution
        The drive, and what it did.
    whole : RenderedAudio, optional
        The album as one file.
    sample_rate_hz, length_frames : int
        Of the album, gaps included.
    aim : Aim
        What was asked for.
    """

    songs: tuple[SongOut, ...]
    solution: dsp.AlbumSolution
    whole: RenderedAudio | None
    sample_rate_hz: int
    length_frames: int
    aim: Aim


def _fill(song: SongIn, spill: Spill, sample_rate_hz: int) -> None:
    """Keep a song as stereo at the album's rate, faded."""
    with open_source(song.path, song.path.name) as reader:
        stream = at_rate(reader, sample_rate_hz)
        while (block := stream.read(BLOCK_FRAMES)).shape[1]:
            stereo = np.ascontiguousarray(np.tile(block, (CHANNELS // block.shape[0], 1)))
            spill.write(dsp.round_to_float32(stereo))
    if not spill.frames:
        raise SourceError("SOURCE_EMPTY", f"{song.path.name} has no samples", "leave it out", file=song.path.name)


def _blocks(song: SongIn, spill: Spill, sample_rate_hz: int) -> Iterator[Samples]:
    try:
        yield from song.fade.blocks(spill.blocks(), sample_rate=sample_rate_hz, length_frames=spill.frames)
    except dsp.ParameterError as error:
        raise SourceError("SOURCE_TOO_SHORT", f"{song.path.name}: {error}", "shorten the fades") from error


def _key(songs: Sequence[SongIn], aim: Aim, sample_rate_hz: int) -> bytes:
    """Return the dither's key: the same songs and settings give the same bytes."""
    row = [[file_sha256(song.path), song.trim_db, song.fade.in_s, song.fade.out_s, song.fade.shape] for song in songs]
    text = json.dumps([row, aim.integrated_lufs, aim.ceiling_dbtp, sample_rate_hz, dsp.ENGINE_VERSION])
    return hashlib.sha256(text.encode()).digest()


def _silence(frames: int) -> Iterator[Samples]:
    while frames > 0:
        count = min(frames, BLOCK_FRAMES)
        yield np.zeros((CHANNELS, count))
        frames -= count


def gap_frames(gap_s: float, place: int, sample_rate_hz: int) -> int:
    """Return the frames of a gap; the song behind it starts on a 75th of a second where the rate allows."""
    frames = round(gap_s * sample_rate_hz)
    if sample_rate_hz % TICKS_PER_S or not frames:
        return frames
    return frames + -(place + frames) % (sample_rate_hz // TICKS_PER_S)


def render_album(
    songs: Sequence[SongIn],
    out_dir: Path,
    aim: Aim,
    *,
    output: pb.OutputFormat,
    mode: str = "album",
    sample_rate_hz: int | None = None,
    whole: bool = False,
    best_effort: bool = False,
    progress: Progress | None = None,
) -> Album:
    """Master an album with one drive, so that the songs keep their loudness to one another.

    Parameters
    ----------
    songs : sequence of SongIn
        In sequence.
    out_dir : Path
        An existing folder, with room for the songs and a float32 copy of them.
    aim : Aim
        Loudness and ceiling.
    output : OutputFormat
        Of every file.
    mode : {"album", "loudest"}
        What has the target's loudness.
    sample_rate_hz : int, optional
        Of the album; by default the first song's. Conversion comes before the limiter.
    whole : bool
        Whether the album is also written as one file with a cue sheet.
    best_effort : bool
        Whether the closest album is made where the target cannot be reached, instead of an error.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    SourceError, OutputError
        What is wrong, and what to do.
    TargetError
        ``TARGET_INFEASIBLE``.
    """
    if not songs:
        raise SourceError("SOURCE_EMPTY", "the album has no song", "name one or more files")
    limiter = dsp.TruePeakLimiter(ceiling_dbtp=aim.ceiling_dbtp - PEAK_ROOM_DB)
    with open_source(songs[0].path, songs[0].path.name) as reader:
        rate_hz = sample_rate_hz or reader.format.sample_rate_hz
    with ExitStack() as stack:
        spills = [stack.enter_context(Spill(out_dir, CHANNELS)) for _ in songs]
        for done, (song, spill) in enumerate(zip(songs, spills, strict=True)):
            _fill(song, spill, rate_hz)
            _tell(progress, 0.3 * (done + 1) / len(songs))
        try:
            solution = dsp.solve_album(
                [
                    dsp.AlbumSong(lambda song=song, spill=spill: _blocks(song, spill, rate_hz), song.trim_db)  # type: ignore[misc]
                    for song, spill in zip(songs, spills, strict=True)
                ],
                sample_rate=rate_hz,
                aim=dsp.AlbumAim(aim.integrated_lufs, mode, aim.tolerance_lu),
                limiter=limiter,
            )
        except (dsp.AudioError, dsp.ParameterError) as error:
            raise SourceError("SOURCE_NOT_JUDGED", str(error), "check the songs and their trims") from error
        if not solution.feasible and not best_effort:
            problem = f"the album's target of {aim.integrated_lufs:g} LUFS is out of reach: {solution.limit}"
            remedy = "choose a quieter target, or accept the closest (--best-effort)"
            raise TargetError("TARGET_INFEASIBLE", problem, remedy, target_lufs=aim.integrated_lufs)
        _tell(progress, 0.8)
        key = _key(songs, aim, rate_hz)
        press = _Press(songs, spills, out_dir=out_dir, rate_hz=rate_hz, output=output, key=key)
        done_songs, done_whole, length = press.run(solution, limiter, whole=whole)
    _tell(progress, 1.0)
    return Album(done_songs, solution, done_whole, rate_hz, length, aim)


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


class _Press:
    """Writes the songs and the whole in one pass, each limited once."""

    def __init__(
        self, songs: Sequence[SongIn], spills: Sequence[Spill], *, out_dir: Path, rate_hz: int,
        output: pb.OutputFormat, key: bytes,
    ) -> None:  # fmt: skip
        self._songs, self._spills, self._out_dir = songs, spills, out_dir
        self._rate, self._output, self._key = rate_hz, output, key
        self._suffix = "flac" if output.container == pb.CONTAINER_FLAC else "wav"

    def _printer(self, path: Path, number: int) -> Printer:
        key = hashlib.sha256(self._key + number.to_bytes(2, "big")).digest()
        return Printer([self._output], [path], sample_rate_hz=self._rate, channels=CHANNELS, dither_key=key)

    def run(
        self, solution: dsp.AlbumSolution, limiter: dsp.TruePeakLimiter, *, whole: bool
    ) -> tuple[tuple[SongOut, ...], RenderedAudio | None, int]:
        """Return the songs, the whole where it is wanted, and the album's length."""
        place, done = 0, []
        with ExitStack() as stack:
            joined = stack.enter_context(printing(self._printer(self._whole_path, 0))) if whole else None
            for index, (song, spill) in enumerate(zip(self._songs, self._spills, strict=True)):
                gap = gap_frames(song.gap_s, place, self._rate) if index else 0
                if joined is not None:
                    for block in _silence(gap):
                        joined.write(block)
                place += gap
                path = self._out_dir / f"{index + 1:02d}{'' if song.title else f'-{song.path.stem}'}.{self._suffix}"
                with printing(self._printer(path, index + 1)) as printer:
                    drive = solution.drive_db + song.trim_db
                    source = _blocks(song, spill, self._rate)
                    for block in dsp.limit_blocks(source, sample_rate=self._rate, drive_db=drive, limiter=limiter):
                        printer.write(block)
                        if joined is not None:
                            joined.write(block)
                    audio, _ = printer.finish()
                before = solution.before[index].loudness.integrated_lufs
                moved = solution.after[index].loudness.integrated_lufs - before
                lost = drive - moved if math.isfinite(moved) else 0.0
                done.append(SongOut(song.title or song.path.stem, place, spill.frames, audio[0], before, lost))
                place += spill.frames
            if joined is None:
                return tuple(done), None, place
            made, _ = joined.finish()
        return tuple(done), made[0], place

    @property
    def _whole_path(self) -> Path:
        return self._out_dir / f"album.{self._suffix}"


def cue_sheet(album: Album) -> str:
    """Return the cue sheet of the album's one file; starts are rounded down to 75ths of a second."""
    if album.whole is None:
        raise OutputError("OUTPUT_NOT_WRITABLE", "a cue sheet needs the album as one file", "ask for it (--whole)")
    songs = tuple(CueTrack(song.title, song.start_frame * TICKS_PER_S // album.sample_rate_hz) for song in album.songs)
    return write_cue(CueSheet(album.whole.path.name, songs))


def album_json(album: Album) -> dict[str, Any]:
    """Return an album as JSON values, in the form `SCHEMA`."""
    solution = album.solution
    return {
        "schema": SCHEMA,
        "engine_version": dsp.ENGINE_VERSION,
        "sample_rate_hz": album.sample_rate_hz,
        "length_frames": album.length_frames,
        "target": {"integrated_lufs": album.aim.integrated_lufs, "ceiling_dbtp": album.aim.ceiling_dbtp},
        "reached": solution.feasible,
        "limit": solution.limit,
        "album_lufs": round(solution.album_lufs, 3),
        "drive_db": solution.drive_db,
        "songs": [
            {
                "number": number,
                "title": song.title,
                "file": song.audio.path.name,
                "start_frame": song.start_frame,
                "length_frames": song.length_frames,
                "before_lufs": round(song.before_lufs, 3) if math.isfinite(song.before_lufs) else None,
                "limiter_cost_lu": round(song.gain_reduction_lu, 3),
                "sha256": song.audio.result.sha256,
                "sample_digest": song.audio.result.sample_digest,
                "measurements": measurements_json(song.audio.result.measurements),
            }
            for number, song in enumerate(album.songs, 1)
        ],
        "whole": None if album.whole is None else album.whole.path.name,
    }


def write_album_files(album: Album, out_dir: Path) -> None:
    """Write ``album.json``, and ``album.cue`` where the album is one file; raises `OutputError`."""
    write_json(out_dir / "album.json", album_json(album))
    if album.whole is not None:
        with atomic_file(out_dir / "album.cue") as file:
            file.write(cue_sheet(album).encode())
