"""What always holds of a song: its history, stages, versions, approvals, waivers, alternates, deliveries, notes."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from tapelog.common.v1 import recipe_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.auth import Principal
from tapelog_chassis.errors import WrittenByNewer
from tapelog_chassis.event_log import AggregateId, MemoryEventLog, Metadata, StoredEvent
from tapelog_recipe import apply_alternate
from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.reading.talk import for_label, is_internal
from tapelog_session.application.song_commands import Request
from tapelog_session.domain import songs
from tapelog_session.domain.errors import Denied, DomainError, NotNow
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.gates import send_backs, stages
from tapelog_session.domain.handover import package_contents
from tapelog_session.domain.names import VersionName
from tapelog_session.domain.permissions import SESSION, STAGES
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import disagreements as talks
from tapelog_session.domain.talk import notes
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.vision import waivers

ARTIST, PRODUCER = Actor("ana", pb.ROLE_ARTIST), Actor("pia", pb.ROLE_STUDIO_PRODUCER)
LABEL = Actor("lou", pb.ROLE_LABEL)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
OLDEST = Path(__file__).with_name("oldest_song.json")
"""Facts and state of a delivered song as the first release wrote them; never written again."""
DRY = brief_pb2.Constraint(
    id="dry",
    statement="No echo.",
    effect_forbidden=brief_pb2.EffectForbidden(
        selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
    ),
)
QUIET = brief_pb2.Constraint(id="peak", statement="Clean.", true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-3))
DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300))


def test_inv_01_folding_twice_is_equal_and_a_prefix_is_the_state_of_then(session: Any) -> None:
    """The fold is a function of the events: each prefix gives what the song was when it was that long."""
    then = [Song()]
    session.to_delivered()
    for event, time in session.events:
        then.append(evolve(then[-1], event, time))
    assert then[-1] == session.song
    state = Song()
    for known, (event, time) in zip(then, session.events, strict=False):
        assert state == known
        state = evolve(state, event, time)


def test_inv_03_a_song_is_in_one_stage_and_only_the_edges_of_the_machine_exist(session: Any) -> None:
    """From every stage every other is tried, forward and back: nothing but the next one, or an edge of B1 to B7."""
    for at in STAGES:
        song = evolve(Song(id="sng-1", project="prj-1"), events_pb2.StageAdvanced(to=at), EPOCH)
        for to in pb.Stage.values():
            forward = STAGES.index(at) + 1 < len(STAGES) and to == STAGES[STAGES.index(at) + 1]
            assert _refused(lambda song=song, to=to: stages.advance(song, to)) == (
                "" if forward else "ILLEGAL_STAGE_EDGE"
            )
            wanted = pb.SendBack(to=to, reason=pb.SEND_BACK_REASON_OTHER, comment="so")
            reason = _refused(lambda song=song, wanted=wanted: send_backs.send_back(song, PRODUCER, wanted))
            is_edge = (at, to) in send_backs.EDGES
            assert (reason in {"WRONG_STAGE", "ILLEGAL_STAGE_EDGE"}) != is_edge


def _refused(command: Any) -> str:
    try:
        command()
    except DomainError as refused:
        return refused.reason
    return ""


def test_inv_04_no_stage_is_entered_without_a_passed_evaluation_of_the_same_head(session: Any) -> None:
    """StageAdvanced stands right behind a StageGateEvaluated that passed, whose conditions all hold or are waived."""
    session.to_delivered()
    facts = [event for event, _ in session.events]
    advances = [k for k, fact in enumerate(facts) if isinstance(fact, events_pb2.StageAdvanced)]
    assert len(advances) == 4
    for k in advances:
        evaluation = facts[k - 1]
        assert isinstance(evaluation, events_pb2.StageGateEvaluated)
        assert evaluation.passed
        assert all(condition.passed for condition in evaluation.conditions)


def test_inv_05_versions_takes_and_recipes_never_change_after_they_exist(session: Any) -> None:
    """Whatever happens to a song afterwards, what was proposed, rendered and recorded stays what it was."""
    session.to_mixing()
    session.mix()
    session.render(MIX, 1)
    mix, takes = session.song.mixes[1], {take.id: take.asset_sha256 for take in session.song.takes.values()}
    assert not session.do(versions.record_render, MIX, 1, audio=[], attachments=[], render_job="j", engine_version="2")
    session.approve(MIX, 1)
    session.do(stages.advance, pb.STAGE_MASTERING)
    session.approve(MASTER, session.master())
    kept = session.song.mixes[1]
    assert (kept.recipe, kept.recipe_digest, kept.audio) == (mix.recipe, mix.recipe_digest, mix.audio)
    assert {take.id: take.asset_sha256 for take in session.song.takes.values()} == takes


def test_inv_06_at_most_one_mix_and_one_master_are_approved(session: Any) -> None:
    """After every event of two mixes and two masters: never two approved of a kind."""
    session.to_mixing()
    for _ in range(2):
        number = session.mix()
        session.render(MIX, number)
        session.approve(MIX, number)
    session.do(stages.advance, pb.STAGE_MASTERING)
    for _ in range(2):
        session.approve(MASTER, session.master())
    state = Song()
    for event, time in session.events:
        state = evolve(state, event, time)
        for kind in (MIX, MASTER):
            assert sum(v.state == pb.VERSION_STATE_APPROVED for v in state.versions(kind).values()) <= 1
    assert state.approved(MASTER).number == 2


async def test_inv_07_who_lacks_the_role_at_that_moment_cannot_approve_and_leaving_undoes_nothing(session: Any) -> None:
    """The roles of now decide; an approval given in a role stands when the person has left."""
    aggregates = Aggregates.on(MemoryEventLog())
    await _project(aggregates, 0, events_pb2.ProjectCreated(project="prj-1"), _member("pia", pb.ROLE_STUDIO_PRODUCER))
    call = Call(Principal("acme", "pia", "person"), SESSION + "ApproveVersion")
    access = await authorize(aggregates.projects, call, "prj-1")
    assert access.role == pb.ROLE_STUDIO_PRODUCER
    session.to_mixing()
    session.render(MIX, session.mix())
    session.approve(MIX, 1, ARTIST, access.actor)
    await _project(aggregates, 2, events_pb2.MemberRemoved(party="pia"))
    with pytest.raises(Denied):
        await authorize(aggregates.projects, call, "prj-1")
    assert session.song.approved(MIX) is not None
    assert session.failing() == []


def _member(party: str, role: Any) -> events_pb2.MemberAdded:
    return events_pb2.MemberAdded(party=party, roles=[role])


async def _project(aggregates: Aggregates, number: int, *facts: Any) -> Versioned[Project]:
    request = Request(f"00000000-0000-4000-8000-{number:012d}", "0" * 64)
    outcome = await aggregates.projects.execute(
        aggregates.projects.aggregate("acme", "prj-1"),
        lambda _: facts,
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=Metadata(project="prj-1"),
    )
    return outcome.versioned


def test_inv_08_technical_checks_cannot_be_waived_and_taste_needs_a_decision(session: Any) -> None:
    """Without a decision no waiver; with one the rule of taste is waived, the technical one is not."""
    session.to_mixing(DRY, QUIET)
    session.mix(DELAY)
    session.render(MIX, 1)
    assert (_waive(session, "dry") != "", session.song.waivers) == (True, ())
    session.do(talks.open_disagreement, PRODUCER, "dis-1", pb.Disagreement(question="Echo?", constraints=["dry"]))
    for actor in (ARTIST, PRODUCER):
        session.do(talks.state_position, actor, "dis-1", "so", "")
    session.do(talks.propose_option, PRODUCER, "dis-1", "a", description="so", version="")
    wanted = pb.Decision(kind=pb.DECISION_KIND_COMPROMISE, rationale="so", waives=["dry"])
    session.do(talks.record_decision, PRODUCER, "dis-1", wanted, None)
    session.do(talks.consent, ARTIST, "dis-1")
    assert _waive(session, "peak") == "NOT_WAIVABLE"
    assert [(waiver.constraint, waiver.disagreement) for waiver in session.song.waivers] == [("dry", "dis-1")]
    assert "BRIEF_VIOLATED" in session.failing()


def _waive(session: Any, constraint: str) -> str:
    name = VersionName(session.song.name, MIX, 1)
    values = {"disagreement": "dis-1", "reason": "so", "refuse": talks.refuse_waiver}
    return _refused(lambda: session.do(waivers.waive_check, PRODUCER, name, constraint, **values))


def test_inv_09_a_master_names_one_approved_mix_and_ends_with_it(session: Any) -> None:
    """A master is made of the approved mix alone; when that mix ends, so does the master."""
    session.to_mixing()
    with pytest.raises(NotNow):
        session.master()
    session.render(MIX, session.mix())
    session.approve(MIX, 1)
    session.do(stages.advance, pb.STAGE_MASTERING)
    session.master()
    assert session.song.masters[1].mix_number == session.song.approved(MIX).number
    session.note("nt-1")
    wanted = pb.SendBack(to=pb.STAGE_RECORDING, reason=pb.SEND_BACK_REASON_NOISE, notes=["nt-1"])
    session.do(send_backs.send_back, PRODUCER, wanted)
    assert session.song.mixes[1].is_superseded
    assert session.song.masters[1].is_superseded


def test_inv_10_alternates_differ_in_declared_mutes_and_offsets_alone(recipe_of: Any) -> None:
    """With mutes and faders put back, the alternate is the main recipe; tracks that were not named did not move."""
    recipe = recipe_of(DELAY)
    alternate = recipe_pb2.Alternate(id="tv", mute=["vocal"])
    alternate.gain_offsets.add(target="drums", gain_db=1.5)
    variant = apply_alternate(recipe, alternate)
    assert [(track.mute, track.gain_db) for track in variant.tracks] == [(True, 0.0), (False, 1.5)]
    for track, original in zip(variant.tracks, recipe.tracks, strict=True):
        track.mute, track.gain_db = original.mute, original.gain_db
    assert variant == recipe


def test_inv_14_every_delivered_file_is_in_the_manifest_and_traces_to_an_approved_version(session: Any) -> None:
    """Each file has its digest in the manifest, and the version behind it is approved; a rejected one is nowhere."""
    session.to_mixing()
    session.render(MIX, session.mix(DELAY))
    session.do(reviews.request_changes, MIX, 1, "no", [])
    session.render(MIX, session.mix())
    session.approve(MIX, 2)
    session.do(stages.advance, pb.STAGE_MASTERING)
    session.approve(MASTER, session.master())
    session.do(songs.set_catalogue_ids, "QZABC2500001")
    files = package_contents.contents(session.song, "The North Pier", "mm").files
    manifest = json.loads(package_contents.manifest(session.song, "The North Pier", files))
    listed = {(file["filename"], file["sha256"], file["version"]) for file in manifest["files"]}
    assert listed == {(file.filename, file.sha256, file.version) for file in files}
    name = session.song.name
    assert {file.version for file in files} == {name.version(MIX, 2), name.version(MASTER, 1)}


def test_inv_16_the_oldest_history_still_folds_and_an_unknown_type_is_never_skipped() -> None:
    """A song written by the first version reads as it did then; an event of no known type stops the reading."""
    oldest = json.loads(OLDEST.read_text())
    state = Song()
    for line in oldest["events"]:
        fact = EVENTS.types[line["type"]].FromString(base64.b64decode(line["data"]))
        state = evolve(state, fact, datetime.fromisoformat(line["time"]))
    assert _summary(state) == oldest["song"]
    aggregate = AggregateId("session", "acme", "sng-1")
    unknown = StoredEvent(
        aggregate=aggregate, sequence=1, position=1, event_id="e", type="tapelog.song.sung.v9", schema="",
        time=EPOCH, data=b"", metadata=Metadata(), hash="", previous_hash="",
    )  # fmt: skip
    with pytest.raises(WrittenByNewer, match="newer version"):
        EVENTS.decode(unknown)


def _summary(song: Song) -> dict[str, Any]:
    """Return what nobody may ever read differently."""
    return {
        "stage": pb.Stage.Name(song.stage),
        "cycle": song.cycle,
        "isrc": song.isrc,
        "brief_revision": song.brief_revision,
        "takes": {take.id: take.asset_sha256 for take in song.takes.values()},
        "versions": {
            f"{pb.VersionKind.Name(v.kind)} {v.number}": [
                pb.VersionState.Name(v.state),
                v.recipe_digest,
                v.sample_digest,
                sorted(f"{approval.party} {pb.Role.Name(approval.role)}" for approval in v.approvals),
            ]
            for v in (*song.mixes.values(), *song.masters.values())
        },
        "notes": {note.id: pb.NoteState.Name(note.state) for note in song.notes.values()},
    }


def test_inv_17_no_event_has_a_field_for_a_name_or_a_contact() -> None:
    """Events name people by party id; names and contacts are fields of party records alone, which can be erased."""
    personal = {"display_name", "full_name", "first_name", "last_name", "email", "phone", "address", "birth_date"}
    found: set[str] = set()

    def look(message: Descriptor, seen: set[str]) -> None:
        if message.full_name in seen:
            return
        seen.add(message.full_name)
        found.update(f"{message.full_name}.{field.name}" for field in message.fields if field.name in personal)
        for field in message.fields:
            if field.message_type is not None:
                look(field.message_type, seen)

    for file in (events_pb2.DESCRIPTOR, render_events.DESCRIPTOR):
        for message in file.message_types_by_name.values():
            look(message, set())
    assert found == set()
    assert personal & {field.name for field in pb.Party.DESCRIPTOR.fields} == {"display_name", "email"}


def test_inv_18_client_and_internal_notes_never_mix(session: Any) -> None:
    """What the label reads holds no internal note, and no fact about one; what it writes is in the client thread."""
    session.to_mixing()
    thread = {"internal": pb.NOTE_THREAD_INTERNAL, "client": pb.NOTE_THREAD_CLIENT}
    for number, word in enumerate(thread, start=1):
        content = pb.Note(text=word, severity=pb.NOTE_SEVERITY_SHOULD, thread=thread[word])
        session.do(notes.add_note, PRODUCER, f"nt-{number}", content)
        session.do(notes.reply, PRODUCER, f"nt-{number}", f"{word} too")
    with pytest.raises(DomainError):
        notes.reply(session.song, LABEL, "nt-1", "what is this?")
    read = for_label(song_resource(Versioned(session.song, len(session.events))))
    assert [note.id for note in read.notes] == ["nt-2"]
    assert b"internal" not in read.SerializeToString()
    about = [event for event, _ in session.events if isinstance(event, events_pb2.NoteAdded | events_pb2.NoteReplied)]
    assert [is_internal(session.song, _stored(event)) for event in about] == [True, True, False, False]
    (own,) = session.do(notes.add_note, LABEL, "nt-3", pb.Note(text="louder", severity=pb.NOTE_SEVERITY_SHOULD))
    assert own.note.thread == pb.NOTE_THREAD_CLIENT


def _stored(event: Any) -> StoredEvent:
    return StoredEvent(
        aggregate=AggregateId("session", "acme", "sng-1"), sequence=1, position=1, event_id="e",
        type=EVENTS.type_of(event), schema=event.DESCRIPTOR.full_name, time=EPOCH,
        data=event.SerializeToString(), metadata=Metadata(), hash="", previous_hash="",
    )  # fmt: skip
