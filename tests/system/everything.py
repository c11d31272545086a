"""A project that has one of everything, and what requests call it."""

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_client import Tapelog
from tapelog_client.alerts import load_rules
from tapelog_client.errors import FailedPrecondition

from .studio import Studio, open_studio, recipe, record_stems

ROLES: Final = ("ADMIN", "AUDITOR", "BILLING_READER", "INTEGRATION")
RULES: Final = Path(__file__).parents[2] / "examples" / "alerts" / "rules.yaml"
EVERYBODY: Final = "pty-all"
EVERY_ROLE: Final = {EVERYBODY: [role for role in res.Role.values() if role not in (0, res.ROLE_AUDITOR)]}
Names = dict[str, list[str]]


@dataclass(frozen=True)
class Everything:
    """What there is.

    Attributes
    ----------
    studio : Studio
    names : dict of str to list of str
        Names of things that exist, by the fields in which requests name them.
    examples : dict of str to list of Message
        Messages that are right, by their full names.
    """

    studio: Studio
    names: Names
    examples: dict[str, list[Message]]


async def make_everything(api: Tapelog, folder: Path) -> Everything:
    """Make all of it anew."""
    studio = await open_studio(api, f"Every {uuid.uuid4().hex[:6]}", people=EVERY_ROLE)
    await record_stems(studio, folder, tracks=1, length_s=0.2)
    everybody = studio.producer
    song = await everybody.songs.get(studio.song)
    mix = recipe(studio)
    version = await everybody.versions.propose_mix(studio.song, mix)
    session = await everybody.sessions.open(studio.song, res.STUDIO_SESSION_TYPE_RECORDING, "Studio B")
    contribution = await everybody.sessions.log_contribution(session.name, EVERYBODY, res.ROLE_ARTIST)
    note = await everybody.notes.add(version.name, "More of it.")
    disagreement = await everybody.disagreements.open(studio.song, "Is it too loud?", notes=[note.id])
    await everybody.disagreements.state(studio.song, disagreement.id, "The voice drowns.")
    draft = await everybody.songs.create(studio.project, "Draft", sample_rate_hz=48_000, bit_depth=24)
    job = await anext(aiter(everybody.renders.list(project=studio.project_id)))
    administrator = api.as_party(EVERYBODY, tenant_roles=ROLES)
    subscription = await administrator.subscriptions.create_nats("All")
    key = await _key(administrator)
    more = {
        "take": song.takes[0].id,
        "asset": song.takes[0].asset_sha256,
        "session": session.name,
        "job": job.name,
        "subscription": subscription.subscription.name,
        "key": key,
        "contribution": contribution.id,
        "note": note.id,
        "disagreement": disagreement.id,
        "draft": draft.name,
    }
    return Everything(studio, names_of(studio, more), examples_of(studio, folder))


def examples_of(studio: Studio, folder: Path) -> dict[str, list[Message]]:
    """Return messages that are right, by their full names; a list is in the order of a stream."""
    mix = recipe(studio)
    master = recipe_pb2.MasterRecipe()
    master.source.asset_sha256 = mix.tracks[0].source.asset_sha256
    project = rpc.CreateProjectRequest(title="Another", artist_name="The Testers")
    project.members.add(party=EVERYBODY, roles=EVERY_ROLE[EVERYBODY])
    data = (folder / "track-1.wav").read_bytes()
    header = rpc.UploadHeader(parent=studio.project, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
    header.original_filename = "bass.wav"
    upload = [rpc.UploadAssetRequest(header=header), rpc.UploadAssetRequest(chunk=data)]
    rules = load_rules(RULES)
    single = (mix, master, brief_pb2.Brief(intent="Plain."), project, header)
    examples: dict[str, list[Message]] = {message.DESCRIPTOR.full_name: [message] for message in single}
    return examples | {upload[0].DESCRIPTOR.full_name: [*upload], rules[0].DESCRIPTOR.full_name: [*rules]}


def names_of(studio: Studio, more: dict[str, str]) -> Names:
    """Return names of things that exist, by the fields in which requests name them."""
    project, song = studio.project, studio.song
    take, asset = more["take"], f"{project}/assets/{more['asset']}"
    version, session = f"{song}/mixVersions/1", more["session"]
    things = [project, song, version, asset, session, more["job"], more["subscription"], f"parties/{EVERYBODY}"]
    ids = [project.split("/")[1], song.split("/")[3]]
    return {
        "name": [*things, f"{song}/deliveries/dlv-1", more["key"], "events/1"],
        "parent": [project, song],
        "project": [project, ids[0]],
        "song": [song, ids[1], more["draft"]],
        "version": [version],
        "before": [version],
        "after": [version],
        "session": [session],
        "subscription": [more["subscription"]],
        "job": [more["job"], more["job"].split("/")[1]],
        "account": [f"usageAccounts/{ids[0]}", ids[0], project],
        "party": [EVERYBODY, f"parties/{EVERYBODY}"],
        "take": [take],
        "track": ["track-1"],
        "asset_sha256": [more["asset"]],
        "sha256": [more["asset"]],
        "batch": ["batches/bat-1"],
        "contribution": [more["contribution"]],
        "note": [more["note"]],
        "disagreement": [more["disagreement"]],
        "option": ["less"],
    }


async def _key(administrator: Tapelog) -> str:
    """Return the name of a new key, or of an old one where a long night has made as many as there may be."""
    try:
        return (await administrator.api_keys.create("int-all", "all", ["session:read"])).key.name
    except FailedPrecondition:
        return (await administrator.api_keys.list())[-1].name
