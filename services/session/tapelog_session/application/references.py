"""Reference tracks name assets: only those that were uploaded to the song's own project can be heard by its people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message
from tapelog.session.v1 import brief_pb2

from tapelog_session.application.access import Call
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.song_commands import Decision, registered_asset
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import SongName
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.vision.brief_form import REFERENCES_MAX


async def of_project(
    aggregates: Aggregates, call: Call, name: SongName, references: Iterable[brief_pb2.ReferenceTrack], decide: Decision
) -> Decision:
    """Return the decision, refusing after its own refusals what names an asset of no or another project."""
    named = dict.fromkeys(reference.asset_sha256 for reference in list(references)[:REFERENCES_MAX])
    missing = [
        sha256 for sha256 in named if sha256 and await registered_asset(aggregates, call, name.project, sha256) is None
    ]

    def decided(song: Song, actor: Actor) -> Sequence[Message]:
        events = decide(song, actor)
        if missing:
            raise InvalidCommand(
                "REFERENCE_NOT_IN_PROJECT",
                [
                    (
                        "references.asset_sha256",
                        f"project {name.project} has no asset {sha256[:12]}…; upload it to the project first",
                    )
                    for sha256 in missing
                ],
            )
        return events

    return decided
