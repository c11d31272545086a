"""Sends every RPC as many requests as asked, in rounds that can be gone on with, and says how calls ended."""

import asyncio
import collections
import contextlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tapelog_client import StackState

from .conftest import System
from .everything import EVERYBODY, ROLES, Everything, make_everything
from .learned_requests import Heard, Learner
from .rpcs import RPCS, Answer, Caller, Rpc

AT_ONCE: Final = 24
FOLLOWED_AT_ONCE: Final = 32
"""Streams that are listened to at a time: they wait, they do not work."""
CONNECTIONS: Final = 3
CUT_OFF: Final = ("", "Internal error from Core")
"""What grpc's own client says of an upload that the server refused while it was still being sent; servers say more."""
NEVER: Final = {"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS", "DEADLINE_EXCEEDED"}
REFUSALS_OF_BYTES: Final = {"MALFORMED_MESSAGE", "REQUEST_ID_REUSED"}
WRONG_KEPT: Final = 50
BROKER_AWAY: Final = ("Unreachable", "TimeoutError", "no answer to")
DESTRUCTIVE: Final = {
    "AddMember",
    "RemoveMember",
    "CloseProject",
    "CancelSong",
    "PutSongOnHold",
    "SendBackSong",
    "RequestSendBack",
    "DeleteSubscription",
    "PauseSubscription",
    "RejectTake",
    "RejectVersion",
    "SetPolicy",
}
"""What others could not go on after: asked of a project that only these get."""


WHOLE_LOG: Final = {"RebuildViews"}
"""What reads the whole log at each call: asked of a young one in a night of ten thousand."""


def wrong_with(rpc: Rpc, answer: Answer, request: bytes) -> str:
    """Return what is wrong with an answer, with the request's bytes; nothing for a good one."""
    if answer.shown[1:] == CUT_OFF or answer.shown[1] == "CURSOR_AHEAD":
        return ""
    is_field_named = answer.fields != [] and all(answer.fields)
    is_unnamed = answer.code == "INVALID_ARGUMENT" and not is_field_named
    if answer.code in NEVER or (is_unnamed and answer.shown[1] not in REFUSALS_OF_BYTES):
        return f"{rpc.path} {answer.shown} {request.hex()}"
    return ""


class Fuzz:
    """Requests to every RPC of a running system, through the wire and with a good token.

    Parameters
    ----------
    system : System
    folder : Path
        For stems.
    per_round : int
        Requests per RPC and round; each round has projects of its own.
    results : Path, optional
        JSON lines, one per RPC and round; rounds that are in it are done.
    rpcs : sequence of Rpc
        Which are sent to.
    """

    def __init__(
        self,
        system: System,
        folder: Path,
        per_round: int,
        results: Path | None = None,
        rpcs: Sequence[Rpc] = RPCS,
    ) -> None:
        self._rpcs = rpcs
        self._system = system
        self._folder = folder
        self._per_round = per_round
        self._results = results
        self._heard = Heard()
        self._learners = {rpc.name: Learner(rpc, number, self._heard) for number, rpc in enumerate(rpcs)}
        self.wrong: list[str] = []
        self.codes: collections.Counter[str] = collections.Counter()

    async def run(self, rounds: range, limit_s: float = float("inf")) -> None:
        """Run the rounds that are not in the results yet, until the time is over or too much is wrong."""
        began_s = time.monotonic()
        state = StackState.read(self._system.data_dir)
        done = {line["round"] for line in lines_of(self._results)}
        async with contextlib.AsyncExitStack() as stack:
            callers = [
                await stack.enter_async_context(Caller(state, EVERYBODY, tenant_roles=ROLES))
                for _ in range(CONNECTIONS)
            ]
            for number in rounds:
                if number in done:
                    continue
                if time.monotonic() - began_s > limit_s or len(self.wrong) > WRONG_KEPT:
                    break
                await self._round(number, callers)

    async def _round(self, number: int, callers: list[Caller]) -> None:
        async with self._system.api(EVERYBODY, tenant_roles=ROLES) as api:
            living, doomed = [await make_everything(api, self._folder) for _ in range(2)]
        self._heard.clear()
        tallies = {rpc.name: _Tally() for rpc in self._rpcs}
        for rpc in self._rpcs:
            place: Everything = doomed if rpc.name in DESTRUCTIVE else living
            self._learners[rpc.name].rename(place.names, place.examples)
        order = [rpc for rpc in self._rpcs for _ in range(self._per_round)]
        random.Random(number).shuffle(order)
        followed = iter([rpc for rpc in order if rpc.method.server_streaming])
        asked = iter([rpc for rpc in order if not rpc.method.server_streaming])
        async with asyncio.TaskGroup() as group:
            for index in range(AT_ONCE):
                group.create_task(self._ask(asked, callers[index % len(callers)], tallies))
            for index in range(FOLLOWED_AT_ONCE):
                group.create_task(self._ask(followed, callers[index % len(callers)], tallies))
        self._keep(number, tallies)

    async def _ask(self, rpcs: Iterator[Rpc], caller: Caller, tallies: dict[str, "_Tally"]) -> None:
        for rpc in rpcs:
            learner = self._learners[rpc.name]
            requests = learner.stream()
            began_s = time.perf_counter()
            answer = await caller.call(rpc, *requests)
            tally = tallies[rpc.name]
            tally.seconds += time.perf_counter() - began_s
            tally.codes[answer.code] += 1
            if answer.body:
                self._heard.hear(answer.body)
            tally.new += learner.learn(requests[0], answer)
            if wrong := wrong_with(rpc, answer, requests[0]):
                tally.wrong.append(wrong)

    def _keep(self, number: int, tallies: dict[str, "_Tally"]) -> None:
        rows = []
        for name, tally in tallies.items():
            self.codes.update(tally.codes)
            self.wrong.extend(tally.wrong)
            row: dict[str, Any] = {"round": number, "rpc": name, "requests": self._per_round, **vars(tally)}
            rows.append(json.dumps(row | {"seconds": round(tally.seconds, 2)}))
        if self._results is not None:
            with self._results.open("a") as file:
                file.write("\n".join(rows) + "\n")


class _Tally:
    def __init__(self) -> None:
        self.codes: collections.Counter[str] = collections.Counter()
        self.seconds = 0.0
        self.new = 0
        self.wrong: list[str] = []


def defects_in(log: Path) -> list[str]:
    """Return what a stack's log has tracebacks of, but for a broker that was too slow: answers do not show these."""
    lines = [line for line in log.read_text().splitlines() if '"exception"' in line]
    return [line for line in lines if not any(word in line for word in BROKER_AWAY)]


def lines_of(results: Path | None) -> list[dict[str, Any]]:
    """Return what was kept of rounds that are done."""
    if results is None or not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]


def summary_of(lines: list[dict[str, Any]]) -> str:
    """Say how many requests there were, per RPC at least, how calls ended, and how many got beyond the first checks."""
    codes: collections.Counter[str] = collections.Counter()
    sent: collections.Counter[str] = collections.Counter()
    reached: collections.Counter[str] = collections.Counter()
    for line in lines:
        codes.update(line["codes"])
        sent[line["rpc"]] += line["requests"]
        reached[line["rpc"]] += sum(
            count for code, count in line["codes"].items() if code not in ("INVALID_ARGUMENT", "UNAUTHENTICATED")
        )
    share = sum(reached.values()) / max(1, sum(sent.values()))
    wrong = sum(len(line["wrong"]) for line in lines)
    return (
        f"requests: {sum(sent.values())} over {len(sent)} RPCs, at least {min(sent.values(), default=0)} each; "
        f"beyond the checks of form {share:.0%} (least {min(reached.values(), default=0)}, "
        f"{sum(count > 0 for count in reached.values())} RPCs); wrong {wrong}; {dict(codes.most_common())}\n"
    )
