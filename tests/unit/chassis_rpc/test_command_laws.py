"""Laws of command execution, over random histories of requests, processes, restarts and lost answers."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapelog_chassis.errors import Aborted, InvalidArgument, Unavailable

REQUESTS = [str(uuid.UUID(int=n)) for n in range(1, 7)]
PARTIES = ["ana", "ben", "cleo"]

STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "process": st.integers(0, 2),
            "restart": st.booleans(),
            "request": st.sampled_from(REQUESTS),
            "verb": st.sampled_from(["add", "remove"]),
            "party": st.sampled_from(PARTIES),
            "etag": st.sampled_from(["none", "right", "stale"]),
            "trouble": st.sampled_from(["", "", "", "lose_answers", "lose_requests"]),
        }
    ),
    max_size=30,
)


class Model:
    """What must be true, computed the plain way: a list of accepted requests."""

    def __init__(self) -> None:
        self.bodies: dict[str, tuple[str, str]] = {}
        self.sequence_of: dict[str, int] = {}
        self.parties: list[str] = []

    def expect(self, step: dict[str, Any]) -> str:
        """Say how the step must end, and take it in when it is accepted."""
        request, body = step["request"], (step["verb"], step["party"])
        if request in self.bodies:
            return "replay" if self.bodies[request] == body else "reused"
        if step["etag"] == "stale":
            return "aborted"
        if step["verb"] == "add" and step["party"] in self.parties:
            return "refused"
        if step["verb"] == "remove" and step["party"] not in self.parties:
            return "empty"
        if step["trouble"] == "lose_requests":
            return "unavailable"
        self.bodies[request] = body
        self.sequence_of[request] = len(self.bodies)
        if step["verb"] == "add":
            self.parties.append(step["party"])
        else:
            self.parties.remove(step["party"])
        return "unavailable" if step["trouble"] == "lose_answers" else "appended"


async def end_of(call: Any, already_in: type[Exception]) -> tuple[str, Any]:
    """Return how a command ended."""
    try:
        outcome = await call
    except InvalidArgument as error:
        return {"REQUEST_ID_REUSED": "reused"}[error.reason], None
    except Aborted:
        return "aborted", None
    except Unavailable:
        return "unavailable", None
    except already_in:
        return "refused", None
    if not outcome.events:
        return "empty", outcome
    return "replay" if outcome.replayed else "appended", outcome


@pytest.fixture
def troubled_log(log: Any) -> Callable[[], Any]:
    """Give a maker of fresh logs, one per example."""
    return type(log)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_every_history_follows_the_model(steps: Any, troubled_log: Any, open_desk: Callable[..., Any]):
    """Three processes with stale caches, restarts and lost answers behave as one plain list of requests."""

    async def play() -> None:
        log, model = troubled_log(), Model()
        desks = [open_desk(log=log) for _ in range(3)]
        for step in steps:
            if step["restart"]:
                desks[step["process"]] = open_desk(log=log)
            desk = desks[step["process"]]
            sequence = len(model.bodies)
            etag = {"none": "", "right": f'"{sequence}"', "stale": f'"{sequence + 7}"'}[step["etag"]]
            expected = model.expect(step)
            log.lose_answers = log.lose_requests = 0
            if expected == "unavailable":
                setattr(log, step["trouble"], 10)
            verb = getattr(desk, step["verb"])
            body = f"{step['verb']} {step['party']}"
            ended, outcome = await end_of(
                verb(step["party"], request_id=step["request"], body=body, etag=etag), desk.already_in
            )
            log.lose_answers = log.lose_requests = 0
            if expected == "replay":
                assert ended in {"replay", "appended"}
            else:
                assert ended == expected
            if outcome is not None and outcome.events:
                written = model.sequence_of[step["request"]]
                assert [event.sequence for event in outcome.events] == [written]
                assert outcome.versioned.sequence == written
        for desk in desks:
            assert await desk.parties() == tuple(model.parties)
        assert await log.head("session") == len(model.bodies)

    asyncio.run(play())
