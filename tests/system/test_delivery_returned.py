"""Scenario S5: deliverables for the label, which returns them; the next package is accepted."""

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.errors import FailedPrecondition
from tapelog_desk.checking import check_file, check_json

from .conftest import System
from .excerpts import mix_of
from .production import INITIALS, ISRC, add_alternates, approve, deliver, finish_master, finish_mix, record_excerpts
from .studio import Studio, open_studio

LENGTH_S: Final = 3.0
FILENAME: Final = re.compile(r"TT_Lithium_MX\d\d_[A-Za-z0-9]+(_48k_(16|24|32f))?\.(wav|flac|json|xml|txt)")
PLAYBACK: Final = {"device_full_range", "device_phone", "device_car", "device_earbuds", "mono_loudness"}
CREATIVE: Final = res.SEND_BACK_REASON_CREATIVE_CHANGE


def _required(*alternates: str) -> brief_pb2.Constraint:
    return brief_pb2.Constraint(
        id="versions",
        statement="The label wants these beside the main version.",
        version_required=brief_pb2.VersionRequired(alternates=alternates),
    )


async def test_a_delivery_is_returned_by_the_label_and_the_next_is_accepted(system: System, tmp_path: Path) -> None:
    """S5 whole: every gap at once, names and digests, credits, playback, the return, the second cycle, acceptance."""
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "Lithium", _required("instrumental"))
        await record_excerpts(studio, tmp_path, "kick", "choir", "lead-vox", length_s=LENGTH_S)
        session = await _credit(studio)
        await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
        mix = await _mix_with_what_the_brief_wants(studio)
        master = await finish_master(studio)
        await _close_the_gaps(studio, session, mix)
        first = await deliver(studio)
        await _files_are_what_they_say(studio, first, {mix.name, master.name}, tmp_path)
        await _credits_are_whole(studio)
        _playback_is_told_in_numbers(first, tmp_path)
        handed_over = datetime.now(UTC)
        await _return(studio, first)
        second = await _again(studio, first)
        accepted = await studio.label.deliveries.accept(second.name)
        assert (accepted.state, accepted.accepted_by) == (res.DELIVERY_STATE_ACCEPTED, "pty-label")
        for package in (first, second):
            rebuilt = await studio.mastering.deliveries.rebuild(package.name)
            assert (rebuilt.identical, rebuilt.manifest_sha256) == (True, package.manifest_sha256)
        then = await studio.producer.songs.get(studio.song, as_of_time=handed_over)
        assert (then.stage, then.delivery, then.cycle) == (res.STAGE_DELIVERED, first.name, 1)
        await _rework_is_recorded_once(studio)


async def _credit(studio: Studio) -> str:
    """Note who sang, played and recorded, while it happens; the singer has not confirmed yet."""
    opened = await studio.recording.sessions.open(studio.song, res.STUDIO_SESSION_TYPE_RECORDING, "Pier Studio")
    for party, role in (
        ("pty-artist", res.ROLE_ARTIST),
        ("pty-producer", res.ROLE_STUDIO_PRODUCER),
        ("pty-recording", res.ROLE_RECORDING_ENGINEER),
        ("pty-mixing", res.ROLE_MIXING_ENGINEER),
        ("pty-mastering", res.ROLE_MASTERING_ENGINEER),
    ):
        await studio.recording.sessions.log_contribution(opened.name, party, role)
    everybody = {
        "pty-producer": studio.producer,
        "pty-mixing": studio.mixing,
        "pty-mastering": studio.mastering,
    }
    for noted in (await studio.producer.sessions.get(opened.name)).contributions:
        if noted.party in everybody:
            await everybody[noted.party].sessions.confirm(opened.name, noted.id)
    return opened.name


async def _mix_with_what_the_brief_wants(studio: Studio) -> res.Version:
    """The gate asks for the instrumental; after the mix the label wants a clean version too, and all agree."""  # noqa: D401
    mix = await finish_mix(studio)
    with pytest.raises(FailedPrecondition) as refused:
        await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
    assert [violation.type for violation in refused.value.violations] == ["ALTERNATE_MISSING"]
    await add_alternates(studio, mix, "instrumental")
    await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
    wanted = brief_pb2.Brief(intent="Plain.", constraints=[_required("instrumental", "clean")])
    await studio.producer.briefs.propose(studio.song, wanted, reason="the label needs a clean version")
    for person in (studio.artist, studio.producer):
        await person.briefs.agree(studio.song, 2)
    await approve(studio, mix)
    return mix


async def _close_the_gaps(studio: Studio, session: str, mix: res.Version) -> None:
    """A package that lacks something names all of it; with everything there, it is built."""  # noqa: D401
    with pytest.raises(FailedPrecondition) as refused:
        await studio.mastering.deliveries.build(studio.song, INITIALS)
    gaps = [violation.type for violation in refused.value.violations]
    assert gaps == ["ISRC_MISSING", "CONTRIBUTION_UNCONFIRMED", "ALTERNATE_MISSING"]
    await studio.producer.songs.set_isrc(studio.song, ISRC)
    for noted in (await studio.artist.sessions.get(session)).contributions:
        if noted.party == "pty-artist":
            await studio.artist.sessions.confirm(session, noted.id)
    await add_alternates(studio, mix, "clean")


async def _files_are_what_they_say(
    studio: Studio, package: res.DeliveryPackage, approved: set[str], folder: Path
) -> None:
    """Every file has a name by the rule, its own digest, and an approved version behind it; so says the manifest."""
    roles = sorted({file.role for file in package.files})
    assert {"alternate", "analysis", "master", "mix", "recipe"} <= set(roles)
    assert {"Clean", "Instrumental"} <= {file.filename.split("_")[3] for file in package.files}
    for file in package.files:
        assert FILENAME.fullmatch(file.filename), file.filename
        assert file.version in approved
        path = await studio.label.assets.download(studio.project, file.sha256, folder / file.filename)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    manifest = await studio.label.assets.download(studio.project, package.manifest_sha256, folder / "manifest.json")
    told = json.loads(manifest.read_bytes())["files"]
    assert [(file["filename"], file["sha256"]) for file in told] == [(f.filename, f.sha256) for f in package.files]


async def _credits_are_whole(studio: Studio) -> None:
    """The credits parse, every reference resolves, and producer and engineers stand in their roles."""  # noqa: D401
    exported = await studio.label.sessions.export_credits(studio.song)
    root = ET.fromstring(exported.xml)  # noqa: S314 - our own document
    assert root.findtext("MessageHeader/MessageControlType") == "TestMessage"
    parties = {party.findtext("PartyReference"): party.findtext("PartyId") for party in root.iter("Party")}
    named = [(c.findtext("ContributorPartyReference"), c.findtext("Role")) for c in root.iter("Contributor")]
    assert {reference for reference, _ in named} <= set(parties)
    works = {work.findtext("MusicalWorkReference") for work in root.iter("MusicalWork")}
    used = {reference.text for reference in root.findall("ResourceList/SoundRecording/MusicalWorkReference")}
    assert used == works
    roles = {(parties[reference], role) for reference, role in named}
    assert roles >= {
        ("pty-artist", "Artist"),
        ("pty-producer", "StudioProducer"),
        ("pty-recording", "RecordingEngineer"),
        ("pty-mixing", "MixingEngineer"),
        ("pty-mastering", "MasteringEngineer"),
    }


def _playback_is_told_in_numbers(package: res.DeliveryPackage, folder: Path) -> None:
    """Judge the delivered master on the fixed loudspeakers and in mono: each check has its number and its limits."""
    name = next(file.filename for file in package.files if file.role == "master" and file.filename.endswith(".wav"))
    judged = check_json(check_file(folder / name, codecs=()))
    judgements = {one["name"]: one for one in judged["checks"]}
    assert set(judgements) >= PLAYBACK
    for name in PLAYBACK:
        assert (judgements[name]["status"], type(judgements[name]["value"])) == ("PASS", float), judgements[name]


async def _return(studio: Studio, package: res.DeliveryPackage) -> None:
    """The label asks for a louder voice; only with the artist's consent the song goes back, and all of it ends."""  # noqa: D401
    note = await studio.label.notes.add_to_song(studio.song, "vocal too low in chorus 2")
    returned = await studio.label.deliveries.return_(
        package.name, res.STAGE_MIXING, CREATIVE, "vocal too low in chorus 2", notes=[note.id]
    )
    assert (returned.state, returned.returned_by) == (res.DELIVERY_STATE_RETURNED, "pty-label")
    with pytest.raises(FailedPrecondition) as refused:
        await studio.producer.stages.send_back(studio.song, res.STAGE_MIXING, CREATIVE, [note.id])
    assert refused.value.reason == "ARTIST_CONSENT_MISSING"
    await studio.artist.stages.request_send_back(studio.song, res.STAGE_MIXING, CREATIVE, notes=[note.id])
    song = await studio.producer.stages.send_back(studio.song, res.STAGE_MIXING, CREATIVE, [note.id])
    assert (song.stage, song.cycle, song.usage_scope) == (res.STAGE_MIXING, 2, res.USAGE_SCOPE_REMASTER)
    masters = [v.state for v in song.versions if v.kind == res.VERSION_KIND_MASTER]
    assert masters == [res.VERSION_STATE_SUPERSEDED]
    returned = await studio.label.deliveries.get(package.name)
    assert returned.state == res.DELIVERY_STATE_RETURNED
    with pytest.raises(FailedPrecondition):
        await studio.label.deliveries.accept(package.name)


async def _again(studio: Studio, first: res.DeliveryPackage) -> res.DeliveryPackage:
    """Mix, master and package of the second cycle: only what is approved now is in it, the same bytes each time."""
    rejected = await studio.mixing.versions.propose_mix(studio.song, mix_of(studio.sources))
    await studio.mixing.versions.wait_rendered(rejected.name)
    await studio.producer.versions.request_changes(rejected.name, "still too low")
    mix = await finish_mix(studio, presence_db=4.0, alternates=("instrumental", "clean"))
    await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
    master = await finish_master(studio)
    package = await deliver(studio)
    assert {file.version for file in package.files} == {mix.name, master.name}
    audio = {file.sample_digest for file in package.files if file.role in {"master", "mix"}}
    assert not audio & {file.sample_digest for file in first.files}
    rebuilt = await studio.mastering.deliveries.build(studio.song, INITIALS)
    assert rebuilt.name != package.name
    assert rebuilt.manifest_sha256 == package.manifest_sha256
    assert list(rebuilt.files) == list(package.files)
    return rebuilt


async def _rework_is_recorded_once(studio: Studio) -> None:
    """One send-back, of scope REMASTER; the ledger has settled one master of each cycle."""
    song = await studio.producer.songs.get(studio.song)
    assert [(back.edge, back.scope) for back in song.send_backs] == [("B7", res.USAGE_SCOPE_REMASTER)]
    settled = [
        entry
        async for entry in studio.producer.usage.entries(studio.project_id)
        if entry.state == render.USAGE_STATE_SETTLED and entry.kind == render.RENDER_KIND_MASTER
    ]
    assert sorted(entry.cycle for entry in settled) == [1, 2]
