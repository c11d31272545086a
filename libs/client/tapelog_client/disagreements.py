"""Disagreements, the producer's decisions, and the waivers they carry."""

from collections.abc import Iterable

from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import Group


class Disagreements(Group):
    """Disagreements of a song: `api.disagreements`."""

    async def open(
        self,
        song: str,
        question: str,
        *,
        version: str = "",
        constraints: Iterable[str] = (),
        notes: Iterable[str] = (),
        etag: str = "",
        request_id: str = "",
    ) -> res.Disagreement:
        """Open a disagreement about a version, rules of the brief (their ids), or notes."""
        request = rpc.OpenDisagreementRequest(
            song=song,
            question=question,
            version=version,
            constraints=constraints,
            notes=notes,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.OpenDisagreement, request)

    async def state(
        self, song: str, disagreement: str, concern: str, *, wish: str = "", etag: str = "", request_id: str = ""
    ) -> res.Disagreement:
        """Say what concerns the caller, and what they want."""
        request = rpc.StatePositionRequest(
            song=song, disagreement=disagreement, concern=concern, wish=wish, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.StatePosition, request)

    async def propose(
        self,
        song: str,
        disagreement: str,
        option: str,
        description: str,
        *,
        version: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Disagreement:
        """Propose an option, if possible with a version that lets it be heard."""
        request = rpc.ProposeOptionRequest(
            song=song,
            disagreement=disagreement,
            option=option,
            description=description,
            version=version,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.ProposeOption, request)

    async def decide(
        self,
        song: str,
        disagreement: str,
        kind: "res.DecisionKind.ValueType",
        rationale: str,
        *,
        option: str = "",
        brief: brief_pb2.Brief | None = None,
        waives: Iterable[str] = (),
        consequences: Iterable[str] = (),
        revisit_when: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Disagreement:
        """Decide, as the producer; a compromise amends the brief or names rules to waive."""
        request = rpc.RecordDecisionRequest(
            song=song,
            disagreement=disagreement,
            kind=kind,
            option=option,
            rationale=rationale,
            consequences=consequences,
            revisit_when=revisit_when,
            brief=brief,
            waives=waives,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.RecordDecision, request)

    async def consent(self, song: str, disagreement: str, *, etag: str = "", request_id: str = "") -> res.Disagreement:
        """Consent to the decision."""
        request = rpc.ConsentToDecisionRequest(song=song, disagreement=disagreement, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ConsentToDecision, request)

    async def close(
        self, song: str, disagreement: str, *, comment: str = "", etag: str = "", request_id: str = ""
    ) -> res.Disagreement:
        """End the disagreement."""
        request = rpc.CloseDisagreementRequest(
            song=song, disagreement=disagreement, comment=comment, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.CloseDisagreement, request)
