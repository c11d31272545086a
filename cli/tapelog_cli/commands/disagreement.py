"""`tapelog disagreement …`: questions that people do not agree on, and the producer's decisions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import DecisionKind, value_of, word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import short, song_name, version_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Id = Annotated[str, Parameter(help="Disagreement id; `tapelog disagreement list` shows them.")]
_NOBODY = Connection()


async def open_(
    song: SongName,
    question: Annotated[str, Parameter(help="What is to be decided.")],
    *,
    on: Annotated[str, Parameter(help="The version it is about, such as mix-2.")] = "",
    rule: Annotated[list[str] | None, Parameter(negative=(), help="Id of a rule of the brief.")] = None,
    note: Annotated[list[str] | None, Parameter(negative=(), help="Note id.")] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Open a disagreement; the gates stay closed until the producer has decided it."""
    async with connection.open() as api:
        name = await song_name(api, song)
        version = await version_name(api, song, on) if on else ""
        made = await api.disagreements.open(name, question, version=version, constraints=rule or (), notes=note or ())
    return _tell(made, json=json)


async def list_(song: SongName, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the disagreements of a song, with positions, options and decisions."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        found = (await api.songs.get(await song_name(api, song), **moment_of(as_of))).disagreements

    def row(item: "res.Disagreement") -> tuple[str, ...]:
        positions = "; ".join(f"{position.party}: {position.concern}" for position in item.positions)
        options = "; ".join(map(_option, item.options))
        state = word_of(res.DisagreementState, item.state)
        return item.id, state, short(item.version), item.question, positions, options, item.decision.rationale

    return tell_all(found, ("id", "state", "on", "question", "positions", "options", "decision"), row, json=json)


async def state(
    song: SongName,
    disagreement: Id,
    concern: Annotated[str, Parameter(help="What concerns you.")],
    *,
    wish: Annotated[str, Parameter(help="What you want.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say what concerns you, and what you want."""
    async with connection.open() as api:
        return _tell(
            await api.disagreements.state(await song_name(api, song), disagreement, concern, wish=wish), json=json
        )


async def propose(
    song: SongName,
    disagreement: Id,
    option: Annotated[str, Parameter(help="Short id for the option.")],
    description: Annotated[str, Parameter(help="What could be done.")],
    *,
    on: Annotated[str, Parameter(help="A version that lets it be heard, such as mix-3.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Propose an option, if possible with a version to hear."""
    async with connection.open() as api:
        version = await version_name(api, song, on) if on else ""
        name = await song_name(api, song)
        return _tell(
            await api.disagreements.propose(name, disagreement, option, description, version=version), json=json
        )


async def decide(
    song: SongName,
    disagreement: Id,
    kind: Annotated[DecisionKind, Parameter(help="Adopt an option, compromise, or defer.")],
    rationale: Annotated[str, Parameter(help="Why.")],
    *,
    option: Annotated[str, Parameter(help="Id of the option that is adopted.")] = "",
    brief: Annotated[Path | None, Parameter(help="The brief as it is amended: Brief as YAML or JSON.")] = None,
    waive: Annotated[list[str] | None, Parameter(negative=(), help="Rule of taste that may be broken.")] = None,
    consequence: Annotated[list[str] | None, Parameter(negative=(), help="What has to be done again.")] = None,
    revisit_when: Annotated[str, Parameter(help="When to look again.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Decide. For the producer. A compromise amends the brief (`--brief`) or waives a rule (`--waive`)."""
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.typed.written import read_brief

    chosen = value_of(res.DecisionKind, kind)
    async with connection.open() as api:
        changed = await api.disagreements.decide(
            await song_name(api, song),
            disagreement,
            chosen,
            rationale,
            option=option,
            brief=read_brief(brief) if brief is not None else None,
            waives=waive or (),
            consequences=consequence or (),
            revisit_when=revisit_when,
        )
    return _tell(changed, json=json)


async def consent(song: SongName, disagreement: Id, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Consent to the decision; the artist's consent puts its brief and waivers in force."""
    async with connection.open() as api:
        return _tell(await api.disagreements.consent(await song_name(api, song), disagreement), json=json)


async def close(
    song: SongName,
    disagreement: Id,
    *,
    comment: Annotated[str, Parameter(help="A last word.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """End a disagreement that is decided."""
    async with connection.open() as api:
        name = await song_name(api, song)
        return _tell(await api.disagreements.close(name, disagreement, comment=comment), json=json)


def _option(option: "res.DecisionOption") -> str:
    """Return an option; where it can be heard, with the gain that makes all of them equally loud."""
    heard = f" ({short(option.version)} at {option.match_gain_db:+.1f} dB)" if option.HasField("match_gain_db") else ""
    return f"{option.id}: {option.description}{heard}"


def _tell(disagreement: "res.Disagreement", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    return tell(disagreement, f"{disagreement.id}: {word_of(res.DisagreementState, disagreement.state)}", json=json)
