"""`tapelog song …`."""

from typing import Annotated, Any

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, Party, Tenant, data_dir_or_default


async def show(
    name: Annotated[str, Parameter(help="projects/{project}/songs/{song}.")],
    *,
    party: Party,
    as_of_sequence: Annotated[int, Parameter(help="As it was after this many events; 0 is now.")] = 0,
    tenant: Tenant = "local",
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Show a song: where it stands, its versions and notes, and what its next gate waits for."""
    from tapelog_client import Tapelog

    from tapelog_cli.output import print_json
    from tapelog_cli.shapes import as_dict

    async with Tapelog.local(data_dir_or_default(data_dir), party=party, tenant=tenant) as api:
        song = await api.songs.get(name, as_of_sequence=as_of_sequence)
    if json:
        print_json(as_dict(song))
    else:
        _print(song)
    return ExitCode.OK


def _print(song: Any) -> None:
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.output import out, table
    from tapelog_cli.shapes import figure, timecode

    console = out()
    stage = res.Stage.Name(song.stage).removeprefix("STAGE_")
    console.print(f"{song.title}: {stage}, cycle {song.cycle}, {song.sequence} events", style="bold", markup=False)
    if song.versions:
        versions = table("version", "state", "LUFS-I", "dBTP", "approved by")
        for version in song.versions:
            measured = version.audio[0].measurements if version.audio else None
            versions.add_row(
                "/".join(version.name.split("/")[-2:]),
                res.VersionState.Name(version.state).removeprefix("VERSION_STATE_"),
                figure(measured, "integrated_lufs") if measured else "",
                figure(measured, "true_peak_dbtp") if measured else "",
                ", ".join(approval.party for approval in version.approvals),
            )
        console.print(versions)
    if song.notes:
        notes = table("at", "by", "state", "note", title="notes")
        for note in song.notes:
            at = timecode(note.range.start_frame, song.sample_rate_hz) if note.HasField("range") else "all"
            notes.add_row(at, note.author, res.NoteState.Name(note.state).removeprefix("NOTE_STATE_"), note.text)
        console.print(notes)
    failing = [condition for condition in song.open_conditions if not condition.passed]
    if failing:
        console.print("the next gate waits for:", style="bold")
        for condition in failing:
            console.print(f"  {condition.code}: {condition.description}", markup=False, soft_wrap=True)
