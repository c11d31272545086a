"""`tapelog events …`."""

from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import JsonLines
from tapelog_cli.typed.filters import Chosen

ROLES = ("AUDITOR",)
_NOBODY = Connection()
_ALL = Chosen()


async def tail(
    *,
    from_: Annotated[
        int | None, Parameter(name="--from", help="Begin after this position; 0 is from the first event.")
    ] = None,
    count: Annotated[int, Parameter(help="Stop after this many events; 0 goes on until Ctrl-C.")] = 0,
    chosen: Chosen = _ALL,
    connection: Connection = _NOBODY,
    json: JsonLines = False,  # noqa: ARG001 - said on the command line alone
) -> int:
    """Print public events as JSON lines; goes on by itself when the connection breaks."""
    from tapelog_cli.printed.output import print_json_line
    from tapelog_cli.printed.shapes import event_as_dict

    printed = 0
    async with connection.open(default_roles=ROLES) as api:
        events = api.events.subscribe(
            projects=chosen.projects,
            songs=chosen.songs,
            types=chosen.types,
            thread=chosen.thread,
            after_position=from_,
        )
        async with aclosing(events) as stream:
            async for event in stream:
                print_json_line(event_as_dict(event))
                printed += 1
                if printed == count:
                    break
    return ExitCode.OK


async def replay(
    *,
    from_: Annotated[int, Parameter(name="--from", help="Begin after this position; 0 is from the first event.")] = 0,
    to: Annotated[int, Parameter(name="--to", help="End with this position; 0 is the last event there is now.")] = 0,
    chosen: Chosen = _ALL,
    connection: Connection = _NOBODY,
    json: JsonLines = False,  # noqa: ARG001 - said on the command line alone
) -> int:
    """Print public events of the past as JSON lines, and end."""
    from tapelog_cli.printed.output import print_json_line
    from tapelog_cli.printed.shapes import event_as_dict

    async with connection.open(default_roles=ROLES) as api:
        end = to or await api.events.end()

        def check(position: int) -> None:
            if position >= end:
                raise _EndReachedError

        if from_ >= end:
            return ExitCode.OK
        events = api.events.subscribe(
            projects=chosen.projects,
            songs=chosen.songs,
            types=chosen.types,
            thread=chosen.thread,
            after_position=from_,
            on_position=check,
        )
        async with aclosing(events) as stream:
            try:
                async for event in stream:
                    if event.position > end:
                        break
                    print_json_line(event_as_dict(event))
            except _EndReachedError:
                pass
    return ExitCode.OK


class _EndReachedError(Exception):
    """There is nothing left to print."""
