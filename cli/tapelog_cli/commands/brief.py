"""`tapelog brief …`: the vision brief of a song, and recipes checked against it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.naming import song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import brief_pb2

_NOBODY = Connection()


async def propose(
    song: SongName,
    file: Annotated[Path, Parameter(help="Brief, YAML or JSON (docs/automix.md).")],
    *,
    reason: Annotated[str, Parameter(help="Why it is amended; needed from revision 2 on.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Propose the brief, or amend it; artist and producer agree to each revision."""
    from tapelog_cli.typed.written import read_brief

    wanted = read_brief(file)
    async with connection.open() as api:
        changed = await api.briefs.propose(await song_name(api, song), wanted, reason=reason)
    brief = changed.brief
    return tell(brief, f"revision {brief.revision}, {len(brief.constraints)} rules", json=json)


async def show(song: SongName, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show the brief in force: intent, rules in the artist's words, and who agreed."""
    async with connection.open() as api:
        found = (await api.songs.get(await song_name(api, song))).brief
    agreed = ", ".join(f"{item.party} ({item.role})" for item in found.agreements) or "nobody yet"
    return tell(
        found,
        f"revision {found.revision}, agreed by {agreed}",
        *([found.intent] if found.intent else []),
        *(f"  not wanted: {text}" for text in found.non_goals),
        *(f"  {rule.id} ({rule.WhichOneof('rule')}): {rule.statement}" for rule in found.constraints),
        json=json,
    )


async def agree(
    song: SongName,
    *,
    revision: Annotated[int, Parameter(help="The revision you read; 0 is the one in force now.")] = 0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Agree to the brief in your role."""
    async with connection.open() as api:
        name = await song_name(api, song)
        chosen = revision or (await api.songs.get(name)).brief.revision
        changed = (await api.briefs.agree(name, chosen)).brief
    state = "in force" if changed.agreed else "waits for others"
    return tell(changed, f"agreed to revision {changed.revision}: {state}", json=json)


async def check(
    song: SongName,
    recipe: Annotated[Path, Parameter(help="Mix recipe, YAML or JSON.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Check a mix recipe against the brief; stores and renders nothing, ends with 4 where it breaks a rule."""
    from tapelog.session.v1 import brief_pb2

    from tapelog_cli.typed.written import read_mix

    async with connection.open() as api:
        name = await song_name(api, song)
        answer = await api.briefs.check_recipe(name, read_mix(recipe, await api.songs.get(name)))
    tell(answer, *(verdict_words(verdict) for verdict in answer.verdicts), json=json)
    broken = any(verdict.verdict == brief_pb2.VERDICT_VIOLATION for verdict in answer.verdicts)
    return ExitCode.TARGET_MISSED if broken else ExitCode.OK


def verdict_words(verdict: "brief_pb2.BriefVerdict") -> str:
    """Return a verdict in one line, with the artist's words and the place in the recipe where a rule is broken."""
    from tapelog.session.v1 import brief_pb2

    line = f"{word_of(brief_pb2.Verdict, verdict.verdict)} {verdict.constraint}"
    if verdict.evidence:
        line += f": {verdict.evidence}"
    if verdict.verdict == brief_pb2.VERDICT_VIOLATION:
        line += f" [{', '.join(verdict.recipe_paths)}] {verdict.statement!r}"
    return line
