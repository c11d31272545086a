"""The permission matrix, cell by cell, against a table written down independently of the code."""

import pytest
from tapelog.render.v1 import render_service_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2
from tapelog_session.adapters.policies import POLICIES
from tapelog_session.adapters.servicer import SessionServicer
from tapelog_session.domain.errors import NotNow
from tapelog_session.domain.permissions import MATRIX, RENDER, SESSION, allowing_roles, require_stage
from tapelog_session.domain.song import Song

ROLES = ["ARTIST", "STUDIO_PRODUCER", "SONGWRITER", "MUSICIAN", "RECORDING_ENGINEER", "MIXING_ENGINEER"]
ROLES += ["MASTERING_ENGINEER", "STUDIO_TECHNICIAN", "LABEL", "BILLING_READER", "AUDITOR", "INTEGRATION"]
STAGES = ["PRE_PRODUCTION", "RECORDING", "MIXING", "MASTERING", "DELIVERED", "ARCHIVED"]
STAGES += ["ON_HOLD", "CANCELLED"]

# A: may; a: for own work only; .: may not. In the order of ROLES, then the stages (1-8) or - for none.
TABLE = """
GetProject            A A A A A A A A A A . .  -
AddMember             . A . . . . . . . . . .  -
RemoveMember          . A . . . . . . . . . .  -
CloseProject          . A . . . . . . . . . .  -
ReopenProject         . A . . . . . . . . . .  -
SetPolicy             . A . . . . . . . . . .  -
SetAllowance          . A . . . . . . . . . .  -
CreateSong            A A . . . . . . . . . .  -
GetSong               A A A A A A A A A . . .  -
ListSongs             A A A A A A A A A . . .  -
ListSongEvents        A A A A A A A A A . . .  -
RegisterWork          A A A . . . . . . . . .  1
SetWriters            A A A . . . . . . . . .  1
AttachReferenceTrack  A A . . . . . . . . . .  1234
SetLyrics             A A A . . . . . . . . .  12345
SetCatalogueIds       . A . . . . A . A . . .  1234
ProposeBrief          A A . . . . . . . . . .  1234
AgreeBrief            A A . . . . . . . . . .  1234
CheckRecipe           A A A A A A A A A . . .  -
ApproveArrangement    A A . . . . . . . . . .  1
UploadAsset           . A . a A . . A . . . .  -
GetUpload             . A . a A . . A . . . .  -
GetAsset              A A A A A A A A A . . .  -
DownloadObject        A A A A A A A A A . . .  -
DefineTrack           . A . . A . . A . . . .  12
SetTrackRequirement   . A . . A . . . . . . .  12
AddTake               . A . a A . . A . . . .  2
SelectTake            A A . . A . . . . . . .  2
RejectTake            A A . . A . . . . . . .  2
CleanTake             . A . . A A . . . . . .  23
WaiveTakeCheck        . A . . . . . . . . . .  2
SetComp               A A . . A . . . . . . .  2
RequestAlternateTake  A A . . A A . . . . . .  23
ProposeMixVersion     . A . . . A . . . . . .  3
ProposeMasterVersion  . A . . . . A . . . . .  4
DiffVersions          A A A A A A A A A . . .  -
GetSongHistory        A A A A A A A A A . . .  -
GetVersion            A A A A A A A A A . . .  -
SubmitVersion/mix     . A . . . A . . . . . .  34
SubmitVersion/master  . A . . . . A . . . . .  34
RequestChanges        . A . . . . . . . . . .  34
RejectVersion         . A . . . . . . . . . .  34
WithdrawApproval      A A . . . . . . . . . .  34
ApproveVersion        A A . . . . . . . . . .  34
RequestAlternates     . A . . A A A . . . . .  345
RequestStems          . A . . A A A . . . . .  345
AddNote               A A a a A A A A A . . .  2345
AddressNote           . . . . A A A . . . . .  234
VerifyNote            A A . . . . . . . . . .  234
ReplyToNote           A A a a A A A A A . . .  2345
DeclineNote           . . . . A A A . . . . .  234
ReopenNote            A A . . . . . . a . . .  2345
ListNotes             A A A A A A A A A . . .  -
OpenDisagreement      A A . . A A A . . . . .  1234
StatePosition         A A . . A A A . . . . .  1234
ProposeOption         A A . . A A A . . . . .  1234
RecordDecision        . A . . . . . . . . . .  1234
ConsentToDecision     A . . . A A A . . . . .  1234
CloseDisagreement     a A . . a a a . . . . .  1234
WaiveCheck            . A . . . . . . . . . .  34
EvaluateGate          A A A A A A A A A . . .  -
AdvanceStage          . A . . . . . . . . . .  -
SendBackSong          . A . . . . . . . . . .  2345
RequestSendBack       A . . . A A A . A . . .  2345
PutSongOnHold         . A . . . . . . . . . .  1234
ResumeSong            . A . . . . . . . . . .  7
CancelSong            . A . . . . . . . . . .  1234
BuildDelivery         . A . . . . A A . . . .  45
RebuildDelivery       A A A A A A A A A . . .  -
GetDelivery           A A A A A A A A A . . .  -
HandOverDelivery      . A . . . . A A . . . .  5
AcceptDelivery        . . . . . . . . A . . .  5
ReturnDelivery        . . . . . . . . A . . .  5
VerifyDelivery        . A . . . . A A . . . .  5
OpenStudioSession     . A . . A A A A . . . .  1234
GetStudioSession      A A A A A A A A A . . .  -
ListStudioSessions    A A A A A A A A A . . .  -
LogAttendee           . A . . A A A A . . . .  1234
LogEquipment          . A . . A A A A . . . .  1234
LogContribution       a A a a A A A A . . . .  -
ConfirmContribution   a a a a a a a a a . . .  -
DisputeContribution   a a a a a a a a a . . .  -
CloseStudioSession    . A . . A A A A . . . .  -
ExportCredits         A A . . A A A A A . . .  -
render/CreateRenderJob        . A . . A A A . . . . .  -
render/BatchCreateRenderJobs  . A . . A A A . . . . .  -
render/CancelRenderJob        . A . . A A A . . . . .  -
render/VerifyRender           . A . . A A A . . . . .  -
render/GetRenderJob           A A A A A A A A A . . .  -
render/ListRenderJobs         A A A A A A A A A . . .  -
render/WatchRenderJob         A A A A A A A A A . . .  -
render/GetBatch               A A A A A A A A A . . .  -
render/ListUsageEntries       . A . . . . . . . A . .  -
render/GetStatement           . A . . . . . . . A . .  -
render/AdjustUsage            . . . . . . . . . . . .  -
"""
TENANT_WIDE = {"UpsertParty", "GetParty", "CreateProject", "ListProjects", "CheckPermission"}
TENANT_WIDE |= {"SearchSongs", "RebuildViews", "ErasePerson", "ExportPersonalData"}
TENANT_WIDE |= {"CreateApiKey", "ListApiKeys", "RevokeApiKey", "ExchangeApiKey"}
ROWS = [line.split() for line in TABLE.strip().splitlines()]
KINDS = {"mix": pb.VERSION_KIND_MIX, "master": pb.VERSION_KIND_MASTER}


def _rpc(name: str) -> tuple[str, int | None]:
    if name.startswith("render/"):
        return RENDER + name.removeprefix("render/"), None
    short, _, kind = name.partition("/")
    return SESSION + short, KINDS.get(kind)


CELLS = [
    pytest.param(name, role, cell, id=f"{name}-{role}")
    for name, *cells, _ in ROWS
    for role, cell in zip(ROLES, cells, strict=True)
]


@pytest.mark.parametrize(("name", "role", "cell"), CELLS)
def test_a_role_may_do_what_its_cell_says(name: str, role: str, cell: str) -> None:
    """One role alone is allowed, allowed for own work, or denied, exactly as the table says."""
    rpc, kind = _rpc(name)
    held = [pb.Role.Value(f"ROLE_{role}")]
    assert bool(allowing_roles(rpc, held, kind=kind)) == (cell == "A")
    assert bool(allowing_roles(rpc, held, kind=kind, owns=lambda _: True)) == (cell in "Aa")


@pytest.mark.parametrize(("name", "stages"), [(row[0], row[-1]) for row in ROWS if "render" not in row[0]])
def test_an_rpc_is_legal_in_its_stages_alone(name: str, stages: str) -> None:
    """Every stage is tried; an RPC without stages is legal in all."""
    short = name.partition("/")[0]
    for number, stage in enumerate(STAGES, start=1):
        song = Song(id="sng-1", project="prj-1", stage=pb.Stage.Value(f"STAGE_{stage}"))
        if stages == "-" or str(number) in stages:
            require_stage(song, short)
        else:
            with pytest.raises(NotNow) as refused:
                require_stage(song, short)
            assert refused.value.reason == "WRONG_STAGE"


def test_no_rpc_is_without_a_row_and_no_row_without_an_rpc() -> None:
    """Every RPC of session and render has its row; the session's have a policy and a handler; nothing is left over."""
    services = [
        session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
        render_service_pb2.DESCRIPTOR.services_by_name["RenderService"],
    ]
    rpcs = {f"/{service.full_name}/{method.name}" for service in services for method in service.methods}
    assert set(MATRIX) == rpcs
    session = {rpc for rpc in rpcs if rpc.startswith(SESSION)}
    assert set(POLICIES) == session
    assert {rpc for rpc in session if not hasattr(SessionServicer, rpc.removeprefix(SESSION))} == set()
    tabled = {_rpc(row[0])[0] for row in ROWS} | {SESSION + name for name in TENANT_WIDE} | {RENDER + "ValidateRecipe"}
    assert tabled == rpcs


def test_whoever_has_no_role_or_calls_what_has_no_row_is_denied() -> None:
    """An unresolved role and an unknown RPC are denials, never a way through."""
    everything = [role for role in pb.Role.values() if role != pb.ROLE_UNSPECIFIED]
    assert allowing_roles(SESSION + "DeleteProject", everything) == ()
    for rpc in MATRIX:
        assert allowing_roles(rpc, [], owns=lambda _: True) == ()
        assert allowing_roles(rpc, [pb.ROLE_UNSPECIFIED], owns=lambda _: True) == ()


@pytest.mark.parametrize(
    ("rpc", "kind", "named"),
    [
        ("ProposeMixVersion", None, pb.ROLE_MIXING_ENGINEER),
        ("ProposeMasterVersion", None, pb.ROLE_MASTERING_ENGINEER),
        ("SubmitVersion", pb.VERSION_KIND_MASTER, pb.ROLE_MASTERING_ENGINEER),
        ("AddTake", None, pb.ROLE_RECORDING_ENGINEER),
        ("AdvanceStage", None, pb.ROLE_STUDIO_PRODUCER),
    ],
)
def test_who_holds_several_roles_acts_in_the_one_the_rpc_is_named_after(rpc: str, kind: int | None, named: int) -> None:
    """A producer who also engineers proposes as the engineer and decides as the producer."""
    held = [
        pb.ROLE_STUDIO_PRODUCER,
        pb.ROLE_MASTERING_ENGINEER,
        pb.ROLE_MIXING_ENGINEER,
        pb.ROLE_RECORDING_ENGINEER,
    ]
    assert allowing_roles(SESSION + rpc, held, kind=kind)[0] == named
