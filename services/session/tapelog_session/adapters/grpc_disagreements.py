"""RPCs on disagreements and waivers."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis import ids

from tapelog_session.adapters.grpc_common import Part, request_of, rpc
from tapelog_session.application import references, song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading.resources import disagreement_resource, song_version
from tapelog_session.application.song_commands import Decision
from tapelog_session.domain.names import parse_song, parse_version
from tapelog_session.domain.talk import disagreements
from tapelog_session.domain.vision import waivers

DisagreementRequest = (
    wire.OpenDisagreementRequest
    | wire.StatePositionRequest
    | wire.ProposeOptionRequest
    | wire.RecordDecisionRequest
    | wire.ConsentToDecisionRequest
    | wire.CloseDisagreementRequest
)


class DisagreementPart(Part):
    """Disagreements, decisions, waivers."""

    async def _disagreed(self, request: DisagreementRequest, call: Call, id_: str, decide: Decision) -> pb.Disagreement:
        """Execute a command about one disagreement of the song that the request names."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            decide,
            owns=lambda song, _role: disagreements.is_own(song, call.party, id_),
        )
        song = outcome.versioned.state
        return disagreement_resource(song, song.disagreements[id_])

    @rpc
    async def OpenDisagreement(self, request: wire.OpenDisagreementRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        ids.validate_request_id(request.request_id)
        id_ = ids.derive_id("dis", call.tenant, call.principal.party, call.rpc, request.request_id)
        wanted = pb.Disagreement(
            question=request.question, version=request.version, constraints=request.constraints, notes=request.notes
        )
        return await self._disagreed(
            request, call, id_, lambda song, actor: disagreements.open_disagreement(song, actor, id_, wanted)
        )

    @rpc
    async def StatePosition(self, request: wire.StatePositionRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        id_ = request.disagreement
        return await self._disagreed(
            request,
            call,
            id_,
            lambda song, actor: disagreements.state_position(song, actor, id_, request.concern, request.wish),
        )

    @rpc
    async def ProposeOption(self, request: wire.ProposeOptionRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        id_ = request.disagreement
        return await self._disagreed(
            request,
            call,
            id_,
            lambda song, actor: disagreements.propose_option(
                song, actor, id_, request.option, description=request.description, version=request.version
            ),
        )

    @rpc
    async def RecordDecision(self, request: wire.RecordDecisionRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        id_ = request.disagreement
        wanted = pb.Decision(
            kind=request.kind,
            option=request.option,
            rationale=request.rationale,
            consequences=request.consequences,
            revisit_when=request.revisit_when,
            waives=request.waives,
        )
        brief = request.brief if request.HasField("brief") else None
        decide = await references.of_project(
            self._aggregates,
            call,
            parse_song(request.song, "song"),
            request.brief.references,
            lambda song, actor: disagreements.record_decision(song, actor, id_, wanted, brief),
        )
        return await self._disagreed(request, call, id_, decide)

    @rpc
    async def ConsentToDecision(self, request: wire.ConsentToDecisionRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        id_ = request.disagreement
        return await self._disagreed(request, call, id_, lambda song, actor: disagreements.consent(song, actor, id_))

    @rpc
    async def CloseDisagreement(self, request: wire.CloseDisagreementRequest, call: Call) -> pb.Disagreement:
        """See the proto."""
        id_ = request.disagreement
        return await self._disagreed(
            request, call, id_, lambda song, actor: disagreements.close(song, actor, id_, request.comment)
        )

    @rpc
    async def WaiveCheck(self, request: wire.WaiveCheckRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.version, "version")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, actor: waivers.waive_check(
                song,
                actor,
                name,
                request.constraint,
                disagreement=request.disagreement,
                reason=request.reason,
                refuse=disagreements.refuse_waiver,
            ),
        )
        return song_version(outcome.versioned, name.kind, name.number)
