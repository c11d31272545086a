"""`tapelog delivery …`: the package that a label gets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import CliError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import SendBackReason, Stage, value_of, word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import delivery_name, project_of, song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Name = Annotated[str, Parameter(help=".../deliveries/{delivery}, or a song for its newest package.")]
MANIFEST = "manifest.json"
_NOBODY = Connection()


class UnsafeFilename(CliError):  # noqa: N818 - names a state
    """A package names a file outside of its folder."""


async def build(
    song: SongName,
    initials: Annotated[str, Parameter(help="The mixer's initials, for file names.")],
    *,
    spec: Annotated[Path | None, Parameter(help="What the label wants: DeliverySpec as YAML or JSON.")] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Build a package: a draft in mastering, the final one when delivered; what is missing is listed, all of it."""
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.typed.written import read_message

    wanted = read_message(spec, res.DeliverySpec()) if spec is not None else None
    async with connection.open() as api:
        made = await api.deliveries.build(await song_name(api, song), initials, spec=wanted)
    return _tell(made, json=json)


async def show(name: Name, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show a package: its state and files."""
    async with connection.open() as api:
        found = await api.deliveries.get(await delivery_name(api, name), **moment_of(as_of))
    return _tell(found, json=json)


async def accept(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Accept the final package. For the label."""
    async with connection.open() as api:
        changed = await api.deliveries.accept(await delivery_name(api, name))
    return _tell(changed, json=json)


async def hand_over(
    name: Name,
    recipient: Annotated[str, Parameter(help="Party id of who gets it, a member who acts for the label.")],
    *,
    comment: Annotated[str, Parameter(help="A word with it.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Record that the final package was handed over to the label."""
    async with connection.open() as api:
        changed = await api.deliveries.hand_over(await delivery_name(api, name), recipient, comment)
    return _tell(changed, json=json)


async def rebuild(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Make manifest and documents anew from the log; ends with 4 where a byte is not the same."""
    async with connection.open() as api:
        answer = await api.deliveries.rebuild(await delivery_name(api, name))
    words = "the same, byte for byte" if answer.identical else f"DIFFERENT: {', '.join(answer.different)}"
    tell(answer, f"manifest {answer.manifest_sha256}: {words}", json=json)
    return ExitCode.OK if answer.identical else ExitCode.TARGET_MISSED


async def verify(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Copy the final package to the archive and read both copies whole; the gate to archived waits for it."""
    async with connection.open() as api:
        changed = await api.deliveries.verify(await delivery_name(api, name))
    return tell(changed, f"{changed.delivery}: both copies were read whole and recorded", json=json)


async def return_(
    name: Name,
    text: Annotated[str, Parameter(help="What has to be done, in words; it becomes a note.")],
    *,
    to: Annotated[Stage, Parameter(help="The stage that has to be done again.")] = "mixing",
    reason: Annotated[SendBackReason, Parameter(help="What kind of thing it is.")] = "creative-change",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Return the final package, as the label, with a note that says why; `tapelog song send-back` moves the song."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        delivery = await delivery_name(api, name)
        song = delivery.partition("/deliveries/")[0]
        may_return = (await api.deliveries.get(delivery)).state in {
            res.DELIVERY_STATE_FINAL,
            res.DELIVERY_STATE_ACCEPTED,
        }
        # No note is left behind by a return that is going to be refused.
        notes = [(await api.notes.add_to_song(song, text)).id] if may_return else []
        changed = await api.deliveries.return_(
            delivery, value_of(res.Stage, to), value_of(res.SendBackReason, reason), text, notes=notes
        )
    wanted = " ".join(f"--note {note}" for note in notes)
    return tell(
        changed,
        f"{changed.name}: {word_of(res.DeliveryState, changed.state)}",
        f"the producer sends it back: tapelog song send-back {song} {to} --reason {reason} {wanted}",
        json=json,
    )


async def download(
    name: Name,
    *,
    out: Annotated[Path, Parameter(help="Folder to write to; made if missing.")],
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Download every file of a package and its manifest, each verified by its SHA-256."""
    from tapelog_cli.printed.output import print_json
    from tapelog_cli.printed.transfers import bytes_bar

    async with connection.open() as api:
        package = await api.deliveries.get(await delivery_name(api, name))
        project = project_of(package.name)
        wanted = [(file.filename, file.sha256) for file in package.files] + [(MANIFEST, package.manifest_sha256)]
        for filename, _ in wanted:
            if Path(filename).name != filename:
                raise UnsafeFilename(f"the package names {filename!r}", hint="nothing was written; tell the studio")
        for filename, sha256 in wanted:
            with bytes_bar(f"fetching {filename}", quiet=json) as progress:
                await api.assets.download(project, sha256, out / filename, progress=progress)
    if json:
        print_json({"folder": str(out), "files": [{"filename": file, "sha256": sha256} for file, sha256 in wanted]})
        return ExitCode.OK
    return tell(package, f"{len(wanted)} files in {out}", json=False)


def _tell(package: "res.DeliveryPackage", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.printed.shapes import mebibytes

    return tell(
        package,
        f"{package.name}: {word_of(res.DeliveryState, package.state)}, {len(package.files)} files",
        *(f"  {file.role:<10} {file.filename} ({mebibytes(file.size_bytes)})" for file in package.files),
        json=json,
    )
