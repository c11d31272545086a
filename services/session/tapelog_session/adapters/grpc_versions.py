"""RPCs on versions and alternates."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.aggregates.commands import Outcome

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application import song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading import histories, queries
from tapelog_session.application.reading.resources import song_resource, song_version
from tapelog_session.domain import songs
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import KindValue, parse_song, parse_version
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning import reviews, stems, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX


class VersionPart(Part):
    """Versions and alternates."""

    @rpc
    async def ProposeMixVersion(self, request: wire.ProposeMixVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: versions.propose_mix(song, actor, request.recipe, request.comment),
        )
        return _proposed(outcome, MIX)

    @rpc
    async def ProposeMasterVersion(self, request: wire.ProposeMasterVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: versions.propose_master(
                song, actor, request.recipe, request.comment, targets=self._desk.targets
            ),
        )
        return _proposed(outcome, MASTER)

    @rpc
    async def GetVersion(self, request: wire.GetVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        return await queries.get_version(self._aggregates, call, parse_version(request.name, "name"), past_of(request))

    @rpc
    async def DiffVersions(self, request: wire.DiffVersionsRequest, call: Call) -> wire.DiffVersionsResponse:
        """See the proto."""
        before, after = parse_version(request.before, "before"), parse_version(request.after, "after")
        return await histories.diff_versions(self._aggregates, call, before, after)

    @rpc
    async def SubmitVersion(self, request: wire.SubmitVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: versions.submit(song, name.kind, name.number),
            kind=name.kind,
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def RequestChanges(self, request: wire.RequestChangesRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: reviews.request_changes(song, name.kind, name.number, request.summary, request.notes),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def RejectVersion(self, request: wire.RejectVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: reviews.reject(song, name.kind, name.number, request.summary, request.notes),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def WithdrawApproval(self, request: wire.WithdrawApprovalRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, actor: reviews.withdraw(song, actor, name.kind, name.number, request.reason),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def ApproveVersion(self, request: wire.ApproveVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, actor: reviews.approve(
                song,
                actor,
                name.kind,
                name.number,
                sample_digest=request.sample_digest,
                brief_revision=request.brief_revision,
            ),
            prefer=lambda song: song_commands.missing_for_version(song, name.kind, name.number),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def RequestAlternates(self, request: wire.RequestAlternatesRequest, call: Call) -> pb.Song:
        """See the proto."""
        name = parse_version(request.version, "version")
        if name.kind != MIX:
            raise InvalidCommand("NOT_A_MIX", [("version", f"{name} is no mix; alternates are made of mixes")])
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: songs.request_alternates(song, name.number, request.alternates),
        )
        return song_resource(outcome.versioned)

    @rpc
    async def RequestStems(self, request: wire.RequestStemsRequest, call: Call) -> pb.Song:
        """See the proto."""
        name = parse_version(request.version, "version")
        if name.kind != MIX:
            raise InvalidCommand("NOT_A_MIX", [("version", f"{name} is no mix; stems are made of mixes")])
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: stems.request_stems(song, name.number, request.groups),
        )
        return song_resource(outcome.versioned)


def _proposed(outcome: Outcome[Song], kind: KindValue) -> pb.Version:
    """Return the version that a proposal made; its event comes first."""
    event = events_pb2.MixVersionProposed if kind == MIX else events_pb2.MasterVersionProposed
    return song_version(outcome.versioned, kind, event.FromString(outcome.events[0].data).number)
