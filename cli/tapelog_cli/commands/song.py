"""`tapelog song …`: songs, what they are made of, and where they stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import Role, SendBackReason, Stage, value_of, word_of
from tapelog_cli.typed.moments import AsOf, AsOfTime, moment_of, time_of
from tapelog_cli.typed.naming import project_name, song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res
    from tapelog.session.v1 import session_service_pb2 as rpc

Reason = Annotated[str, Parameter(help="Why, in words.")]
_NOBODY = Connection()


async def create(
    project: Annotated[str, Parameter(help="projects/{project}, or its id.")],
    title: Annotated[str, Parameter(help="Title.")],
    *,
    rate_hz: Annotated[int, Parameter(help="Session sample rate.")] = 48_000,
    bit_depth: Annotated[int, Parameter(help="Session bit depth: 16, 24 or 32.")] = 24,
    like: Annotated[Path | None, Parameter(help="One of its stems: rate and depth are those of this file.")] = None,
    external_ref: Annotated[str, Parameter(help="Your own reference.")] = "",
    request_id: Annotated[str, Parameter(help="UUID that makes a repeat the same request.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Create a song; it begins in pre-production. All its takes have the session's sample rate and bit depth."""
    if like is not None:
        from tapelog_desk.probe import probe_file

        form = probe_file(like, name=str(like))
        rate_hz, bit_depth = form.sample_rate_hz, form.bit_depth or bit_depth
    async with connection.open() as api:
        made = await api.songs.create(
            project_name(project),
            title,
            sample_rate_hz=rate_hz,
            bit_depth=bit_depth,
            external_ref=external_ref,
            request_id=request_id,
        )
    return tell(made, made.name, json=json)


async def list_(
    project: Annotated[str, Parameter(help="Project; without it, the songs of all your projects.")] = "",
    *,
    stage: Annotated[Stage | None, Parameter(help="Only songs in this stage.", show_default=False)] = None,
    waiting_for: Annotated[
        Role | None, Parameter(help="Only songs that wait for this role.", show_default=False)
    ] = None,
    title: Annotated[str, Parameter(help="Only songs with this in their title.")] = "",
    person: Annotated[str, Parameter(help="Only songs in which this party did something.")] = "",
    waiting_for_person: Annotated[str, Parameter(help="Only songs that wait for this party.")] = "",
    external_ref: Annotated[str, Parameter(help="Only songs with this reference.")] = "",
    open_notes: Annotated[bool, Parameter(negative="", help="Only songs with notes that are not settled.")] = False,
    as_of: AsOfTime = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List songs, oldest first, with whom each waits for."""
    from tapelog.session.v1 import resources_pb2 as res

    def row(item: "rpc.SongSummary") -> tuple[str, ...]:
        waiting = ", ".join(word_of(res.Role, role) for role in item.waiting_for)
        return item.name, item.title, word_of(res.Stage, item.stage), str(item.cycle), waiting, str(item.open_notes)

    async with connection.open() as api:
        found = [
            song
            async for song in api.songs.search(
                project=project_name(project) if project else "",
                stage=value_of(res.Stage, stage),
                waiting_for=value_of(res.Role, waiting_for),
                title=title,
                person=person,
                waiting_for_person=waiting_for_person,
                external_ref=external_ref,
                open_notes=open_notes,
                as_of_time=time_of(as_of),
            )
        ]
    return tell_all(found, ("name", "title", "stage", "cycle", "waits for", "open notes"), row, json=json)


async def show(
    song: SongName,
    *,
    as_of: AsOf = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Show a song: where it stands, its versions and notes, and what its next gate waits for."""
    from tapelog_cli.printed.output import print_json
    from tapelog_cli.printed.shapes import as_dict
    from tapelog_cli.printed.song_sheet import print_song

    async with connection.open() as api:
        found = await api.songs.get(await song_name(api, song), **moment_of(as_of))
    if json:
        print_json(as_dict(found))
    else:
        print_song(found)
    return ExitCode.OK


async def history(
    song: SongName,
    *,
    last: Annotated[int, Parameter(help="Only this many of the newest lines; 0 is all.")] = 0,
    as_of: AsOf = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Tell a song as a story: who did what, in which role, and why."""
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open() as api:
        lines = [line async for line in api.songs.history(await song_name(api, song), **moment_of(as_of))]
    shown = lines[-last:] if last else lines
    if json:
        print_json([as_dict(line) for line in shown])
    else:
        for line in shown:
            out().print(line.text, markup=False, soft_wrap=True)
    return ExitCode.OK


async def approve_arrangement(song: SongName, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Approve the arrangement in your role; artist and producer have to."""
    async with connection.open() as api:
        changed = await api.songs.approve_arrangement(await song_name(api, song))
    parties = ", ".join(consent.party for consent in changed.arrangement_approvals)
    return tell(changed, f"arrangement approved by {parties}", json=json)


async def send_back(
    song: SongName,
    to: Annotated[Stage, Parameter(help="The earlier stage.")],
    *,
    reason: Annotated[SendBackReason, Parameter(help="What kind of thing has to be done again.")],
    note: Annotated[list[str], Parameter(negative=(), help="Id of a note that says what; may be given again.")],
    comment: Annotated[str, Parameter(help="Why, in words.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Send a song back to an earlier stage; nothing is deleted. For the producer."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        changed = await api.stages.send_back(
            await song_name(api, song),
            value_of(res.Stage, to),
            value_of(res.SendBackReason, reason),
            note,
            comment=comment,
        )
    return _tell_stage(changed, json=json)


async def ask_back(
    song: SongName,
    to: Annotated[Stage, Parameter(help="The earlier stage.")],
    *,
    reason: Annotated[SendBackReason, Parameter(help="What kind of thing has to be done again.")],
    note: Annotated[list[str], Parameter(negative=(), help="Id of a note that says what; may be given again.")] = [],  # noqa: B006 - read, never changed
    comment: Annotated[str, Parameter(help="Why, in words.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Ask for a song to be sent back: the producer does it, a creative change only if the artist asked too."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        changed = await api.stages.request_send_back(
            await song_name(api, song),
            value_of(res.Stage, to),
            value_of(res.SendBackReason, reason),
            notes=note,
            comment=comment,
        )
    return tell(changed, f"{changed.name}: asked for {to}; the producer decides", json=json)


async def hold(
    song: SongName,
    reason: Reason,
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Suspend work on a song."""
    async with connection.open() as api:
        return _tell_stage(await api.stages.hold(await song_name(api, song), reason), json=json)


async def resume(song: SongName, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Go on where a song was put on hold."""
    async with connection.open() as api:
        return _tell_stage(await api.stages.resume(await song_name(api, song)), json=json)


async def cancel(song: SongName, reason: Reason, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Give a song up, for good."""
    async with connection.open() as api:
        return _tell_stage(await api.stages.cancel(await song_name(api, song), reason), json=json)


def _tell_stage(song: "res.Song", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    return tell(song, f"{song.title}: {word_of(res.Stage, song.stage)}, cycle {song.cycle}", json=json)
