"""`tapelog album`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.album import GAP_MAX_S, Album, SongIn, album_json, render_album, write_album_files
from tapelog_desk.targets import aim
from tapelog_dsp import Fade
from tapelog_dsp.master.album import MODES

from tapelog_cli.desk import show
from tapelog_cli.desk.asked import TARGETS, OwnTargets, asked_target
from tapelog_cli.desk.files import BIT_DEPTHS
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode


def _numbers(text: str, count: int, name: str, low: float, high: float) -> list[float]:
    """Return one number per song: a single one for all, or a list with commas."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise WrongUsage(
            f"{name} {text!r} is no number or list of numbers", f"such as {name} 2 or {name} 0,2,3.5"
        ) from error
    if len(found) == 1:
        found *= count
    if len(found) != count or not all(low <= number <= high for number in found):
        raise WrongUsage(
            f"{name} {text!r} does not fit {count} songs", f"one number from {low:g} to {high:g}, or one per song"
        )
    return found


@told
def album(
    songs: Annotated[list[Path], Parameter(help="The songs in sequence: mono or stereo audio files.", negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="Folder for the album; it is made.")],
    target: Annotated[str | None, Parameter(help=f"Loudness target: {TARGETS}; or one of your own.")] = None,
    targets: OwnTargets = None,
    lufs: Annotated[float | None, Parameter(help="Integrated loudness to reach, instead of the target's.")] = None,
    ceiling: Annotated[float | None, Parameter(help="Highest true peak in dBTP, instead of the target's.")] = None,
    mode: Annotated[str, Parameter(help="What has that loudness: the whole album, or its loudest song.")] = "album",
    gap: Annotated[str, Parameter(help="Seconds before each song: one number, or one per song with commas.")] = "2",
    trim: Annotated[str, Parameter(help="dB on top of the album's gain: one number, or one per song.")] = "0",
    fade_out: Annotated[str, Parameter(help="Seconds of fade at each end: one number, or one per song.")] = "0",
    sample_rate: Annotated[int | None, Parameter(help="Of the album in Hz; the first song's by default.")] = None,
    bit_depth: Annotated[int, Parameter(help="16, 24, or 32 for float.")] = 24,
    flac: Annotated[bool, Parameter(negative="", help="Write FLAC instead of WAV.")] = False,
    whole: Annotated[bool, Parameter(negative="", help="Also write the album as one file with a cue sheet.")] = False,
    best_effort: Annotated[
        bool, Parameter(negative="", help="Make the closest album if the target is out of reach.")
    ] = False,
    force: Annotated[bool, Parameter(negative="", help="Write into a folder that has files already.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Master an album: one gain for all songs, so that they keep their loudness to one another, gaps, and a cue sheet.

    Exit codes: 0 done, 1 refused, 2 wrong usage, 4 the target is out of reach.

    Example: `tapelog album one.wav two.wav three.wav -o album --target streaming --gap 0,2,0.5 --whole`
    """
    if bit_depth not in BIT_DEPTHS or (flac and bit_depth == 32):
        raise WrongUsage(f"--bit-depth {bit_depth} is not written", "16 or 24; or 32 for float in WAV")
    if mode not in MODES:
        raise WrongUsage(f"--mode {mode!r} is unknown", f"one of {', '.join(MODES)}")
    if target is None and lufs is None:
        raise WrongUsage("no target is given", f"--target is one of: {TARGETS}; or write --lufs")
    wanted = asked_target(target, targets, lufs, ceiling)
    gaps = _numbers(gap, len(songs), "--gap", 0.0, GAP_MAX_S)
    trims = _numbers(trim, len(songs), "--trim", -12.0, 12.0)
    fades = _numbers(fade_out, len(songs), "--fade-out", 0.0, 60.0)
    sequence = [
        SongIn(path, own_gap, own_trim, Fade(out_s=own_fade))
        for path, own_gap, own_trim, own_fade in zip(songs, gaps, trims, fades, strict=True)
    ]
    if len({path.stem for path in songs}) < len(songs) and len(set(songs)) < len(songs):
        raise WrongUsage("one song is named twice", "give every song once")
    _made(output, force=force)
    form = pb.OutputFormat(container=pb.CONTAINER_FLAC if flac else pb.CONTAINER_WAV, bit_depth=bit_depth)
    with show.progress_bar(f"mastering {len(songs)} songs", quiet=json) as progress:
        made = render_album(
            sequence, output, aim(wanted), output=form, mode=mode, sample_rate_hz=sample_rate, whole=whole,
            best_effort=best_effort, progress=progress,
        )  # fmt: skip
    write_album_files(made, output)
    if json:
        show.print_json(album_json(made))
    else:
        show.output().print(_table(made))
        show.output().print(_words(made), markup=False)
    return ExitCode.OK


def _made(folder: Path, *, force: bool) -> None:
    """Make the folder; one with files in it may hold songs that are nowhere else, so it is not written into unasked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"the folder {folder} cannot be made: {error.strerror}", "name another one") from error
    if not force and any(folder.iterdir()):
        raise WrongUsage(f"the folder {folder} has files already", "name a new one, or --force to write into it")


def _words(made: Album) -> str:
    solution = made.solution
    reached = f"album at {solution.album_lufs:.1f} LUFS, one gain of {solution.drive_db:+.2f} dB for all songs"
    return reached if solution.feasible else f"Target missed: {reached}. {solution.limit}"


def _table(made: Album) -> Table:
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", justify="right")
    table.add_column("song", overflow="fold")
    for name, unit in (("start", "min:s"), ("I before", "LUFS"), ("I", "LUFS"), ("TP", "dBTP"), ("limiter", "LU")):
        table.add_column(f"{name}\n[dim]{unit}[/dim]", justify="right", no_wrap=True)
    for number, song in enumerate(made.songs, 1):
        numbers = song.audio.result.measurements
        start_s = song.start_frame / made.sample_rate_hz
        table.add_row(
            str(number), song.audio.path.name, f"{int(start_s) // 60}:{start_s % 60:04.1f}", f"{song.before_lufs:.1f}",
            show.number(numbers, "integrated_lufs"), show.number(numbers, "true_peak_dbtp", digits=2),
            f"{song.gain_reduction_lu:.1f}",
        )  # fmt: skip
    return table
