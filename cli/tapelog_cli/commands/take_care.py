"""`tapelog take define|require|clean|comp|waive|request`: what is done about takes that are not right as they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import TakeCheckKind, value_of, word_of
from tapelog_cli.typed.naming import project_of, song_name
from tapelog_cli.typed.timecodes import passage_of

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Track = Annotated[str, Parameter(help="Track id.")]
Reason = Annotated[str, Parameter(help="Why.")]
_NOBODY = Connection()


async def define_track(
    song: SongName,
    track: Track,
    title: Annotated[str, Parameter(help="Title to show.")],
    *,
    required: Annotated[bool, Parameter(help="Whether the gate to mixing waits for a take of it.")] = True,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Define a track before there is a take of it."""
    async with connection.open() as api:
        changed = await api.takes.define_track(await song_name(api, song), track, title, required=required)
    return tell(changed, f"{track}: {title}", json=json)


async def require(
    song: SongName,
    track: Track,
    reason: Reason,
    *,
    optional: Annotated[bool, Parameter(help="Make it optional instead.", negative=())] = False,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Make a track required or optional: the gate to mixing waits for required tracks alone."""
    async with connection.open() as api:
        name = await song_name(api, song)
        changed = await api.takes.set_requirement(name, track, reason, required=not optional)
    return tell(changed, f"{track}: {'optional' if optional else 'required'}", json=json)


async def clean(
    song: SongName,
    parent: Annotated[str, Parameter(help="Id of the take that it was made from.")],
    file: Annotated[Path, Parameter(help="The cleaned audio.")],
    *,
    treatment: Annotated[list[str], Parameter(negative=(), help="What was done to it; may be given again.")],
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Upload a cleaned take that names the one it was made from; that one is untouched."""
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.printed.transfers import bytes_bar

    async with connection.open() as api:
        name = await song_name(api, song)
        with bytes_bar(f"sending {file.name}", quiet=json) as progress:
            asset = await api.assets.upload(project_of(name), file, progress=progress)
        made = await api.takes.clean(name, parent, asset.sha256, treatment)
    return tell(made, f"{made.id} of {made.track}: {word_of(res.TakeCheckState, made.check_state)}", json=json)


async def comp(
    song: SongName,
    track: Track,
    *,
    region: Annotated[list[str], Parameter(negative=(), help="TAKE=0:12.5-0:30; once for each passage, in order.")],
    crossfade_ms: Annotated[float, Parameter(help="Into each passage from the one before.")] = 10.0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Put a track together from passages of its takes."""
    async with connection.open() as api:
        name = await song_name(api, song)
        rate_hz = (await api.songs.get(name)).sample_rate_hz
        regions = [_region(text, rate_hz, crossfade_ms if index else 0.0) for index, text in enumerate(region)]
        changed = await api.takes.set_comp(name, track, regions)
    return tell(changed, f"{track}: {len(regions)} passages", json=json)


async def waive(
    song: SongName,
    take: Annotated[str, Parameter(help="Take id.")],
    check: Annotated[TakeCheckKind, Parameter(help="The check that it fails.")],
    reason: Reason,
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Let a take pass although its noise, hum or start breaks the limit. For the producer."""
    from tapelog.session.v1 import resources_pb2 as res

    kind = value_of(res.TakeCheckKind, check)
    async with connection.open() as api:
        changed = await api.takes.waive_check(await song_name(api, song), take, kind, reason)
    return tell(changed, f"{take}: {check} waived", json=json)


async def request(
    song: SongName, track: Track, reason: Reason, *, connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Ask for another take of a track."""
    async with connection.open() as api:
        changed = await api.takes.request_another(await song_name(api, song), track, reason)
    return tell(changed, f"{track}: another take is asked for", json=json)


def _region(text: str, rate_hz: int, crossfade_ms: float) -> "res.CompRegion":
    from tapelog.session.v1 import resources_pb2 as res

    take, equals, passage = text.partition("=")
    if not (take and equals and "-" in passage):
        raise UsageError(f"--region {text!r} is not understood", hint="write --region tk-1=0:12.5-0:30")
    begin, end = passage_of(passage, rate_hz)
    made = res.CompRegion(take=take, crossfade_ms=crossfade_ms)
    made.range.start_frame, made.range.end_frame = begin, end
    return made
