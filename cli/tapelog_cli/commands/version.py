"""What `tapelog mix …` and `tapelog master …` have in common: versions of a song."""

from typing import TYPE_CHECKING

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.moments import moment_of
from tapelog_cli.typed.naming import Kind, project_id, project_of, short, version_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res
    from tapelog_client import Tapelog


async def rendered(api: "Tapelog", version: "res.Version", *, quiet: bool) -> "res.Version":
    """Show the progress of a version's render and return the version once it is rendered."""
    import asyncio
    from contextlib import aclosing

    from tapelog_client import TapelogApiError

    from tapelog_cli.printed.transfers import PERCENT, percent_bar

    async def watch() -> None:
        """Draw the job's progress; whether it is done the song says, so a failure to look is no failure."""
        try:
            job = await _job_of(api, version)
            async with aclosing(api.renders.watch(job)) as states:
                async for state in states:
                    show(PERCENT if state.HasField("result") else state.progress_percent)
        except TapelogApiError:
            return

    with percent_bar(f"rendering {short(version.name)}", quiet=quiet) as show:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            done = await api.versions.wait_rendered(version.name)
            watching.cancel()
    return done


async def follow_proposal(api: "Tapelog", made: "res.Version", *, wait: bool, submit: bool, json: bool) -> int:
    """Wait for what was proposed where that is asked for, put it before artist and producer, and tell how it stands."""
    if wait or submit:
        made = await rendered(api, made, quiet=json)
    if submit:
        made = await api.versions.submit(made.name)
    return tell_version(made, json=json)


async def show_version(connection: Connection, song: str, number: str, *, kind: Kind, as_of: str, json: bool) -> int:
    """Tell how a version stands, or stood."""
    async with connection.open() as api:
        name = await version_name(api, song, number, kind=kind)
        found = await api.versions.get(name, **moment_of(as_of))
    return tell_version(found, json=json)


async def submit_version(connection: Connection, song: str, number: str, *, kind: Kind, json: bool) -> int:
    """Put a rendered version before the artist and the producer."""
    async with connection.open() as api:
        changed = await api.versions.submit(await version_name(api, song, number, kind=kind))
    return tell_version(changed, json=json)


def tell_version(version: "res.Version", *, json: bool) -> int:
    """Print a version: where it stands, how loud it is, and every rule of the brief that is not plainly kept."""
    from tapelog.session.v1 import brief_pb2
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.commands.brief import verdict_words
    from tapelog_cli.printed.shapes import format_words, loudness_words

    notable = (brief_pb2.VERDICT_VIOLATION, brief_pb2.VERDICT_NOT_MEASURED)
    approvals = [f"{item.party} ({word_of(res.Role, item.role)})" for item in version.approvals if not item.superseded]
    is_open = version.state in (
        res.VERSION_STATE_PROPOSED,
        res.VERSION_STATE_RENDERED,
        res.VERSION_STATE_IN_REVIEW,
    )
    given = {item.role for item in version.approvals if not item.superseded}
    waiting = [word_of(res.Role, role) for role in version.required_approvals if is_open and role not in given]
    return tell(
        version,
        f"{short(version.name)}: {word_of(res.VersionState, version.state)}, by {version.proposed_by}",
        version.name,
        *([version.comment] if version.comment else []),
        *(f"  {format_words(audio.format)}: {loudness_words(audio.measurements)}" for audio in version.audio),
        *(f"  {verdict_words(verdict)}" for verdict in version.verdicts if verdict.verdict in notable),
        *([f"  approved by {', '.join(approvals)}"] if approvals else []),
        *([f"  needs {', '.join(waiting)}"] if waiting else []),
        json=json,
    )


async def tell_difference(api: "Tapelog", before: str, after: str, *, json: bool) -> int:
    """Print what changed in the recipe and in the measured sound between two versions."""
    from tapelog_cli.printed.output import out, plain, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    found = await api.versions.diff(before, after)
    if json:
        print_json(as_dict(found))
        return ExitCode.OK
    rows = table("where", short(before), short(after))
    for change in found.recipe:
        rows.add_row(*plain(change.path, change.before, change.after))
    for measured in found.sound:
        rows.add_row(f"{measured.quantity} ({measured.unit})", f"{measured.before:.2f}", f"{measured.after:.2f}")
    out().print(rows)
    out().print("the samples are the same" if found.same_samples else "the samples differ")
    return ExitCode.OK


async def _job_of(api: "Tapelog", version: "res.Version") -> str:
    """Return the name of a version's render job; it is queued soon after the version is proposed."""
    from tapelog_client.versions import RENDER_TIMEOUT_S
    from tapelog_client.waiting import poll

    key = "/".join(version.name.split("/")[-2:])
    song = version.name.split("/")[3]

    async def look() -> str | None:
        async for job in api.renders.list(project=project_id(project_of(version.name))):
            if job.reference.key == key and job.reference.song == song:
                return job.name
        return None

    return await poll(look, timeout_s=RENDER_TIMEOUT_S)
