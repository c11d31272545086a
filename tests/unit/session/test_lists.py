"""The rows of lists: what cannot be read is stepped over by itself, and no tenant's numbers count another's."""

from datetime import UTC, datetime

from tapelog.session.v1 import events_pb2 as pb
from tapelog_chassis.event_log import AggregateId, ForeignMessage, MemoryEventLog, Metadata, NewEvent
from tapelog_session.application.aggregates import CONTEXT, EVENTS
from tapelog_session.application.reading.lists import Lists
from tapelog_session.application.reading.views import Views

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FUTURE = "tapelog.project.sold.v9"


async def add(log: MemoryEventLog, tenant: str, id_: str, message: object, *, project: str, type_: str = "") -> int:
    """Append one event to an aggregate; return its position."""
    aggregate = AggregateId(CONTEXT, tenant, id_)
    sequence = len(await log.load(aggregate))
    new = NewEvent(
        event_id=f"{id_}-{sequence}",
        type=type_ or EVENTS.type_of(message),
        schema=message.DESCRIPTOR.full_name,
        data=message.SerializeToString(),
        time=NOW,
    )
    (stored,) = await log.append(aggregate, sequence, [new], Metadata(project=project))
    return stored.position


async def rows_of(log: MemoryEventLog) -> Lists:
    """Fold everything."""
    rows = Lists()
    async for item in log.read_all(CONTEXT):
        rows.apply(item, EVENTS)
    return rows


async def test_no_number_of_a_tenant_counts_anothers() -> None:
    """Ten projects with songs of one tenant: those of the other are numbered from 1, in page tokens too."""
    log = MemoryEventLog()
    for number in range(10):
        await add(log, "acme", f"prj-a{number}", pb.ProjectCreated(project=f"prj-a{number}"), project=f"prj-a{number}")
        await add(log, "acme", f"sng-a{number}", pb.SongCreated(song=f"sng-a{number}"), project=f"prj-a{number}")
    await add(log, "bell", "prj-b", pb.ProjectCreated(project="prj-b"), project="prj-b")
    await add(log, "bell", "sng-b", pb.SongCreated(song="sng-b"), project="prj-b")
    rows = await rows_of(log)
    assert [project.order for project in rows.by_tenant["acme"]] == list(range(1, 11))
    assert [project.order for project in rows.by_tenant["bell"]] == [1]
    assert rows.songs["bell", "sng-b"].place == 1
    assert [rows.songs["acme", f"sng-a{number}"].place for number in range(10)] == list(range(1, 11))


async def test_an_event_of_a_newer_version_stops_its_own_project_alone() -> None:
    """The project stays as it was before, and is not said to be known; the other one moves on."""
    log = MemoryEventLog()
    for project in ("prj-one", "prj-two"):
        await add(log, "acme", project, pb.ProjectCreated(project=project), project=project)
    await add(log, "acme", "prj-one", pb.ProjectCreated(), project="prj-one", type_=FUTURE)
    await add(log, "acme", "prj-one", pb.MemberAdded(party="pty-x"), project="prj-one")
    last = await add(log, "acme", "prj-two", pb.MemberAdded(party="pty-x"), project="prj-two")
    views = Views(log, CONTEXT, EVENTS)
    async for item in log.read_all(CONTEXT):
        views.apply(item)
    assert views.position == last
    assert (views.project_sequence("acme", "prj-one"), views.project_sequence("acme", "prj-two")) == (None, 2)
    assert await views.rebuild()


async def test_a_foreign_message_moves_the_position_on() -> None:
    """Whoever waits for the log's end is not left waiting because of it; its project is not said to be known."""
    log = MemoryEventLog()
    position = await add(log, "acme", "prj-one", pb.ProjectCreated(project="prj-one"), project="prj-one")
    rows = await rows_of(log)
    for number, subject in enumerate(("es.session.acme.prj-one", "es.session.ACME.!"), start=1):
        rows.apply(ForeignMessage(subject, position + number, "junk"), EVENTS)
    assert (rows.position, len(rows.gaps)) == (position + 2, 1)
    assert AggregateId(CONTEXT, "acme", "prj-one") in rows.gaps
