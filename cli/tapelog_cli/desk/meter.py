"""`tapelog meter`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tapelog_desk import Analysis, DeskError, measure_file

from tapelog_cli.desk import show
from tapelog_cli.desk.told import told
from tapelog_cli.errors import explain
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.printed.output import print_error


@told
def meter(
    files: Annotated[list[Path], Parameter(help="Audio files: WAV, AIFF, FLAC, Ogg or MP3.", negative=())],
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Measure loudness, range and true peak of audio files.

    Loudness follows ITU-R BS.1770-5 and EBU Tech 3341/3342. A file that cannot be read is named, the others are still
    measured, and the exit code is 1.

    Example: `tapelog meter mix.wav stems/*.flac`
    """
    table, rows, notes, refused = show.loudness_table(), [], [], 0
    for path in files:
        try:
            with show.progress_bar(path.name, quiet=json) as progress:
                analysis = _analyzer(whole=json)(path, progress=progress)
        except DeskError as error:
            refused += 1
            rows.append({"file": str(path), "error": error.reason, "message": error.problem, "hint": error.remedy})
            if not json:
                print_error(explain(error))
            continue
        if json:
            rows.append(show.audio_json(str(path), analysis.audio))
            continue
        show.add_row(table, str(path), analysis.audio.format, analysis.measurements)
        if faults := show.faults_words(analysis.measurements):
            notes.append(f"{path}: {faults}")
    if json:
        show.print_json(rows)
    elif table.row_count:
        show.output().print(table)
        show.print_notes(notes)
    return ExitCode.FAILURE if refused else ExitCode.OK


def _analyzer(*, whole: bool) -> Callable[..., Analysis]:
    """Return what measures: programs are told the digests too; a table shows what meters read, a third of the work."""
    if not whole:
        return measure_file
    from tapelog_desk import analyze_file  # with what finds hum and noise floors, which a table does not wait for

    return analyze_file
