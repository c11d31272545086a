"""The whole system on one machine, as `tapelog up` and `tapelog demo` run it: read it as the topology.

The parts talk over gRPC and NATS on loopback, as they do in separate processes; there is no shortcut in memory.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import tapelog_console.main
import tapelog_notify.main
import tapelog_render.main
import tapelog_session.main
from tapelog_client.local import StackState

from tapelog_cli.installation.parts import Parts
from tapelog_cli.installation.plan import StackOptions, prepared


@asynccontextmanager
async def running_stack(options: StackOptions) -> AsyncIterator[StackState]:
    """Start everything, in order, and stop it in order at the end: who makes events before who passes them on.

    Raises
    ------
    DataFolderInUse
        Another stack has the data folder.
    PortInUse
        Another process has a port.
    PartFailed
        A part stopped that should have run on; the others were stopped too.
    """
    async with prepared(options) as plan, Parts() as parts:
        await parts.start("session", tapelog_session.main.run, plan.session)
        await parts.start("render", tapelog_render.main.run, plan.render)
        await parts.start("notify", tapelog_notify.main.run, plan.notify)
        await parts.start("console", tapelog_console.main.run, plan.console)
        yield plan.announce()
