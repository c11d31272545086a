"""Webhook endpoints in a process of their own: one that is well, one of each kind that is not.

Prints a JSON object with their ports, then waits for a line, then prints what the healthy one got and how late.
"""

import asyncio
import json
import sys
import time
from datetime import datetime

from tapelog_notify.testing_hostile import Behaviour, HostileEndpoint, Request


class Healthy(HostileEndpoint):
    """Answers at once, and remembers who got what and how late, but no bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[int]] = {}
        self.waits_s: list[float] = []

    def take(self, request: Request) -> None:
        """Note one delivery."""
        told = json.loads(request.body)
        self.waits_s.append(time.time() - datetime.fromisoformat(told["time"]).timestamp())
        self.seen.setdefault(request.path, []).append(int(told["sequence"]))


def say(value: object) -> None:
    """Write a line for the process that started this one."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serve until told to report."""
    async with (
        Healthy() as healthy,
        HostileEndpoint(usual=Behaviour(status=500)) as failing,
        HostileEndpoint(usual=Behaviour("drip head", status=200)) as dripping,
        HostileEndpoint(usual=Behaviour("silent")) as silent,
    ):
        say({"healthy": healthy.port, "failing": failing.port, "dripping": dripping.port, "silent": silent.port})
        await asyncio.to_thread(sys.stdin.readline)
        say({"seen": healthy.seen, "waits_s": healthy.waits_s, "cpu_s": time.process_time()})


if __name__ == "__main__":
    asyncio.run(main())
