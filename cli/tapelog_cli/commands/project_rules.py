"""`tapelog project …`: what is agreed about a project, and who may do what."""

from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.naming import project_name

Name = Annotated[str, Parameter(help="projects/{project}, or its id.")]
SERVICE = "/tapelog.session.v1.SessionService"
_NOBODY = Connection()


async def set_policy(
    name: Name,
    *,
    solo: Annotated[
        bool, Parameter(negative="", help="One person is artist and producer, and approves alone.")
    ] = False,
    quorum: Annotated[int, Parameter(help="How many artists have to approve; 0 is all.")] = 0,
    deadline_hours: Annotated[int, Parameter(help="When a missing approval is called overdue; 0 is never.")] = 0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Set how versions are approved. For the producer."""
    from tapelog.session.v1 import resources_pb2 as res

    policy = res.Policy(solo=solo, approval_quorum=quorum, approval_deadline_hours=deadline_hours)
    async with connection.open() as api:
        changed = await api.projects.set_policy(project_name(name), policy)
    return tell(changed, f"{changed.name}: {'solo' if changed.policy.solo else 'with others'}", json=json)


async def set_allowance(
    name: Name,
    rounds: Annotated[int, Parameter(help="Rounds of revision per song, 0 to 1000; 0 says nothing.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Set how many rounds of revision are part of what was agreed. For the producer."""
    async with connection.open() as api:
        changed = await api.projects.set_allowance(project_name(name), rounds)
    return tell(changed, f"{changed.name}: {changed.revision_allowance} rounds", json=json)


async def may(
    name: Name,
    rpc: Annotated[str, Parameter(help="Such as ApproveVersion; of other services the full name, /tapelog.…/…")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say whether you may do something in a project now; ends with 1 where not."""
    full = rpc if rpc.startswith("/") else f"{SERVICE}/{rpc}"
    async with connection.open() as api:
        answer = await api.projects.check_permission(project_name(name), full)
    tell(answer, "yes" if answer.allowed else f"no: {answer.reason}", json=json)
    return ExitCode.OK if answer.allowed else ExitCode.FAILURE


async def rebuild_views(*, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Make what lists and searches are answered from anew. For the tenant's ADMIN."""
    async with connection.open(default_roles=("ADMIN",)) as api:
        answer = await api.projects.rebuild_views()
    words = "the same as before" if answer.equal else "not the same as before"
    return tell(answer, f"made anew up to {answer.position}: {words}", json=json)
