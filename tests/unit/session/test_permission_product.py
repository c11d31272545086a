"""Every RPC, by everybody, in every stage: through the servicer's own methods, against the table of the matrix.

The rows are those of `test_permission_matrix`; an RPC of the proto without a row fails there, and here a row without a
request. Nothing is asked of the matrix in the code: what counts is how the service answers.
"""

import dataclasses
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.auth import LocalIssuer, Principal
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.errors import FailedPrecondition, PermissionDenied, ServiceError
from tapelog_chassis.event_log import MemoryEventLog, Metadata, NewEvent
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.rpc.request_context import CurrentRequest, acting_as, serving
from tapelog_chassis.unfinished import UnfinishedUploads
from tapelog_session.adapters.grpc_api_keys import IssuedTokens
from tapelog_session.adapters.grpc_common import Desk
from tapelog_session.adapters.servicer import SessionServicer
from tapelog_session.application.aggregates import CONTEXT, EVENTS, Aggregates
from tapelog_session.application.ports import Parties
from tapelog_session.application.reading.song_index import SongIndex
from tapelog_session.application.reading.views import Views
from tapelog_session.domain.permissions import SESSION

from .test_permission_matrix import ROLES, ROWS, STAGES

TENANT: Final = "acme"
PROJECT: Final = "projects/prj-1"
SONG: Final = f"{PROJECT}/songs/sng-1"
SHA: Final = "a" * 64
NAMES: Final = {
    "GetProject": PROJECT,
    "GetSong": SONG,
    "GetSongHistory": SONG,
    "GetAsset": f"{PROJECT}/assets/{SHA}",
    "GetDelivery": f"{SONG}/deliveries/dlv-1",
    "AcceptDelivery": f"{SONG}/deliveries/dlv-1",
    "ReturnDelivery": f"{SONG}/deliveries/dlv-1",
    "RebuildDelivery": f"{SONG}/deliveries/dlv-1",
    "HandOverDelivery": f"{SONG}/deliveries/dlv-1",
    "VerifyDelivery": f"{SONG}/deliveries/dlv-1",
    "GetVersion": f"{SONG}/mixVersions/1",
    "ApproveVersion": f"{SONG}/mixVersions/1",
    "RequestChanges": f"{SONG}/mixVersions/1",
    "RejectVersion": f"{SONG}/mixVersions/1",
    "WithdrawApproval": f"{SONG}/mixVersions/1",
    "SubmitVersion/mix": f"{SONG}/mixVersions/1",
    "SubmitVersion/master": f"{SONG}/masterVersions/1",
}
"""What `name` is in a request; of a studio session where nothing is said."""
IN_SONG: Final = {"ListSongEvents", "ListNotes"}
"""RPCs whose `parent` is the song."""
PERSON_OF: Final = {role: f"pty-{number}" for number, role in enumerate(ROLES, start=1)}
TOOL, STRANGER, UNRESOLVED, TOOL_OUTSIDE = "pty-tool", "pty-stranger", "pty-unresolved", "pty-tool-outside"
SESSION_ROWS: Final = [row for row in ROWS if not row[0].startswith("render/")]
OWN_BY_NATURE: Final = {"UploadAsset", "GetUpload"}
"""RPCs of which the outcome is the caller's own: `a` is `A`."""
LATER: Final = {("RequestSendBack", "LABEL"): "5"}
"""Where a role may call an RPC in fewer stages than others."""
IN_NEED_OF_KIND: Final = {"ApproveVersion", "RequestChanges", "RejectVersion", "WithdrawApproval", "SubmitVersion"}
"""Commands on a version, which besides want the stage of its kind."""


def _request(row: str) -> Any:
    """Return a request that names what there is, and says nothing else."""
    rpc = row.partition("/")[0]
    method = wire.DESCRIPTOR.services_by_name["SessionService"].methods_by_name[rpc]
    request = getattr(wire, method.input_type.name)()
    known = {field.name for field in method.input_type.fields}
    values = {
        "project": PROJECT,
        "song": SONG,
        "parent": SONG if rpc in IN_SONG else PROJECT,
        "name": NAMES.get(row, NAMES.get(rpc, f"{PROJECT}/studioSessions/ses-1")),
        "before": f"{SONG}/mixVersions/1",
        "after": f"{SONG}/mixVersions/1",
        "request_id": str(uuid.uuid4()),
    }
    if rpc in {"RequestAlternates", "RequestStems", "WaiveCheck"}:
        values["version"] = f"{SONG}/mixVersions/1"
    if rpc in OWN_BY_NATURE:
        header = wire.UploadHeader(parent=PROJECT, sha256=SHA, size_bytes=4096, request_id=values["request_id"])
        header.original_filename = "take.wav"
        return type(request)(header=header)
    for name in known & set(values):
        setattr(request, name, values[name])
    return request


def _history(stage: int) -> dict[str, list[Message]]:
    """Return the facts of a project with one person per role, and of a song with everything in it, in a stage."""
    members = [
        events_pb2.MemberAdded(party=party, roles=[pb.Role.Value(f"ROLE_{role}")]) for role, party in PERSON_OF.items()
    ]
    members.append(events_pb2.MemberAdded(party=TOOL, roles=[pb.ROLE_INTEGRATION]))
    members.append(events_pb2.MemberAdded(party=UNRESOLVED, roles=[pb.ROLE_UNSPECIFIED, cast(Any, 99)]))
    moved = events_pb2.StageAdvanced(to=cast(Any, stage))
    opened = pb.StudioSession(name=f"{PROJECT}/studioSessions/ses-1", song=SONG, venue="Pier")
    noted = pb.Contribution(id="con-1", party="pty-else", role=pb.ROLE_MUSICIAN)
    return {
        "prj-1": [events_pb2.ProjectCreated(project="prj-1", title="North Pier", artist_name="TNP"), *members],
        "sng-1": [
            events_pb2.SongCreated(
                song="sng-1", project="prj-1", title="Lights Out", sample_rate_hz=48_000, bit_depth=24
            ),
            events_pb2.MixVersionProposed(number=1, recipe=recipe_pb2.MixRecipe(), proposed_by="pty-else"),
            events_pb2.MasterVersionProposed(
                number=1, mix_number=1, recipe=recipe_pb2.MasterRecipe(), proposed_by="pty-else"
            ),
            *([] if stage == pb.STAGE_PRE_PRODUCTION else [moved]),
        ],
        "ses-1": [
            events_pb2.StudioSessionOpened(session=opened),
            events_pb2.ContributionLogged(contribution=noted),
        ],
        "dlv-1": [events_pb2.DeliveryBuilt(project="prj-1", song="sng-1", manifest_sha256=SHA)],
    }


@dataclasses.dataclass
class House:
    """A service on a log in memory; opened anew whenever a call has changed something."""

    folder: Path
    stage: int
    log: MemoryEventLog = dataclasses.field(default_factory=MemoryEventLog)
    servicer: Any = None
    events: int = 0

    async def open(self) -> None:
        """Write the history and build the servicer on it."""
        self.log = MemoryEventLog()
        for id_, facts in _history(self.stage).items():
            aggregate = Aggregates.on(self.log).songs.aggregate(TENANT, id_)
            events = [
                NewEvent(
                    event_id=str(uuid.uuid4()),
                    type=EVENTS.type_of(fact),
                    schema=fact.DESCRIPTOR.full_name,
                    data=fact.SerializeToString(),
                    time=datetime(2026, 1, 1, tzinfo=UTC),
                )
                for fact in facts
            ]
            await self.log.append(aggregate, 0, events, Metadata(actor="pty-else", project="prj-1", song="sng-1"))
        views = Views(self.log, CONTEXT, EVENTS)
        async for stored in self.log.read_all(CONTEXT):
            views.apply(stored)
        store = ObjectStore(f"file://{self.folder}")
        nobody_named = cast(Parties, None)
        aggregates = Aggregates.on(self.log)
        desk = Desk(
            aggregates=aggregates,
            log=self.log,
            views=views,
            index=SongIndex(aggregates),
            objects=store,
            unfinished=UnfinishedUploads(store),
            tenant_bytes_max=2**40,
            archive=store,
            parties=nobody_named,
            targets={},
            tokens=IssuedTokens(LocalIssuer.generate()),
            clock=SystemClock(),
        )
        self.servicer = SessionServicer(desk)
        self.events = await self.log.head(CONTEXT)

    async def answer(self, row: str, principal: Principal) -> str:
        """Call an RPC; return the reason of its refusal, `DENIED` if the person may not, or nothing."""
        rpc = row.partition("/")[0]
        with serving(CurrentRequest(SESSION + rpc, "c-1")), acting_as(principal):
            try:
                await _call(getattr(self.servicer, rpc), _request(row))
            except PermissionDenied:
                return "DENIED"
            except FailedPrecondition as refused:
                return refused.reason
            except ServiceError as refused:
                return f"{type(refused).__name__} {refused.reason}"
            finally:
                if await self.log.head(CONTEXT) != self.events:
                    await self.open()
        return ""


async def _call(method: Any, request: Any) -> None:
    if isinstance(request, wire.UploadAssetRequest):
        await method(_once(request), None)
    elif isinstance(request, wire.DownloadObjectRequest):
        async for _ in method(request, None):
            return
    else:
        await method(request, None)


async def _once(request: Message) -> AsyncIterator[Message]:
    yield request


def _person(party: str) -> Principal:
    return Principal(TENANT, party, "person")


def _tool(party: str, person: str) -> Principal:
    return Principal(TENANT, party, "integration", on_behalf_of=person)


def _wrong(row: Sequence[str], stage: int, role: str, answer: str) -> str:
    """Say what is wrong with an answer to somebody with one role; nothing if it is as the table says."""
    name, *cells, stages = row
    rpc, cell = name.partition("/")[0], cells[ROLES.index(role)]
    may = cell == "A" or (cell == "a" and rpc in OWN_BY_NATURE)
    is_legal = stages == "-" or str(stage) in LATER.get((rpc, role), stages)
    if (answer == "DENIED") == may:
        return f"{name} by {role} ({cell}) in {STAGES[stage - 1]}: {answer or 'done'}"
    if may and not is_legal and answer != "WRONG_STAGE":
        return f"{name} by {role} in {STAGES[stage - 1]}, where it is not legal: {answer or 'done'}"
    if may and is_legal and answer == "WRONG_STAGE" and rpc not in IN_NEED_OF_KIND:
        return f"{name} by {role} in {STAGES[stage - 1]}, where it is legal: {answer}"
    return ""


@pytest.mark.parametrize("stage", range(1, len(STAGES) + 1), ids=STAGES)
async def test_every_rpc_by_every_role_in_every_stage(stage: int, tmp_path: Path) -> None:
    """Denied where the table has no A, WRONG_STAGE where the stage is not legal, and neither elsewhere."""
    house = House(tmp_path, pb.Stage.Value(f"STAGE_{STAGES[stage - 1]}"))
    await house.open()
    wrong = [
        _wrong(row, stage, role, await house.answer(row[0], _person(person)))
        for row in SESSION_ROWS
        for role, person in PERSON_OF.items()
    ]
    assert [text for text in wrong if text] == []


async def test_an_integration_may_what_the_person_it_names_may(tmp_path: Path) -> None:
    """Every RPC on behalf of every role: let in, the cell of the person; not let in, denied whoever is named."""
    house = House(tmp_path, pb.STAGE_MIXING)
    await house.open()
    wrong = []
    for row in SESSION_ROWS:
        for role, person in PERSON_OF.items():
            answer = await house.answer(row[0], _tool(TOOL, person))
            wrong.append(_wrong(row, STAGES.index("MIXING") + 1, role, answer))
        outside = await house.answer(row[0], _tool(TOOL_OUTSIDE, PERSON_OF["STUDIO_PRODUCER"]))
        wrong.append("" if outside == "DENIED" else f"{row[0]} by a tool that was not let in: {outside or 'done'}")
    assert [text for text in wrong if text] == []


@pytest.mark.parametrize("party", [STRANGER, UNRESOLVED])
async def test_who_is_no_member_or_has_no_role_that_is_known_is_denied_everywhere(party: str, tmp_path: Path) -> None:
    """Every RPC on a project, by a stranger and by a member whose roles mean nothing to this version."""
    house = House(tmp_path, pb.STAGE_MIXING)
    await house.open()
    answers = {row[0]: await house.answer(row[0], _person(party)) for row in SESSION_ROWS}
    assert {rpc: answer for rpc, answer in answers.items() if answer != "DENIED"} == {}
