"""`tapelog render mix|master|preview|stems|comp|album|analyze|repair`: jobs for a song, beside its versions."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json, SongName
from tapelog_cli.typed.naming import song_name

if TYPE_CHECKING:
    from tapelog.render.v1 import resources_pb2 as render
    from tapelog.session.v1 import resources_pb2 as res

MixFile = Annotated[Path, Parameter(help="Mix recipe; the files it names must be takes of the song.")]
Asset = Annotated[str, Parameter(help="SHA-256 of an upload or of a rendered file of the project.")]
TIMEOUT_S: Final = 3600.0
"""How long `--wait` waits."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NOBODY = Connection()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a job is asked for, the same for every kind."""

    estimate: Annotated[bool, Parameter(negative="", help="Only say what it would cost; nothing is queued.")] = False
    wait: Annotated[bool, Parameter(help="Wait until it has ended.")] = True
    connection: Connection = _NOBODY


_ASKED = Asked()


async def mix(
    song: SongName,
    recipe: MixFile,
    *,
    mute: Annotated[list[str] | None, Parameter(help="Tag or id of tracks to leave out: an alternate.")] = None,
    solo: Annotated[list[str] | None, Parameter(help="Tag or id of the only tracks to hear: an alternate.")] = None,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Render a mix, or an alternate of it, without proposing a version."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_mix

    def job(of: "res.Song") -> "render.RenderJob":
        made = render.RenderJob(kind=render.RENDER_KIND_MIX, mix=render.MixSpec(recipe=read_mix(recipe, of)))
        if mute or solo:
            made.kind = render.RENDER_KIND_ALTERNATE
            made.mix.alternate.id = "alternate"
            made.mix.alternate.mute.extend(mute or [])
            made.mix.alternate.solo.extend(solo or [])
        return made

    return await _ask(asked, song, job, json=json)


async def master(
    song: SongName,
    recipe: Annotated[Path, Parameter(help="Master recipe.")],
    asset: Asset,
    *,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Render a master of a mix that is stored, without proposing a version."""
    from tapelog.common.v1 import recipe_pb2
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_master

    wanted = read_master(recipe)
    wanted.source.CopyFrom(recipe_pb2.RecipeSource(asset_sha256=_digest(asset)))
    job = render.RenderJob(kind=render.RENDER_KIND_MASTER, master=render.MasterSpec(recipe=wanted))
    return await _ask(asked, song, lambda _: job, json=json)


async def preview(
    song: SongName,
    source: Annotated[str, Parameter(help="Mix recipe (a file), or the SHA-256 of an upload or a rendered file.")],
    passage: Annotated[str, Parameter(help="What to hear: 1:02.5-1:10.")],
    *,
    loudness_lufs: Annotated[float, Parameter(help="Integrated loudness of the passage.")] = -23.0,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Render a passage at a stated loudness: previews of one loudness can be compared by ear."""
    from tapelog.common.v1 import audio_pb2
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.timecodes import passage_of
    from tapelog_cli.typed.written import read_mix

    def job(of: "res.Song") -> "render.RenderJob":
        spec = render.PreviewSpec(target_lufs=loudness_lufs)
        rate_hz = of.sample_rate_hz
        if _DIGEST.fullmatch(source):
            spec.asset_sha256 = source
        else:
            spec.mix.CopyFrom(read_mix(Path(source), of))
            rate_hz = spec.mix.sample_rate_hz or rate_hz
        first, after = passage_of(passage, rate_hz)
        spec.range.CopyFrom(audio_pb2.FrameRange(start_frame=first, end_frame=after))
        return render.RenderJob(kind=render.RENDER_KIND_PREVIEW, preview=spec)

    return await _ask(asked, song, job, json=json)


async def stems(
    song: SongName,
    recipe: MixFile,
    *,
    stem: Annotated[
        list[str] | None, Parameter(help="drums=kick,snare: a stem and its tracks, buses or tags. Default: one a bus.")
    ] = None,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Render a mix into stems that sum to it."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_mix

    groups = [_group(text) for text in stem or []]

    def job(of: "res.Song") -> "render.RenderJob":
        spec = render.StemsSpec(recipe=read_mix(recipe, of), groups=groups)
        return render.RenderJob(kind=render.RENDER_KIND_STEMS, stems=spec)

    return await _ask(asked, song, job, json=json)


async def comp(
    song: SongName,
    file: Annotated[
        Path, Parameter(help="A map with `passages`: asset_sha256, range, crossfade_frames; YAML or JSON.")
    ],
    *,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Put one recording together from passages of takes."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_message

    job = render.RenderJob(kind=render.RENDER_KIND_COMP, comp=read_message(file, render.CompSpec()))
    return await _ask(asked, song, lambda _: job, json=json)


async def album(
    song: SongName,
    file: Annotated[Path, Parameter(help="A map with `songs` and `target`, the fields of AlbumSpec; YAML or JSON.")],
    *,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Master songs as one album, their relative loudness kept; it is billed to the song that is named."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_message

    job = render.RenderJob(kind=render.RENDER_KIND_ALBUM, album=read_message(file, render.AlbumSpec()))
    return await _ask(asked, song, lambda _: job, json=json)


async def analyze(
    song: SongName,
    asset: Asset,
    *,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Decode and measure a file of the project."""
    from tapelog.render.v1 import resources_pb2 as render

    spec = render.AnalysisSpec(asset_sha256=_digest(asset))
    job = render.RenderJob(kind=render.RENDER_KIND_ANALYSIS, analysis=spec)
    return await _ask(asked, song, lambda _: job, json=json)


async def repair(
    song: SongName,
    asset: Asset,
    *,
    tool: Annotated[list[str] | None, Parameter(help="Only these tools, such as click or hum. Default: all.")] = None,
    asked: Asked = _ASKED,
    json: Json = False,
) -> int:
    """Repair a file of the project where a tool proves its defect."""
    from tapelog.render.v1 import resources_pb2 as render

    spec = render.RepairSpec(asset_sha256=_digest(asset), tools=tool or [])
    job = render.RenderJob(kind=render.RENDER_KIND_REPAIR, repair=spec)
    return await _ask(asked, song, lambda _: job, json=json)


async def _ask(asked: Asked, song: str, job_of: "Callable[[res.Song], render.RenderJob]", *, json: bool) -> int:
    """Ask for a job of a song, and tell how it ended, or what it would cost."""
    from tapelog_cli.commands.render import cost_words, follow, tell_job
    from tapelog_cli.printed.answers import tell

    async with asked.connection.open() as api:
        of = await api.songs.get(await song_name(api, song))
        job = job_of(of)
        _, project, _, song_id = of.name.split("/")
        job.reference.project, job.reference.song, job.reference.cycle = project, song_id, of.cycle
        job.reference.key = f"desk/{uuid.uuid4()}"
        job.expected_length_frames = _length_frames(job, of)
        if asked.estimate:
            found = await api.renders.estimate(job)
            return tell(found, cost_words(found), json=json)
        made: Any = await api.renders.create(job)
        if asked.wait:
            return await follow(api, made.name, json=json, timeout_s=TIMEOUT_S)
    return tell_job(made, json=json)


def _length_frames(job: "render.RenderJob", song: "res.Song") -> int:
    """Return the length of the longest take in a job, by which it is estimated and reserved; 0 where none is known."""
    lengths = {take.asset_sha256: take.measurements.length_frames for take in song.takes}
    recipe = job.mix.recipe if job.HasField("mix") else job.stems.recipe
    assets = {track.source.asset_sha256 for track in recipe.tracks} | {job.repair.asset_sha256}
    return max((lengths.get(asset, 0) for asset in assets), default=0)


def _digest(text: str) -> str:
    if _DIGEST.fullmatch(text) is None:
        raise UsageError(f"{text!r} is no SHA-256", hint="`tapelog take list SONG --json` shows those of the takes")
    return text


def _group(text: str) -> "render.StemGroup":
    from tapelog.render.v1 import resources_pb2 as render

    id_, equals, members = text.partition("=")
    if not (id_ and equals and members):
        raise UsageError(f"{text!r} is no stem", hint="write drums=kick,snare")
    return render.StemGroup(id=id_, members=[member.strip() for member in members.split(",")])
