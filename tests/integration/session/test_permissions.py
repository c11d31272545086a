"""The permission matrix as callers meet it: real gRPC, real tokens, real log."""

import uuid
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message import Message
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import PermissionDenied, TapelogApiError

METHODS: Final = wire.DESCRIPTOR.services_by_name["SessionService"].methods
TENANT_WIDE = {"UpsertParty", "GetParty", "CreateProject", "ListProjects", "CheckPermission"}
TENANT_WIDE |= {"SearchSongs", "RebuildViews", "ErasePerson", "ExportPersonalData"}
TENANT_WIDE |= {"CreateApiKey", "ListApiKeys", "RevokeApiKey", "ExchangeApiKey"}
UPLOADS: Final = {"UploadAsset", "GetUpload", "DownloadObject"}
OF_PROJECT: Final = [method for method in METHODS if method.name not in TENANT_WIDE | UPLOADS]
SAMPLE: Final = {
    "DefineTrack": {"pia", "rex"},
    "SelectTake": {"ana", "pia", "rex"},
    "ProposeMixVersion": {"mia", "pia"},
    "ApproveVersion": {"ana", "pia"},
    "SendBackSong": {"pia"},
    "RequestSendBack": {"ana", "rex", "mia", "max", "lou"},
    "AcceptDelivery": {"lou"},
    "ReturnDelivery": {"lou"},
    "SetTrackRequirement": {"pia", "rex"},
    "SetPolicy": {"pia"},
}
"""Who may, of the seven people; everybody else is denied."""
PEOPLE: Final = ("ana", "pia", "rex", "mia", "max", "mel", "lou")


def _request(studio: Any, method: Any) -> Message:
    """Return a request that names the project or the song, or something in it, and says nothing else."""
    request = getattr(wire, method.input_type.name)()
    known = {field.name for field in method.input_type.fields}
    version = f"{studio.song}/mixVersions/1"
    of_version = {
        "ApproveVersion",
        "SubmitVersion",
        "RequestChanges",
        "RejectVersion",
        "WithdrawApproval",
        "GetVersion",
    }
    names = {
        "GetProject": studio.project,
        "GetSong": studio.song,
        "GetSongHistory": studio.song,
        "GetAsset": f"{studio.project}/assets/{'a' * 64}",
        **dict.fromkeys(
            (
                "GetDelivery",
                "AcceptDelivery",
                "ReturnDelivery",
                "VerifyDelivery",
                "HandOverDelivery",
                "RebuildDelivery",
            ),
            f"{studio.song}/deliveries/dlv-1",
        ),
        **dict.fromkeys(of_version, version),
    }
    values = {
        "project": studio.project,
        "song": studio.song,
        "parent": studio.song if method.name in {"ListSongEvents", "ListNotes"} else studio.project,
        "name": names.get(method.name, f"{studio.project}/studioSessions/ses-1"),
        "before": version,
        "after": version,
        "request_id": str(uuid.uuid4()),
        **({"version": version} if method.name in {"RequestAlternates", "RequestStems", "WaiveCheck"} else {}),
    }
    for name in known & set(values):
        setattr(request, name, values[name])
    return request


async def _answer(studio: Any, method: Any, party: str, **claims: Any) -> str:
    try:
        await studio.call(party, method.name, _request(studio, method), **claims)
    except TapelogApiError as refused:
        return type(refused).__name__
    return ""


async def test_who_is_not_in_the_project_may_do_nothing_with_it(booked: Any) -> None:
    """A stranger, a tool that names nobody, a tool that nobody let in, another tenant: no RPC answers them."""
    callers: dict[str, dict[str, Any]] = {
        "zed": {},
        "tool": {"kind": "integration"},
        "tool-2": {"kind": "integration", "on_behalf_of": "pia"},
        "pia": {"tenant": "other"},
    }
    answers = {
        (method.name, party): await _answer(booked, method, party, **claims)
        for method in OF_PROJECT
        for party, claims in callers.items()
    }
    wrong = {key: answer for key, answer in answers.items() if answer not in {"PermissionDenied", "NotFound"}}
    assert wrong == {}
    assert {party for (_, party), answer in answers.items() if answer == "NotFound"} == {"pia"}


async def test_without_a_token_every_rpc_is_refused(booked: Any) -> None:
    """Every RPC, tenant-wide ones too, answers UNAUTHENTICATED to whoever shows no token."""
    for method in METHODS:
        if method.name in UPLOADS - {"GetUpload"}:
            continue
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(booked.stub, method.name)(_request(booked, method))
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, method.name


@pytest.mark.parametrize("rpc", sorted(SAMPLE))
async def test_people_may_what_their_roles_allow(booked: Any, rpc: str) -> None:
    """Seven people in turn: those of the sample get past the matrix, the others are told which role it takes."""
    method = next(method for method in METHODS if method.name == rpc)
    for party in PEOPLE:
        if party in SAMPLE[rpc]:
            assert await _answer(booked, method, party) != "PermissionDenied", party
            continue
        with pytest.raises(PermissionDenied) as refused:
            await booked.call(party, rpc, _request(booked, method))
        assert refused.value.reason == "ROLE_MISSING"
        assert rpc in refused.value.message


async def test_a_role_that_is_taken_away_is_gone_at_once(booked: Any) -> None:
    """The next call after RemoveMember is denied; with the role given back it is allowed again."""
    define = wire.DefineTrackRequest(song=booked.song, track="lead", title="Lead")
    await booked.call("rex", "DefineTrack", define)
    await booked.call("pia", "RemoveMember", wire.RemoveMemberRequest(project=booked.project, party="rex"))
    define.track = "bass"
    with pytest.raises(PermissionDenied):
        await booked.call("rex", "DefineTrack", define)
    back = wire.AddMemberRequest(
        project=booked.project, member=pb.Member(party="rex", roles=[pb.ROLE_RECORDING_ENGINEER])
    )
    await booked.call("pia", "AddMember", back)
    await booked.call("rex", "DefineTrack", define)
