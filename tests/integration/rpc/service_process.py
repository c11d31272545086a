"""A service's process for the lifecycle tests: what `run` does is the first argument."""

import asyncio
import sys

from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.lifecycle import Ready, run_service
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_chassis.rpc.testing_rpc import TokenFactory
from tapelog_chassis.settings import ServiceSettings


async def run(settings: ServiceSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Behave as told."""
    kind = sys.argv[1]
    if kind == "refuse":
        raise ConfigRefusal("no such broker")
    if kind == "refuse-in-group":
        async with asyncio.TaskGroup() as group:
            group.create_task(refuse())
    if kind == "crash":
        raise RuntimeError("swordfish")
    verifier = TokenFactory(audience="desk").verifier()
    async with build_server(settings.server_config(), [], verifier=verifier, policies={}) as server:
        ready(address=server.address)
        await stop.wait()
        if kind == "hang":
            await asyncio.Event().wait()


async def refuse() -> None:
    """Refuse from inside a task."""
    raise ConfigRefusal("no such broker")


if __name__ == "__main__":
    sys.exit(run_service(run, ServiceSettings, service="desk", stop_s_max=1.0))
