"""Tracks and takes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.assets import Assets, Progress
from tapelog_client.client_errors import WaitTimeout
from tapelog_client.group import Group
from tapelog_client.waiting import poll

CHECK_TIMEOUT_S: Final = 120.0
"""An arrival check takes about a second for a song; this leaves room for a queue before it."""

PENDING: Final = (res.TAKE_CHECK_STATE_UNSPECIFIED, res.TAKE_CHECK_STATE_PENDING)


class Takes(Group):
    """Tracks and takes of a song: `api.takes`."""

    async def define_track(
        self,
        song: str,
        track: str,
        title: str,
        *,
        required: bool = True,
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Define a track; its id is the one that recipes name."""
        request = rpc.DefineTrackRequest(
            song=song, track=track, title=title, required=required, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.DefineTrack, request)

    async def set_requirement(
        self, song: str, track: str, reason: str, *, required: bool, etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Make a track required or optional, and say why: the gate to MIXING waits for required ones alone."""
        request = rpc.SetTrackRequirementRequest(
            song=song, track=track, required=required, reason=reason, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.SetTrackRequirement, request)

    async def add(self, song: str, track: str, asset_sha256: str, *, etag: str = "", request_id: str = "") -> res.Take:
        """Add a take of an uploaded asset to a track and return it; its arrival check begins."""
        request = rpc.AddTakeRequest(
            song=song, track=track, asset_sha256=asset_sha256, request_id=request_id, etag=etag
        )
        answer = await self._link.unary(self._link.session.AddTake, request)
        return next(
            take for take in reversed(answer.takes) if take.track == track and take.asset_sha256 == asset_sha256
        )

    async def record(
        self, song: str, track: str, path: Path, *, progress: Callable[[Progress], None] | None = None
    ) -> res.Take:
        """Upload a file and add it to a track as a take."""
        project = "/".join(song.split("/")[:2])
        asset = await Assets(self._link).upload(project, path, progress=progress)
        return await self.add(song, track, asset.sha256)

    async def select(self, song: str, track: str, take: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Choose the take of a track."""
        request = rpc.SelectTakeRequest(song=song, track=track, take=take, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SelectTake, request)

    async def reject(self, song: str, take: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Put a take out of the question; it is kept."""
        request = rpc.RejectTakeRequest(song=song, take=take, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RejectTake, request)

    async def clean(
        self,
        song: str,
        parent: str,
        asset_sha256: str,
        treatments: Iterable[str],
        *,
        etag: str = "",
        request_id: str = "",
    ) -> res.Take:
        """Add a cleaned take that names the one it was made from, and return it; its arrival check begins."""
        request = rpc.CleanTakeRequest(
            song=song,
            parent=parent,
            asset_sha256=asset_sha256,
            treatments=treatments,
            request_id=request_id,
            etag=etag,
        )
        answer = await self._link.unary(self._link.session.CleanTake, request)
        return next(take for take in reversed(answer.takes) if take.asset_sha256 == asset_sha256)

    async def set_comp(
        self,
        song: str,
        track: str,
        regions: Iterable[res.CompRegion],
        *,
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Put a track together from passages of its takes."""
        request = rpc.SetCompRequest(song=song, track=track, regions=regions, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SetComp, request)

    async def request_another(
        self, song: str, track: str, reason: str, *, etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Ask for another take of a track."""
        request = rpc.RequestAlternateTakeRequest(
            song=song, track=track, reason=reason, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.RequestAlternateTake, request)

    async def waive_check(
        self,
        song: str,
        take: str,
        kind: res.TakeCheckKind.ValueType,
        reason: str,
        *,
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Let a take pass although its noise floor, hum or start breaks the limit, as the producer."""
        request = rpc.WaiveTakeCheckRequest(
            song=song, take=take, kind=kind, reason=reason, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.WaiveTakeCheck, request)

    async def wait_checked(self, song: str, *, timeout_s: float = CHECK_TIMEOUT_S) -> res.Song:
        """Wait until the arrival check of every take of a song has ended, passed or not.

        Raises
        ------
        WaitTimeout
            A check is still pending; the message names the takes.
        """
        get = self._link.session.GetSong

        async def checked() -> res.Song | None:
            found = await self._link.unary(get, rpc.GetSongRequest(name=song))
            return None if any(take.check_state in PENDING for take in found.takes) else found

        try:
            return await poll(checked, timeout_s=timeout_s)
        except TimeoutError:
            found = await self._link.unary(get, rpc.GetSongRequest(name=song))
            waiting = ", ".join(f"{take.track}/{take.id}" for take in found.takes if take.check_state in PENDING)
            raise WaitTimeout(f"the arrival check of {waiting} did not end", timeout_s=timeout_s) from None
