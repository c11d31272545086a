"""An approval deadline that passes by the clock of the running service."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.event_log import Metadata
from tapelog_chassis.testing import Broker, eventually
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.following.deadlines import CHECK_S
from tapelog_session.domain.versioning import versions

LEFT_S = 2.0
"""Of the hour, when the version comes into review."""


async def test_a_deadline_passes_by_the_clock_of_the_service_and_raises_one_alert(
    booked: Any, renders: Any, broker: Broker
) -> None:
    """A version put into review almost an hour ago, elsewhere: nothing before its hour is over, then one alert.

    Deadlines are whole hours, so the version is submitted by an instance whose clock is behind; the service that
    raises the alert goes by its own.
    """
    await booked.agree()
    await renders.record(booked.wav(440))
    policy = pb.Policy(solo=True, approval_deadline_hours=1)
    await booked.call("pia", "SetPolicy", wire.SetPolicyRequest(project=booked.project, policy=policy))
    recipe = booked.recipe((await booked.get_song()).takes[0].asset_sha256)
    # The song adopts the policy with its first version in review, which is sent back; the second one is the slow one.
    for number in (1, 2):
        propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=recipe)
        mix = await booked.call("mia", "ProposeMixVersion", propose)
        data = booked.wav(440 + number)
        await booked.keep(data)
        await renders.succeed(f"mixVersions/{number}", booked.audio(data))
        await booked.reaches(number, pb.VERSION_STATE_RENDERED)
        if number == 1:
            await booked.call("mia", "SubmitVersion", wire.SubmitVersionRequest(name=mix.name))
            await booked.call("pia", "RequestChanges", wire.RequestChangesRequest(name=mix.name, summary="warmer"))

    due = datetime.now(UTC) + timedelta(seconds=LEFT_S)
    behind = Aggregates.on(await broker.log("session"), clock=FakeClock(due - timedelta(hours=1)))
    project, song = booked.project.split("/")[1], booked.song.split("/")[3]
    await behind.songs.execute(
        behind.songs.aggregate("acme", song),
        lambda state: versions.submit(state, pb.VERSION_KIND_MIX, 2),
        request_id=str(uuid.uuid4()),
        request_hash="0" * 64,
        metadata=Metadata(actor="mia", project=project, song=song),
    )

    async def version() -> pb.Version:
        found: pb.Version = await booked.call("pia", "GetVersion", wire.GetVersionRequest(name=mix.name))
        return found

    waiting = await version()
    assert waiting.state == pb.VERSION_STATE_IN_REVIEW
    assert waiting.approval_due_time.ToDatetime(tzinfo=UTC) == due

    async def is_overdue() -> bool:
        return (await version()).approval_overdue

    await eventually(is_overdue, within_s=LEFT_S + 4 * CHECK_S)
    history = await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song, page_size=500))
    alerts = [event for event in history.events if "approval_deadline_missed" in event.type]
    assert len(alerts) == 1
    assert alerts[0].time.ToDatetime(tzinfo=UTC) >= due
    late = await version()
    assert (late.state, len(late.approvals)) == (pb.VERSION_STATE_IN_REVIEW, 0)
