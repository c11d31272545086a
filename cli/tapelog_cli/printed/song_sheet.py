"""A song on one sheet, for people."""

from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.timecodes import timecode

from tapelog_cli.printed.output import out, plain, table
from tapelog_cli.printed.shapes import figure
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.naming import short


def print_song(song: res.Song) -> None:
    """Print where a song stands, its versions and notes, and what its next gate waits for."""
    console = out()
    stage = word_of(res.Stage, song.stage)
    console.print(f"{song.title}: {stage}, cycle {song.cycle}, {song.sequence} events", style="bold", markup=False)
    if song.versions:
        versions = table("version", "state", "LUFS-I", "dBTP", "approved by")
        for version in song.versions:
            measured = version.audio[0].measurements if version.audio else None
            cells = plain(
                short(version.name),
                word_of(res.VersionState, version.state),
                figure(measured, "integrated_lufs") if measured else "",
                figure(measured, "true_peak_dbtp") if measured else "",
                ", ".join(approval.party for approval in version.approvals),
            )
            versions.add_row(*cells)
        console.print(versions)
    if song.notes:
        notes = table("note", "at", "by", "state", "text", title="notes")
        for note in song.notes:
            state = word_of(res.NoteState, note.state)
            notes.add_row(*plain(note.id, passage(note, song), note.author, state, note.text))
        console.print(notes)
    failing = [condition for condition in song.open_conditions if not condition.passed]
    if failing:
        console.print("the next gate waits for:", style="bold")
        for condition in failing:
            console.print(f"  {condition.code}: {condition.description}", markup=False, soft_wrap=True)


def passage(note: res.Note, song: res.Song) -> str:
    """Return where in the song a note is about: `0:13.548-0:17.419`, or `all`."""
    if not note.HasField("range"):
        return "all"
    begin, end = note.range.start_frame, note.range.end_frame
    return f"{timecode(begin, song.sample_rate_hz)}-{timecode(end, song.sample_rate_hz)}"
