"""Mix and master versions, and alternates."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.client_errors import RenderNotDone, WaitTimeout
from tapelog_client.group import Group, timestamp
from tapelog_client.waiting import poll

RENDER_TIMEOUT_S: Final = 600.0
"""A four-minute song renders in well under a minute on two cores; the rest is room for a queue before it."""


class Versions(Group):
    """Versions of a song: `api.versions`."""

    async def propose_mix(
        self,
        song: str,
        recipe: recipe_pb2.MixRecipe,
        *,
        comment: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Version:
        """Propose a mix: the brief is checked over the recipe at once, then it renders."""
        request = rpc.ProposeMixVersionRequest(
            song=song, recipe=recipe, comment=comment, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.ProposeMixVersion, request)

    async def propose_master(
        self,
        song: str,
        recipe: recipe_pb2.MasterRecipe,
        *,
        comment: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Version:
        """Propose a master of the approved mix; it renders."""
        request = rpc.ProposeMasterVersionRequest(
            song=song, recipe=recipe, comment=comment, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.ProposeMasterVersion, request)

    async def get(self, name: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None) -> res.Version:
        """Read a version, now, or as it was after so many events of the song or at a time."""
        request = rpc.GetVersionRequest(name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.GetVersion, request)

    async def diff(self, before: str, after: str) -> rpc.DiffVersionsResponse:
        """Compare two versions of one kind: what changed in the recipe, and in the measured sound."""
        request = rpc.DiffVersionsRequest(before=before, after=after)
        return await self._link.unary(self._link.session.DiffVersions, request)

    async def submit(self, name: str, *, etag: str = "", request_id: str = "") -> res.Version:
        """Put a rendered version before the artist and the producer."""
        request = rpc.SubmitVersionRequest(name=name, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SubmitVersion, request)

    async def request_changes(
        self,
        name: str,
        summary: str,
        *,
        notes: Iterable[str] = (),
        etag: str = "",
        request_id: str = "",
    ) -> res.Version:
        """Ask for changes, with the ids of the notes that say which."""
        request = rpc.RequestChangesRequest(name=name, summary=summary, notes=notes, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RequestChanges, request)

    async def reject(
        self, name: str, summary: str, *, notes: Iterable[str] = (), etag: str = "", request_id: str = ""
    ) -> res.Version:
        """Reject a version for good."""
        request = rpc.RejectVersionRequest(name=name, summary=summary, notes=notes, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RejectVersion, request)

    async def withdraw_approval(self, name: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Version:
        """Take the caller's approval back."""
        request = rpc.WithdrawApprovalRequest(name=name, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.WithdrawApproval, request)

    async def approve(
        self, name: str, sample_digest: str, *, brief_revision: int = 0, etag: str = "", request_id: str = ""
    ) -> res.Version:
        """Approve exactly the samples that were heard, under the brief that was read; 0 leaves the brief open."""
        request = rpc.ApproveVersionRequest(
            name=name, sample_digest=sample_digest, brief_revision=brief_revision, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.ApproveVersion, request)

    async def waive_check(
        self, name: str, constraint: str, disagreement: str, reason: str, *, etag: str = "", request_id: str = ""
    ) -> res.Version:
        """Waive a rule of taste for one version, under the decision of a disagreement."""
        request = rpc.WaiveCheckRequest(
            version=name,
            constraint=constraint,
            disagreement=disagreement,
            reason=reason,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.WaiveCheck, request)

    async def request_alternates(
        self,
        version: str,
        alternates: Iterable[recipe_pb2.Alternate],
        *,
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Ask for alternates of a mix; they render as one batch."""
        request = rpc.RequestAlternatesRequest(version=version, alternates=alternates, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RequestAlternates, request)

    async def wait_rendered(self, name: str, *, timeout_s: float = RENDER_TIMEOUT_S) -> res.Version:
        """Wait until a version is rendered.

        Raises
        ------
        RenderNotDone
            Its render failed; the message says why.
        WaitTimeout
            It is not rendered yet; waiting again is safe.
        """

        async def rendered() -> res.Version | None:
            version = await self.get(name)
            return None if version.state == res.VERSION_STATE_PROPOSED else version

        try:
            version = await poll(rendered, timeout_s=timeout_s)
        except TimeoutError:
            raise WaitTimeout(f"{name} is not rendered yet", timeout_s=timeout_s) from None
        if version.state == res.VERSION_STATE_RENDER_FAILED:
            raise RenderNotDone(name, version.render_error)
        return version

    async def request_stems(
        self, version: str, groups: Iterable[res.StemGroup] = (), *, etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Ask for the stems of a mix: in groups, or one for each bus and track that goes straight into it."""
        request = rpc.RequestStemsRequest(version=version, groups=groups, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RequestStems, request)

    async def wait_stems(self, song: str, version: str, *, timeout_s: float = RENDER_TIMEOUT_S) -> res.StemSet:
        """Wait until the stems of a version are rendered.

        Raises
        ------
        RenderNotDone
            They failed.
        WaitTimeout
            They are not rendered yet.
        """

        async def rendered() -> res.StemSet | None:
            found = await self._link.unary(self._link.session.GetSong, rpc.GetSongRequest(name=song))
            mine = next((known for known in found.stem_sets if known.version == version), None)
            return mine if mine is not None and (mine.stems or mine.render_error) else None

        try:
            found = await poll(rendered, timeout_s=timeout_s)
        except TimeoutError:
            raise WaitTimeout(f"the stems of {version} are not rendered yet", timeout_s=timeout_s) from None
        if found.render_error:
            raise RenderNotDone(f"{version}/stems", found.render_error)
        return found

    async def wait_alternates(self, song: str, version: str, *, timeout_s: float = RENDER_TIMEOUT_S) -> res.Song:
        """Wait until every alternate of a version is rendered.

        Raises
        ------
        RenderNotDone
            One of them failed.
        WaitTimeout
            One of them is not rendered yet.
        """

        async def rendered() -> res.Song | None:
            found = await self._link.unary(self._link.session.GetSong, rpc.GetSongRequest(name=song))
            mine = [alternate for alternate in found.alternates if alternate.version == version]
            done = all(alternate.render_error or alternate.HasField("audio") for alternate in mine)
            return found if mine and done else None

        try:
            found = await poll(rendered, timeout_s=timeout_s)
        except TimeoutError:
            raise WaitTimeout(f"the alternates of {version} are not rendered yet", timeout_s=timeout_s) from None
        for alternate in found.alternates:
            if alternate.version == version and alternate.render_error:
                raise RenderNotDone(f"{version}/alternates/{alternate.id}", alternate.render_error)
        return found
