"""The song of the golden history: a brief, takes, a dispute, send-backs by four edges, two deliveries, the archive."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import policies, project, songs, studio_session
from tapelog_session.domain.gates import holds, send_backs, stages
from tapelog_session.domain.handover import delivery
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.names import parse_version
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Policy
from tapelog_session.domain.studio_session import StudioSession
from tapelog_session.domain.talk import disagreements, notes
from tapelog_session.domain.tracking import recording, take_checks, takes
from tapelog_session.domain.versioning import reviews, stems, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.vision import brief

ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
RECORDER = Actor("rex", pb.ROLE_RECORDING_ENGINEER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)
MASTERER = Actor("max", pb.ROLE_MASTERING_ENGINEER)
LABEL = Actor("lou", pb.ROLE_LABEL)
DRY = brief_pb2.Constraint(
    id="dry",
    statement="No echo on the voice.",
    effect_forbidden=brief_pb2.EffectForbidden(
        selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
    ),
)
ECHO = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=350))


def tell(session: Any) -> None:
    """Live the whole story on a song in memory."""
    _pre_production(session)
    _recording(session)
    _disputed_mix(session)
    _send_backs(session)
    _master(session, "dlv-1")
    _return_and_deliver(session)


def project_events() -> Sequence[Message]:
    """Return the facts of the project."""
    created = events_pb2.ProjectCreated(project="prj-1", title="North Pier", artist_name="The North Pier")
    people = (ARTIST, PRODUCER, RECORDER, MIXER, MASTERER, LABEL)
    members = [pb.Member(party=actor.party, roles=[actor.role]) for actor in people]
    wanted = [
        lambda state: project.create_project(state, created, "pia", members),
        lambda state: project.set_policy(state, pb.Policy(approval_quorum=2, approval_deadline_hours=48)),
        lambda state: project.set_allowance(state, 2),
        lambda state: project.add_member(state, pb.Member(party="ana", roles=[pb.ROLE_ARTIST, pb.ROLE_SONGWRITER])),
        lambda state: project.add_member(state, pb.Member(party="tom", roles=[pb.ROLE_STUDIO_TECHNICIAN])),
        lambda state: project.remove_member(state, "tom"),
        lambda state: project.close_project(state, "a break"),
        lambda state: project.reopen_project(state, "it goes on"),
    ]
    return _live(Project(), wanted, project.evolve)


def studio_session_events() -> Sequence[Message]:
    """Return the facts of a studio session."""
    opened = pb.StudioSession(
        name="projects/prj-1/studioSessions/ses-1",
        song="projects/prj-1/songs/sng-1",
        type=pb.StudioSessionType.values()[1],
        venue="Pier Studio",
        opened_by="rex",
    )
    opened.start_time.FromSeconds(1_767_225_600)
    end = pb.StudioSession().start_time
    end.FromSeconds(1_767_240_000)
    attended = pb.Attendee(party="ana", role=pb.ROLE_ARTIST)
    contribution = events_pb2.ContributionLogged(
        contribution=pb.Contribution(id="con-1", party="ana", role=pb.ROLE_ARTIST, takes=["tk-1"])
    )
    wanted = [
        lambda state: studio_session.open_session(state, opened),
        lambda state: studio_session.log_attendee(state, attended),
        lambda state: studio_session.log_equipment(state, ["U 47", "1073"]),
        lambda _: [contribution],
        lambda state: studio_session.confirm(state, "con-1"),
        lambda state: studio_session.close(state, end),
    ]
    return _live(StudioSession(), wanted, studio_session.evolve)


def delivery_events() -> Sequence[Message]:
    """Return the facts of a package that was accepted and returned."""
    file = pb.DeliveryFile(filename="TNP_LightsOut_MM01_Master01_48k_24.wav", role="master", sha256="a" * 64)
    back = pb.SendBack(edge="B6", reason=pb.SEND_BACK_REASON_BETTER_TAKE, comment="too quiet")
    built = events_pb2.DeliveryBuilt(
        project="prj-1", song="sng-1", files=[file], manifest_sha256="b" * 64, song_sequence=9, project_sequence=8
    )
    return _live(
        DeliveryPackage(),
        [
            lambda _: [built, events_pb2.CreditsExported(sha256="c" * 64, message_version=1)],
            lambda _: [events_pb2.DeliveryHandedOver(recipient="lou", comment="by courier")],
            lambda _: [events_pb2.DeliveryAccepted(accepted_by="lou")],
            lambda state: delivery.give_back(state, back),
        ],
        delivery.evolve,
    )


def _live(state: Any, wanted: Sequence[Any], evolve: Any) -> list[Message]:
    lived: list[Message] = []
    for decide in wanted:
        for event in decide(state):
            state = evolve(state, event, datetime(2026, 1, 1, tzinfo=UTC))
            lived.append(event)
    return lived


def _pre_production(session: Any) -> None:
    session.create()
    session.agree(DRY)
    session.agree(DRY, reason="said more clearly")
    aspect = brief_pb2.ReferenceAspect.values()[1]
    reference = brief_pb2.ReferenceTrack(title="The other record", aspects=[aspect], comment="its low end")
    session.do(brief.attach_reference, ARTIST, reference)
    for actor in (ARTIST, PRODUCER):
        session.do(brief.approve_arrangement, actor)
    session.do(songs.register_work, pb.Work(title="Lights Out", writers=["ana"]))
    session.do(songs.set_writers, 1, ["ana", "pia"])
    session.do(stems.set_lyrics, pb.Lyrics(text="Lights out\nLights out", language="en"))
    session.do(holds.put_on_hold, "the singer has a cold")
    session.do(holds.resume)
    session.do(stages.advance, pb.STAGE_RECORDING)


def _recording(session: Any) -> None:
    session.do(stages.advance, pb.STAGE_MIXING)
    humming = {"hum_searched_s": 20.0, "hum_dbfs": -50.0, "hum_hz": 50.0}
    session.add_take("lead-vox", "tk-1", **humming)
    session.add_take("drums", "tk-2")
    session.do(takes.request_take, PRODUCER, "lead-vox", "closer, please")
    session.do(recording.record_take, "tk-3", "lead-vox", "c" * 64, "rex")
    session.do(recording.record_check_failure, "tk-3", "SOURCE_TRUNCATED: cut off")
    session.do(takes.reject_take, "tk-3", "cut off")
    session.do(takes.clean_take, RECORDER, "tk-4", "tk-1", asset_sha256="d" * 64, treatments=["hum 50 Hz removed"])
    form = audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=1, bit_depth=24, length_frames=48_000)
    session.do(recording.record_check, "tk-4", audio_pb2.Measurements(length_frames=48_000), form)
    passage = audio_pb2.FrameRange(start_frame=0, end_frame=24_000)
    rest = audio_pb2.FrameRange(start_frame=24_000, end_frame=48_000)
    regions = [pb.CompRegion(take="tk-1", range=passage), pb.CompRegion(take="tk-4", range=rest, crossfade_ms=5)]
    session.do(takes.set_comp, RECORDER, "lead-vox", regions)
    session.do(recording.select_take, "lead-vox", "tk-1")
    session.do(take_checks.waive, PRODUCER, "tk-1", pb.TAKE_CHECK_KIND_HUM, "it belongs to the amplifier")
    count = pb.ContributionCount(studio_session="ses-1", confirmed=1, session_sequence=6)
    session.do(studio_session.settle, count)
    session.do(policies.adopt, Policy(approval_quorum=2, approval_deadline_hours=48, revision_allowance=1), 8)
    session.do(stages.advance, pb.STAGE_MIXING)


def _disputed_mix(session: Any) -> None:
    session.mix(ECHO)
    session.render(MIX, 1)
    session.note("nt-1")
    session.do(notes.reply, MIXER, "nt-1", "on purpose")
    session.do(notes.decline, "nt-1", "the bridge needs it")
    session.do(notes.reopen, PRODUCER, "nt-1", "talk first")
    wanted = pb.Disagreement(question="Echo?", version=session.song.name.version(MIX, 1), constraints=["dry"])
    session.do(disagreements.open_disagreement, MIXER, "dis-1", wanted)
    session.do(disagreements.state_position, MIXER, "dis-1", "the bridge needs movement", "an echo")
    session.do(disagreements.state_position, ARTIST, "dis-1", "the voice must stay close", "")
    for option in ("a", "b"):
        session.do(disagreements.propose_option, MIXER, "dis-1", option, description=option, version="")
    decision = pb.Decision(kind=pb.DECISION_KIND_COMPROMISE, rationale="in the bridge, quietly", waives=["dry"])
    session.do(disagreements.record_decision, PRODUCER, "dis-1", decision, None)
    session.do(disagreements.consent, ARTIST, "dis-1")
    session.do(disagreements.consent, MIXER, "dis-1")
    session.do(disagreements.close, PRODUCER, "dis-1", "settled")
    session.do(reviews.request_changes, MIX, 1, "less of it", ["nt-1"])
    session.do(notes.address_note, "nt-1", "less", parse_version(session.song.name.version(MIX, 1), "version"))
    session.mix(ECHO)
    session.do(versions.record_render_failure, MIX, 2, "job-9", "OUT_OF_MEMORY: too much")
    session.mix(ECHO)
    session.render(MIX, 3)
    session.do(notes.verify_note, "nt-1")
    session.note("nt-2", pb.NOTE_SEVERITY_NICE)


def _send_backs(session: Any) -> None:
    to_recording = pb.SendBackAdvice(
        to=pb.STAGE_RECORDING, reason=pb.SEND_BACK_REASON_BETTER_TAKE, comment="the last word", notes=["nt-2"]
    )
    session.do(send_backs.advise, MIXER, to_recording)
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_RECORDING))
    session.do(stages.advance, pb.STAGE_MIXING)
    session.mix()
    session.render(MIX, 4)
    session.approve(MIX, 4, ARTIST)
    session.do(reviews.withdraw, ARTIST, MIX, 4, reason="not yet")
    session.approve(MIX, 4)
    alternate = recipe_pb2.Alternate(id="instrumental", mute=["vocal"])
    session.do(songs.request_alternates, 4, [alternate])
    audio = audio_pb2.AudioResult(sha256="e" * 64, sample_digest="f" * 64, media_type="audio/wav")
    session.do(songs.record_alternate, 4, "instrumental", audio=audio, render_job="job-5", error="")
    session.do(stems.request_stems, 4, [pb.StemGroup(id="voice", members=["lead-vox"])])
    session.do(stems.record_stems, 4, [pb.Stem(id="voice", audio=audio)], render_job="job-6", error="")
    session.do(stages.advance, pb.STAGE_MASTERING)
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_MIXING))
    session.mix()
    number = max(session.song.mixes)
    session.render(MIX, number)
    session.approve(MIX, number)
    session.do(stages.advance, pb.STAGE_MASTERING)


def _master(session: Any, package: str) -> None:
    number = session.master()
    session.approve(MASTER, number)
    if not session.song.isrc:
        session.do(songs.set_catalogue_ids, "QZABC2500001")
    session.do(delivery.record_precheck, ["STEMS_MISSING x: ask"], "", number)
    session.do(delivery.record_precheck, (), package, number)
    session.do(stages.advance, pb.STAGE_DELIVERED)


def _return_and_deliver(session: Any) -> None:
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_MASTERING))
    number = max(session.song.masters)
    session.approve(MASTER, number)
    session.do(delivery.record_precheck, (), "dlv-2", number)
    session.do(stages.advance, pb.STAGE_DELIVERED)
    session.do(songs.record_acceptance, "dlv-2", "lou")
    session.do(songs.record_verification, events_pb2.PackageVerified(delivery="dlv-2", files=9, stores=2))
    session.do(stages.advance, pb.STAGE_ARCHIVED)


def _back(to: Any) -> pb.SendBack:
    return pb.SendBack(to=to, reason=pb.SEND_BACK_REASON_BETTER_TAKE, notes=["nt-2"], comment="again")
