"""Who may do what, and when: one row per RPC. An RPC without a row, and a person without a role, are denied.

Source: the permission matrix of the domain reference (2.4). The first role of a row is the one the RPC is named
after: a person with several hats acts in that one where they hold it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.errors import Condition, Denied, NotNow
from tapelog_session.domain.roles import RoleValue, role_word

if TYPE_CHECKING:
    from tapelog_session.domain.names import KindValue
    from tapelog_session.domain.song import Song, StageValue

SESSION: Final = "/tapelog.session.v1.SessionService/"
RENDER: Final = "/tapelog.render.v1.RenderService/"

ARTIST: Final = pb.ROLE_ARTIST
PRODUCER: Final = pb.ROLE_STUDIO_PRODUCER
SONGWRITER: Final = pb.ROLE_SONGWRITER
MUSICIAN: Final = pb.ROLE_MUSICIAN
RECORDING: Final = pb.ROLE_RECORDING_ENGINEER
MIXING: Final = pb.ROLE_MIXING_ENGINEER
MASTERING: Final = pb.ROLE_MASTERING_ENGINEER
TECHNICIAN: Final = pb.ROLE_STUDIO_TECHNICIAN
LABEL: Final = pb.ROLE_LABEL
BILLING: Final = pb.ROLE_BILLING_READER

STAGES: Final = (
    pb.STAGE_PRE_PRODUCTION,
    pb.STAGE_RECORDING,
    pb.STAGE_MIXING,
    pb.STAGE_MASTERING,
    pb.STAGE_DELIVERED,
    pb.STAGE_ARCHIVED,
)
"""The way forward; there is no skip."""
PRE_STAGE, RECORDING_STAGE, MIXING_STAGE, MASTERING_STAGE, DELIVERED_STAGE, ARCHIVED_STAGE = STAGES
ON_HOLD: Final = pb.STAGE_ON_HOLD
"""Beside the way; so is CANCELLED, in which nothing is legal."""
OPEN: Final = STAGES[:4]
"""Stages in which work goes on."""
ANSWERS_KEPT: Final = 4096
"""What the matrix says to an RPC of somebody with certain roles, remembered: it never changes."""

AUDITOR: Final = "AUDITOR"
BILLING_READER: Final = "BILLING_READER"
INTEGRATION: Final = "INTEGRATION"
"""Roles that a token may give for the whole tenant."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """Who may call one RPC on a project, and in which stages of the song.

    Attributes
    ----------
    roles : tuple of Role
        Any of these allows it; the first held one is used.
    own : tuple of Role
        These allow it for the person's own work only.
    stages : tuple of Stage
        Where it is legal; empty for an RPC that is not about a stage.
    kinds : Mapping[VersionKind, tuple of Role]
        Where the roles depend on the kind of version.
    tenant_roles : frozenset[str]
        Roles of the token that allow it in every project of the tenant; reading only.
    is_tenant_wide : bool
        Anybody signed in to the tenant may call it; what it shows or does is limited by itself.
    is_open_to_services : bool
        Tapelog's own services may call it.
    works_when_closed : bool
        It changes nothing, or is what opens a closed project again.
    """

    roles: tuple[RoleValue, ...] = ()
    own: tuple[RoleValue, ...] = ()
    stages: tuple[StageValue, ...] = ()
    kinds: Mapping[KindValue, tuple[RoleValue, ...]] = dataclasses.field(default_factory=dict)
    tenant_roles: frozenset[str] = frozenset()
    is_tenant_wide: bool = False
    is_open_to_services: bool = False
    works_when_closed: bool = False


_PEOPLE: Final = (PRODUCER, ARTIST, MIXING, MASTERING, RECORDING, TECHNICIAN, MUSICIAN, SONGWRITER, LABEL)
_READ: Final = Row(_PEOPLE, tenant_roles=frozenset({AUDITOR}), is_open_to_services=True, works_when_closed=True)
_ANYBODY: Final = Row(is_tenant_wide=True, is_open_to_services=True)
_RENDERERS: Final = (MIXING, MASTERING, RECORDING, PRODUCER)
_PARTIES: Final = (ARTIST, MIXING, MASTERING, RECORDING, PRODUCER)
"""Who may disagree: those whose vision or craft it is about."""
_HOSTS: Final = (RECORDING, MIXING, MASTERING, TECHNICIAN, PRODUCER)
"""Who runs a studio session and notes what happens in it."""
_REVIEW: Final = (MIXING_STAGE, MASTERING_STAGE)
_WORK: Final = (RECORDING_STAGE, *_REVIEW)

MATRIX: Final[Mapping[str, Row]] = {
    SESSION + "UpsertParty": _ANYBODY,
    SESSION + "GetParty": _ANYBODY,
    SESSION + "ErasePerson": Row(is_tenant_wide=True),
    SESSION + "ExportPersonalData": Row(is_tenant_wide=True),
    SESSION + "CreateApiKey": Row(is_tenant_wide=True),
    SESSION + "ListApiKeys": Row(is_tenant_wide=True),
    SESSION + "RevokeApiKey": Row(is_tenant_wide=True),
    SESSION + "ExchangeApiKey": Row(is_tenant_wide=True),
    SESSION + "CreateProject": Row(is_tenant_wide=True),
    SESSION + "GetProject": dataclasses.replace(_READ, roles=(*_PEOPLE, BILLING)),
    SESSION + "ListProjects": _ANYBODY,
    SESSION + "AddMember": Row((PRODUCER,)),
    SESSION + "RemoveMember": Row((PRODUCER,)),
    SESSION + "CloseProject": Row((PRODUCER,)),
    SESSION + "ReopenProject": Row((PRODUCER,), works_when_closed=True),
    SESSION + "SetPolicy": Row((PRODUCER,)),
    SESSION + "SetAllowance": Row((PRODUCER,)),
    SESSION + "CreateSong": Row((PRODUCER, ARTIST)),
    SESSION + "GetSong": _READ,
    SESSION + "ListSongs": _READ,
    SESSION + "SearchSongs": _ANYBODY,
    SESSION + "RebuildViews": Row(is_tenant_wide=True),
    SESSION + "ListSongEvents": _READ,
    SESSION + "GetSongHistory": _READ,
    SESSION + "RegisterWork": Row((SONGWRITER, PRODUCER, ARTIST), stages=(PRE_STAGE,)),
    SESSION + "SetWriters": Row((SONGWRITER, PRODUCER, ARTIST), stages=(PRE_STAGE,)),
    SESSION + "AttachReferenceTrack": Row((ARTIST, PRODUCER), stages=OPEN),
    SESSION + "SetLyrics": Row((SONGWRITER, ARTIST, PRODUCER), stages=(*OPEN, DELIVERED_STAGE)),
    SESSION + "SetCatalogueIds": Row((PRODUCER, LABEL, MASTERING), stages=OPEN),
    SESSION + "ProposeBrief": Row((ARTIST, PRODUCER), stages=OPEN),
    SESSION + "AgreeBrief": Row((ARTIST, PRODUCER), stages=OPEN),
    SESSION + "CheckRecipe": _READ,
    SESSION + "ApproveArrangement": Row((ARTIST, PRODUCER), stages=(PRE_STAGE,)),
    SESSION + "UploadAsset": Row((RECORDING, TECHNICIAN, PRODUCER), own=(MUSICIAN,)),
    SESSION + "GetUpload": Row((RECORDING, TECHNICIAN, PRODUCER), own=(MUSICIAN,)),
    SESSION + "GetAsset": _READ,
    SESSION + "DownloadObject": _READ,
    SESSION + "DefineTrack": Row((RECORDING, TECHNICIAN, PRODUCER), stages=(PRE_STAGE, RECORDING_STAGE)),
    SESSION + "SetTrackRequirement": Row((PRODUCER, RECORDING), stages=(PRE_STAGE, RECORDING_STAGE)),
    SESSION + "AddTake": Row((RECORDING, TECHNICIAN, PRODUCER), own=(MUSICIAN,), stages=(RECORDING_STAGE,)),
    SESSION + "SelectTake": Row((PRODUCER, ARTIST, RECORDING), stages=(RECORDING_STAGE,)),
    SESSION + "RejectTake": Row((PRODUCER, ARTIST, RECORDING), stages=(RECORDING_STAGE,)),
    SESSION + "CleanTake": Row((RECORDING, MIXING, PRODUCER), stages=(RECORDING_STAGE, MIXING_STAGE)),
    SESSION + "SetComp": Row((RECORDING, PRODUCER, ARTIST), stages=(RECORDING_STAGE,)),
    SESSION + "WaiveTakeCheck": Row((PRODUCER,), stages=(RECORDING_STAGE,)),
    SESSION + "RequestAlternateTake": Row(
        (PRODUCER, ARTIST, RECORDING, MIXING), stages=(RECORDING_STAGE, MIXING_STAGE)
    ),
    SESSION + "ProposeMixVersion": Row((MIXING, PRODUCER), stages=(MIXING_STAGE,)),
    SESSION + "ProposeMasterVersion": Row((MASTERING, PRODUCER), stages=(MASTERING_STAGE,)),
    SESSION + "GetVersion": _READ,
    SESSION + "DiffVersions": _READ,
    SESSION + "SubmitVersion": Row(
        (MIXING, MASTERING, PRODUCER),
        stages=_REVIEW,
        kinds={pb.VERSION_KIND_MIX: (MIXING, PRODUCER), pb.VERSION_KIND_MASTER: (MASTERING, PRODUCER)},
    ),
    SESSION + "RequestChanges": Row((PRODUCER,), stages=_REVIEW),
    SESSION + "RejectVersion": Row((PRODUCER,), stages=_REVIEW),
    SESSION + "WithdrawApproval": Row((ARTIST, PRODUCER), stages=_REVIEW),
    SESSION + "ApproveVersion": Row((ARTIST, PRODUCER), stages=_REVIEW),
    SESSION + "RequestAlternates": Row(_RENDERERS, stages=(*_REVIEW, DELIVERED_STAGE)),
    SESSION + "RequestStems": Row(_RENDERERS, stages=(*_REVIEW, DELIVERED_STAGE)),
    SESSION + "AddNote": Row(
        (PRODUCER, ARTIST, MIXING, MASTERING, RECORDING, TECHNICIAN, LABEL),
        own=(SONGWRITER, MUSICIAN),
        # Also in DELIVERED, beyond the reference: a return by the label must name a note.
        stages=(*_WORK, DELIVERED_STAGE),
    ),
    SESSION + "AddressNote": Row((MIXING, MASTERING, RECORDING), stages=_WORK),
    SESSION + "VerifyNote": Row((ARTIST, PRODUCER), stages=_WORK),
    SESSION + "ReplyToNote": Row(
        (PRODUCER, ARTIST, MIXING, MASTERING, RECORDING, TECHNICIAN, LABEL),
        own=(SONGWRITER, MUSICIAN),
        stages=(*_WORK, DELIVERED_STAGE),
    ),
    SESSION + "DeclineNote": Row((MIXING, MASTERING, RECORDING), stages=_WORK),
    SESSION + "ReopenNote": Row((ARTIST, PRODUCER), own=(LABEL,), stages=(*_WORK, DELIVERED_STAGE)),
    SESSION + "ListNotes": _READ,
    SESSION + "OpenDisagreement": Row(_PARTIES, stages=OPEN),
    SESSION + "StatePosition": Row(_PARTIES, stages=OPEN),
    SESSION + "ProposeOption": Row(_PARTIES, stages=OPEN),
    SESSION + "RecordDecision": Row((PRODUCER,), stages=OPEN),
    SESSION + "ConsentToDecision": Row((ARTIST, MIXING, MASTERING, RECORDING), stages=OPEN),
    SESSION + "CloseDisagreement": Row((PRODUCER,), own=(ARTIST, MIXING, MASTERING, RECORDING), stages=OPEN),
    SESSION + "WaiveCheck": Row((PRODUCER,), stages=_REVIEW),
    SESSION + "EvaluateGate": _READ,
    SESSION + "AdvanceStage": Row((PRODUCER,)),
    SESSION + "SendBackSong": Row((PRODUCER,), stages=(*_WORK, DELIVERED_STAGE)),
    SESSION + "RequestSendBack": Row((ARTIST, MIXING, MASTERING, RECORDING, LABEL), stages=(*_WORK, DELIVERED_STAGE)),
    SESSION + "PutSongOnHold": Row((PRODUCER,), stages=OPEN),
    SESSION + "ResumeSong": Row((PRODUCER,), stages=(ON_HOLD,)),
    SESSION + "CancelSong": Row((PRODUCER,), stages=OPEN),
    SESSION + "BuildDelivery": Row((MASTERING, PRODUCER, TECHNICIAN), stages=(MASTERING_STAGE, DELIVERED_STAGE)),
    SESSION + "RebuildDelivery": _READ,
    SESSION + "GetDelivery": _READ,
    SESSION + "HandOverDelivery": Row((MASTERING, PRODUCER, TECHNICIAN), stages=(DELIVERED_STAGE,)),
    SESSION + "AcceptDelivery": Row((LABEL,), stages=(DELIVERED_STAGE,)),
    SESSION + "ReturnDelivery": Row((LABEL,), stages=(DELIVERED_STAGE,)),
    SESSION + "VerifyDelivery": Row((MASTERING, PRODUCER, TECHNICIAN), stages=(DELIVERED_STAGE,)),
    SESSION + "OpenStudioSession": Row(_HOSTS, stages=OPEN),
    SESSION + "GetStudioSession": _READ,
    SESSION + "ListStudioSessions": _READ,
    SESSION + "LogAttendee": Row(_HOSTS, stages=OPEN),
    SESSION + "LogEquipment": Row(_HOSTS, stages=OPEN),
    SESSION + "LogContribution": Row(_HOSTS, own=(ARTIST, SONGWRITER, MUSICIAN)),
    SESSION + "ConfirmContribution": Row(own=_PEOPLE),
    SESSION + "DisputeContribution": Row(own=_PEOPLE),
    SESSION + "CloseStudioSession": Row(_HOSTS),
    SESSION + "ExportCredits": Row(
        (PRODUCER, ARTIST, MIXING, MASTERING, RECORDING, TECHNICIAN, LABEL),
        tenant_roles=frozenset({AUDITOR}),
        works_when_closed=True,
    ),
    SESSION + "CheckPermission": _ANYBODY,
    RENDER + "ValidateRecipe": _ANYBODY,
    RENDER + "CreateRenderJob": Row(_RENDERERS, is_open_to_services=True),
    RENDER + "BatchCreateRenderJobs": Row(_RENDERERS, is_open_to_services=True),
    RENDER + "GetRenderJob": _READ,
    RENDER + "ListRenderJobs": _READ,
    RENDER + "WatchRenderJob": _READ,
    RENDER + "CancelRenderJob": Row(_RENDERERS, is_open_to_services=True, works_when_closed=True),
    RENDER + "VerifyRender": Row(_RENDERERS, is_open_to_services=True),
    RENDER + "GetBatch": _READ,
    RENDER + "ListUsageEntries": Row(
        (BILLING, PRODUCER),
        tenant_roles=frozenset({AUDITOR, BILLING_READER}),
        is_open_to_services=True,
        works_when_closed=True,
    ),
    # No role of a project corrects what is billed; the render service asks for the tenant's ADMIN.
    RENDER + "AdjustUsage": Row(()),
    RENDER + "GetStatement": Row(
        (BILLING, PRODUCER),
        tenant_roles=frozenset({AUDITOR, BILLING_READER}),
        is_open_to_services=True,
        works_when_closed=True,
    ),
}


def owns_nothing(_role: RoleValue) -> bool:
    """Say that nothing asked about is the person's own work."""
    return False


def allowing_roles(
    rpc: str,
    held: Iterable[RoleValue],
    *,
    kind: KindValue | None = None,
    owns: Callable[[RoleValue], bool] = owns_nothing,
) -> tuple[RoleValue, ...]:
    """Return the held roles that allow an RPC, best first; empty is a denial.

    Parameters
    ----------
    rpc : str
        Full name.
    held : Iterable[Role]
        The person's roles in the project.
    kind : VersionKind, optional
        For RPCs about a version.
    owns : Callable[[Role], bool]
        Whether what is asked about is the person's own work in that role.
    """
    roles, own = _held_roles(rpc, frozenset(held), kind)
    return roles + tuple(role for role in own if owns(role)) if own else roles


@functools.lru_cache(maxsize=ANSWERS_KEPT)
def _held_roles(
    rpc: str, held: frozenset[RoleValue], kind: KindValue | None
) -> tuple[tuple[RoleValue, ...], tuple[RoleValue, ...]]:
    """Return the held roles that allow an RPC, and those that do for the person's own work."""
    row = MATRIX.get(rpc)
    if row is None:
        return (), ()
    roles = row.roles if kind is None else row.kinds.get(kind, row.roles)
    return tuple(role for role in roles if role in held), tuple(role for role in row.own if role in held)


def denial(rpc: str, held: Iterable[RoleValue]) -> Denied:
    """Return the refusal of an RPC to a person with these roles."""
    row = MATRIX.get(rpc)
    short = rpc.rpartition("/")[2]
    if row is None:
        return Denied("NO_RULE", f"nobody may call {rpc}: it has no row in the permission matrix", rpc=rpc)
    wanted = " or ".join(role_word(role) for role in row.roles) or "nobody"
    if row.own:
        wanted += f", or for their own work {' or '.join(role_word(role) for role in row.own)}"
    have = ", ".join(role_word(role) for role in held) or "none"
    return Denied(
        "ROLE_MISSING",
        f"{short} is for {wanted}; your roles in this project: {have}. Ask the studio producer.",
        rpc=short,
        wanted=wanted,
        roles=have,
    )


def require_stage(song: Song, rpc: str) -> None:
    """Refuse an RPC (by its short name) in a stage where it is not legal.

    Raises
    ------
    NotNow
        `WRONG_STAGE`.
    """
    stages = MATRIX[SESSION + rpc].stages
    if stages and song.stage not in stages:
        at, legal = stage_word(song.stage), " or ".join(stage_word(stage) for stage in stages)
        text = f"{rpc} belongs to {legal}; the song is in {at}"
        raise NotNow(
            "WRONG_STAGE", text, conditions=[Condition("WRONG_STAGE", str(song.name), text)], stage=at, legal=legal
        )


def stage_word(stage: StageValue) -> str:
    """Return `MIXING` for STAGE_MIXING."""
    return pb.Stage.Name(stage).removeprefix("STAGE_")
