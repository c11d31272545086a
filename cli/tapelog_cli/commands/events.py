"""`tapelog events …`."""

from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Party, Tenant, data_dir_or_default


async def tail(
    *,
    party: Party,
    from_: Annotated[
        int | None, Parameter(name="--from", help="Begin after this position; 0 is from the first event.")
    ] = None,
    type_: Annotated[
        list[str] | None,
        Parameter(name="--type", help="Full type, or a prefix that ends in *; may be given again."),
    ] = None,
    count: Annotated[int, Parameter(help="Stop after this many events; 0 goes on until Ctrl-C.")] = 0,
    tenant_role: Annotated[
        tuple[str, ...], Parameter(help="Role in the whole tenant under which to read.", negative=())
    ] = ("AUDITOR",),
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> int:
    """Print public events as JSON lines; goes on by itself when the connection breaks."""
    from tapelog_client import Tapelog

    from tapelog_cli.output import print_json_line
    from tapelog_cli.shapes import event_as_dict

    printed = 0
    folder = data_dir_or_default(data_dir)
    async with Tapelog.local(folder, party=party, tenant=tenant, tenant_roles=tenant_role) as api:
        events = api.events.subscribe(types=type_ or (), after_position=from_)
        async with aclosing(events) as stream:
            async for event in stream:
                print_json_line(event_as_dict(event))
                printed += 1
                if printed == count:
                    break
    return ExitCode.OK
