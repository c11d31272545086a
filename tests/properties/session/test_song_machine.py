"""A song under random commands, on a real event log in memory: what must hold whatever people do."""

import hashlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import policies, songs
from tapelog_session.domain.gates import holds, send_backs, stages
from tapelog_session.domain.handover import delivery
from tapelog_session.domain.names import VersionName
from tapelog_session.domain.permissions import STAGES
from tapelog_session.domain.roles import REQUIRED_CONSENTS, Actor
from tapelog_session.domain.song import Policy
from tapelog_session.domain.talk import disagreements, notes
from tapelog_session.domain.tracking import recording, takes
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.targets import Target
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.vision import brief, waivers

from .logged_song import LoggedSong

TARGETS = {"streaming": Target(-14.0, -1.0)}
TRACKS = ["lead-vox", "drums"]
ROLES = {"ana": pb.ROLE_ARTIST, "pia": pb.ROLE_STUDIO_PRODUCER, "mia": pb.ROLE_MIXING_ENGINEER}
CONSTRAINTS = {
    "no-delay": brief_pb2.Constraint(
        id="no-delay",
        statement="No echo.",
        effect_forbidden=brief_pb2.EffectForbidden(
            selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
        ),
    ),
    "peak": brief_pb2.Constraint(id="peak", statement="Clean.", true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-1)),
}
DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=100))

numbers = st.integers(1, 5)
kinds = st.sampled_from([MIX, MASTER])
tracks = st.sampled_from(TRACKS)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class SongMachine(LoggedSong):
    """People do things in any order; refusals are fine, anything else that goes wrong is a defect."""

    @initialize()
    def create(self) -> None:
        """Begin with a song in PRE_PRODUCTION."""
        created = events_pb2.SongCreated(
            song="sng-1", project="prj-1", title="Song", sample_rate_hz=48000, bit_depth=24
        )
        self.do(songs.create_song, created)

    @rule(names=st.sets(st.sampled_from(sorted(CONSTRAINTS))), reason=st.sampled_from(["", "softer"]))
    def propose_brief(self, names: set[str], reason: str) -> None:
        """Propose or amend the brief."""
        proposed = brief_pb2.Brief(intent="Dry.", constraints=[CONSTRAINTS[name] for name in sorted(names)])
        self.do(brief.propose_brief, proposed, reason)

    @rule()
    def consent(self) -> None:
        """Agree to the brief, approve the arrangement, register a work, as those who should."""
        for party in ("ana", "pia"):
            actor = Actor(party, ROLES[party])
            self.do(brief.agree_brief, actor, self.song.brief_revision)
            self.do(brief.approve_arrangement, actor)
        self.do(songs.register_work, pb.Work(title="Work", writers=["ana"]))
        self.do(songs.set_catalogue_ids, "QZABC2500001")

    @rule(party=st.sampled_from(["ana", "pia"]), revision=st.integers(0, 3))
    def agree(self, party: str, revision: int) -> None:
        """Agree to some revision as one of them."""
        self.do(brief.agree_brief, Actor(party, ROLES[party]), revision)

    @rule(to=st.sampled_from([*pb.Stage.values(), 77]))
    def jump(self, to: int) -> None:
        """Try to advance to any stage."""
        self.do(stages.advance, to)

    @rule()
    def advance(self) -> None:
        """Try to advance to the next stage."""
        self.do(stages.advance, stages.next_stage(self.song.stage) or pb.STAGE_ARCHIVED)

    @rule(track=tracks, number=numbers, required=st.booleans())
    def take(self, track: str, number: int, required: bool) -> None:
        """Define a track and record a take of it."""
        self.do(recording.define_track, track, "Track", required=required)
        self.do(recording.record_take, f"tk-{track}-{number}", track, _sha(track), "rex")

    @rule(track=tracks, number=numbers, clipped=st.sampled_from([0, 0, 0, 5]))
    def check_and_select(self, track: str, number: int, clipped: int) -> None:
        """Measure a take and select it."""
        measured = audio_pb2.Measurements(clipped_samples=clipped)
        form = audio_pb2.AudioFormat(sample_rate_hz=48000, channels=1, length_frames=48000)
        self.do(recording.record_check, f"tk-{track}-{number}", measured, form)
        self.do(recording.select_take, track, f"tk-{track}-{number}")

    @rule(track=tracks, number=numbers, step=st.integers(0, 3))
    def handle_take(self, track: str, number: int, step: int) -> None:
        """Reject, clean, comp or ask for a take."""
        engineer, take = Actor("rex", pb.ROLE_RECORDING_ENGINEER), f"tk-{track}-{number}"
        if step == 0:
            self.do(takes.reject_take, take, "a cough")
        elif step == 1:
            values = {"asset_sha256": _sha(f"clean {take}"), "treatments": ["hum"]}
            self.do(takes.clean_take, engineer, f"{take}-c", take, **values)
        elif step == 2:
            passage = audio_pb2.FrameRange(start_frame=0, end_frame=48_000)
            self.do(takes.set_comp, engineer, track, [pb.CompRegion(take=take, range=passage)])
        else:
            self.do(takes.request_take, engineer, track, "less breath")

    @rule(party=st.sampled_from(["mia", "pia"]), with_delay=st.booleans())
    def propose_mix(self, party: str, with_delay: bool) -> None:
        """Propose a mix of what is selected."""
        recipe = recipe_pb2.MixRecipe(sample_rate_hz=48000)
        for take in self.song.selected_takes():
            track = recipe.tracks.add(id=take.track, chain=[DELAY] if with_delay else [])
            track.source.asset_sha256 = take.asset_sha256
        self.do(versions.propose_mix, Actor(party, ROLES[party]), recipe, "")

    @rule()
    def propose_master(self) -> None:
        """Propose a master for streaming."""
        recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
        self.do(versions.propose_master, Actor("max", pb.ROLE_MASTERING_ENGINEER), recipe, "", targets=TARGETS)

    @rule(kind=kinds, number=numbers, peak_dbtp=st.sampled_from([-1.0, -1.0, -0.5]), fails=st.sampled_from([0, 0, 1]))
    def render(self, kind: Any, number: int, peak_dbtp: float, fails: int) -> None:
        """End a render, one way or the other."""
        if fails:
            self.do(versions.record_render_failure, kind, number, "job", "DISK_FULL")
            return
        measured = audio_pb2.Measurements(integrated_lufs=-14, true_peak_dbtp=peak_dbtp, loudness_range_lu=6)
        audio = audio_pb2.AudioResult(sha256=_sha(f"{kind}{number}"), sample_digest=_sha(f"s{kind}{number}"))
        audio.measurements.CopyFrom(measured)
        self.do(
            versions.record_render,
            kind,
            number,
            audio=[audio],
            attachments=[],
            render_job="job",
            engine_version="1",
        )
        self.do(versions.submit, kind, number)

    @rule(
        kind=kinds,
        number=numbers,
        party=st.sampled_from(["ana", "pia"]),
        right_bytes=st.sampled_from([True, True, False]),
        revision=st.sampled_from([0, 0, 1, 2]),
    )
    def approve(self, kind: Any, number: int, party: str, right_bytes: bool, revision: int) -> None:
        """Approve some bytes as somebody."""
        digest = _sha(f"s{kind}{number}") if right_bytes else _sha("other")
        self.do(
            reviews.approve, Actor(party, ROLES[party]), kind, number, sample_digest=digest, brief_revision=revision
        )

    @rule(kind=kinds, number=numbers, final=st.sampled_from([False, False, True]))
    def request_changes(self, kind: Any, number: int, final: bool) -> None:
        """Ask for changes as the producer, or reject for good."""
        self.do(reviews.reject if final else reviews.request_changes, kind, number, "again", [])

    @rule(kind=kinds, number=numbers, party=st.sampled_from(["ana", "pia"]))
    def withdraw(self, kind: Any, number: int, party: str) -> None:
        """Take an approval back."""
        self.do(reviews.withdraw, Actor(party, ROLES[party]), kind, number, "not sure")

    @rule(solo=st.booleans(), quorum=st.integers(0, 2), allowance=st.integers(0, 1))
    def adopt(self, solo: bool, quorum: int, allowance: int) -> None:
        """Let another policy hold."""
        self.do(policies.adopt, Policy(solo, quorum, 24, allowance), 7)

    @precondition(lambda self: self.song.mixes)
    @rule(number=numbers, severity=st.sampled_from(pb.NoteSeverity.values()), step=st.integers(0, 5))
    def talk(self, number: int, severity: Any, step: int) -> None:
        """Make, address, verify, answer, decline or reopen a note."""
        name = VersionName(self.song.name, MIX, 1)
        content = pb.Note(version=str(name), severity=severity, text="hm")
        if step == 0:
            self.do(notes.add_note, Actor("pia", pb.ROLE_STUDIO_PRODUCER), f"nt-{len(self.song.notes) + 1}", content)
        elif step == 1:
            self.do(notes.address_note, f"nt-{number}", "done", name)
        elif step == 2:
            self.do(notes.verify_note, f"nt-{number}")
        elif step == 3:
            self.do(notes.reply, Actor("lou", pb.ROLE_LABEL), f"nt-{number}", "hm")
        elif step == 4:
            self.do(notes.decline, f"nt-{number}", "no")
        else:
            self.do(notes.reopen, Actor("pia", pb.ROLE_STUDIO_PRODUCER), f"nt-{number}", "yes")

    @precondition(lambda self: self.song.stage not in {pb.STAGE_PRE_PRODUCTION, pb.STAGE_UNSPECIFIED})
    @rule(to=st.sampled_from(STAGES), asked=st.booleans())
    def send_back(self, to: int, asked: bool) -> None:
        """Ask for the song to be sent back, and send it, by any edge there may be."""
        reason = pb.SEND_BACK_REASON_OTHER
        note = f"nt-{len(self.song.notes) + 1}"
        content = pb.Note(severity=pb.NOTE_SEVERITY_SHOULD, text="again")
        self.do(notes.add_note, Actor("pia", pb.ROLE_STUDIO_PRODUCER), note, content)
        if asked:
            advice = pb.SendBackAdvice(to=to, reason=reason, comment="hm")
            self.do(send_backs.advise, Actor("ana", pb.ROLE_ARTIST), advice)
        wanted = pb.SendBack(to=to, reason=reason, comment="hm", notes=[note])
        self.do(send_backs.send_back, Actor("pia", pb.ROLE_STUDIO_PRODUCER), wanted)

    @rule(step=st.integers(0, 6), party=st.sampled_from(["ana", "mia"]), amends=st.booleans())
    def disagree(self, step: int, party: str, amends: bool) -> None:
        """Open a disagreement and go some steps towards its end, or waive a check under it."""
        producer, id_ = Actor("pia", pb.ROLE_STUDIO_PRODUCER), f"dis-{len(self.song.disagreements) + 1}"
        opened = pb.Disagreement(question="Echo?")
        self.do(disagreements.open_disagreement, Actor(party, ROLES[party]), id_, opened)
        for speaker in ("ana", "mia")[:step]:
            self.do(disagreements.state_position, Actor(speaker, ROLES[speaker]), id_, "hm", "")
        self.do(disagreements.propose_option, producer, id_, "a", description="so", version="")
        wanted = pb.Decision(kind=pb.DECISION_KIND_COMPROMISE, rationale="so", waives=["no-delay"])
        amendment = brief_pb2.Brief(intent="Dry.", constraints=[CONSTRAINTS["no-delay"]]) if amends else None
        self.do(disagreements.record_decision, producer, id_, wanted, amendment)
        for speaker in ("ana", "mia")[: max(0, step - 2)]:
            self.do(disagreements.consent, Actor(speaker, ROLES[speaker]), id_)
        for closing in (producer, Actor(party, ROLES[party])):
            self.do(disagreements.close, closing, id_, "over")
        self.do(
            waivers.waive_check,
            producer,
            VersionName(self.song.name, MIX, 1),
            "no-delay",
            disagreement=id_,
            reason="so",
            refuse=disagreements.refuse_waiver,
        )

    @rule(goes_on=st.sampled_from([True, True, True, False]), ends=st.integers(0, 40))
    def rest(self, goes_on: bool, ends: int) -> None:
        """Put the song on hold and mostly go on; seldom give it up."""
        self.do(holds.put_on_hold, "on tour")
        if goes_on:
            self.do(holds.resume)
        if ends == 0:
            self.do(holds.cancel, "no money")

    @rule(number=numbers, name=st.sampled_from(["tv", "instrumental"]), audio=st.booleans())
    def alternates(self, number: int, name: str, audio: bool) -> None:
        """Ask for an alternate and render it."""
        self.do(songs.request_alternates, number, [recipe_pb2.Alternate(id=name, mute=["drums"])])
        made = audio_pb2.AudioResult(sha256=_sha(name)) if audio else None
        self.do(songs.record_alternate, number, name, audio=made, render_job="job", error="" if audio else "X")

    @rule()
    def work_well(self) -> None:
        """Do what the song's stage is for, as people who know their work would, and go on."""
        stage = self.song.stage
        if stage == pb.STAGE_PRE_PRODUCTION:
            self.propose_brief(names={"peak"}, reason="first")
            self.consent()
        elif stage == pb.STAGE_RECORDING:
            for track in TRACKS:
                self.take(track, 1, required=False)
                self.check_and_select(track, 1, clipped=0)
        elif stage in {pb.STAGE_MIXING, pb.STAGE_MASTERING}:
            self._finish(MIX if stage == pb.STAGE_MIXING else MASTER)
        self.advance()

    def _finish(self, kind: Any) -> None:
        """Have a version proposed, rendered and approved under an agreed brief."""
        self.consent()
        if kind == MIX:
            self.propose_mix(party="mia", with_delay=False)
        else:
            self.propose_master()
        number = len(self.song.versions(kind))
        self.render(kind, number, peak_dbtp=-1.0, fails=0)
        for party in ("ana", "pia"):
            self.approve(kind, number, party, right_bytes=True, revision=0)
        self.precheck()

    @rule()
    def precheck(self) -> None:
        """Build a draft delivery."""
        master = self.song.approved(MASTER)
        self.do(delivery.record_precheck, (), "dlv-1", master.number if master else 0)

    @invariant()
    def at_most_one_approved_and_only_by_bound_approvals(self) -> None:
        """Hold invariants 6 and 7: one approved of each kind, by both roles, for these bytes and this brief."""
        for kind in (MIX, MASTER):
            approved = [v for v in self.song.versions(kind).values() if v.state == pb.VERSION_STATE_APPROVED]
            assert len(approved) <= 1
            for version in approved:
                applicable = version.applicable(self.song.brief_revision)
                assert {approval.role for approval in applicable} == set(REQUIRED_CONSENTS)
                own = {approval.self_approved for approval in applicable if approval.party == version.proposed_by}
                assert own <= {True}
                assert {approval.sample_digest for approval in applicable} == {version.audio[0].sample_digest}

    @invariant()
    def waivers_are_of_taste_and_by_decision(self) -> None:
        """Hold invariant 8: no technical rule is waived, and every waiver names a decision the artist consented to."""
        for waiver in self.song.waivers:
            assert waiver.constraint != "peak"
            decided = self.song.disagreements[waiver.disagreement]
            assert decided.HasField("decision")
            assert pb.ROLE_ARTIST in {given.role for given in decided.consents}

    @invariant()
    def masters_stand_on_a_living_mix(self) -> None:
        """Hold invariant 9: no living master of a superseded mix."""
        for master in self.song.masters.values():
            assert master.is_superseded or not self.song.mixes[master.mix_number].is_superseded


SongMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=60, deadline=None, derandomize=True, database=None
)
TestSongMachine = SongMachine.TestCase
