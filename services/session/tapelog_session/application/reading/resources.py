"""The resources that callers read, made from state."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from google.protobuf import any_pb2, timestamp_pb2
from tapelog.common.v1 import event_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.event_log.codec import source_of
from tapelog_chassis.timestamps import set_time

from tapelog_session.application.ports import PartyRecord
from tapelog_session.domain.asset import Registration
from tapelog_session.domain.gates.stages import open_conditions, stage_state
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.names import KindValue, SongName, asset_name, parse_version, project_name
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import REQUIRED_CONSENTS, Consent, role_name
from tapelog_session.domain.song import Alternate, Brief, Note, Song, Take, Track, Version
from tapelog_session.domain.versioning.versions import MIX
from tapelog_session.domain.waiting import waiting_for

TYPE_URL = "type.googleapis.com/"

ERASED_PERSON: Final = "erased person"
"""What is shown in place of the name of somebody whose key was destroyed."""


def project_resource(versioned: Versioned[Project]) -> pb.Project:
    """Return a project as it is read."""
    project = versioned.state
    members = sorted(project.members.values(), key=lambda member: member.order)
    return pb.Project(
        name=project_name(project.id),
        etag=versioned.etag,
        title=project.title,
        artist_name=project.artist_name,
        members=[pb.Member(party=member.party, roles=member.roles) for member in members],
        external_ref=project.external_ref,
        create_time=timestamp(project.create_time),
        policy=pb.Policy(
            solo=project.policy.solo,
            approval_quorum=project.policy.approval_quorum,
            approval_deadline_hours=project.policy.approval_deadline_hours,
        ),
        revision_allowance=project.policy.revision_allowance,
        closed=project.closed,
        close_reason=project.close_reason,
    )


def song_resource(versioned: Versioned[Song]) -> pb.Song:
    """Return a song as it is read, with what must still happen in its stage."""
    song = versioned.state
    failing = open_conditions(song)
    return pb.Song(
        name=str(song.name),
        etag=versioned.etag,
        title=song.title,
        stage=song.stage,
        cycle=song.cycle,
        sample_rate_hz=song.sample_rate_hz,
        bit_depth=song.bit_depth,
        isrc=song.isrc,
        works=song.works,
        brief=brief_resource(song.brief) if song.brief else None,
        arrangement_approvals=[_consent(consent) for consent in song.arrangement],
        tracks=[_track(track) for track in sorted(song.tracks.values(), key=lambda t: t.order)],
        takes=[_take(take) for take in sorted(song.takes.values(), key=lambda t: t.order)],
        versions=[version_resource(song, version) for version in _by_age(song)],
        notes=[note_resource(song, note) for note in sorted(song.notes.values(), key=lambda n: n.order)],
        alternates=[_alternate(song, a) for a in sorted(song.alternates.values(), key=lambda a: a.order)],
        open_conditions=failing,
        external_ref=song.external_ref,
        sequence=versioned.sequence,
        create_time=timestamp(song.create_time),
        update_time=timestamp(versioned.time),
        delivery=song.name.delivery(song.delivery) if song.delivery else "",
        held_stage=song.held_stage,
        stage_state=stage_state(song, failing),
        send_backs=song.send_backs,
        send_back_advice=song.advice,
        usage_scope=song.usage_scope,
        disagreements=[disagreement_resource(song, known) for known in _by_opening(song)],
        waivers=song.waivers,
        studio_sessions=[song.contributions[session] for session in sorted(song.contributions)],
        waiting_for=waiting_for(song),
        revision_rounds=song.rounds,
        revision_allowance=song.policy.revision_allowance,
        reference_tracks=song.references,
        lyrics=song.lyrics,
        stem_sets=[_stem_set(song, number) for number in sorted(song.stems)],
    )


def brief_resource(brief: Brief) -> brief_pb2.Brief:
    """Return the brief in force."""
    return brief_pb2.Brief(
        revision=brief.revision,
        intent=brief.intent,
        non_goals=brief.non_goals,
        constraints=brief.constraints,
        agreements=[
            brief_pb2.BriefAgreement(party=c.party, role=role_name(c.role), time=timestamp(c.time))
            for c in brief.agreements
        ],
        agreed=brief.is_agreed,
        references=brief.references,
    )


def version_resource(song: Song, version: Version) -> pb.Version:
    """Return a version as it is read."""
    name = song.name
    return pb.Version(
        name=name.version(version.kind, version.number),
        kind=version.kind,
        number=version.number,
        state=version.state,
        proposed_by=version.proposed_by,
        comment=version.comment,
        mix=version.recipe if isinstance(version.recipe, recipe_pb2.MixRecipe) else None,
        master=version.recipe if isinstance(version.recipe, recipe_pb2.MasterRecipe) else None,
        recipe_digest=version.recipe_digest,
        verdicts=version.verdicts,
        audio=version.audio,
        render_job=_job_name(version.render_job),
        render_error=version.render_error,
        approvals=[
            pb.Approval(
                party=approval.party,
                role=approval.role,
                sample_digest=approval.sample_digest,
                recipe_digest=approval.recipe_digest,
                brief_revision=approval.brief_revision,
                time=timestamp(approval.time),
                superseded=approval.superseded,
                self_approved=approval.self_approved,
            )
            for approval in version.approvals
        ],
        required_approvals=REQUIRED_CONSENTS,
        source_version=name.version(MIX, version.mix_number) if version.mix_number else "",
        attachments=version.attachments,
        create_time=timestamp(version.create_time),
        approval_due_time=timestamp(version.due_time),
        approval_overdue=version.is_overdue,
    )


def song_version(versioned: Versioned[Song], kind: KindValue, number: int) -> pb.Version:
    """Return one version of a song."""
    return version_resource(versioned.state, versioned.state.versions(kind)[number])


def note_resource(song: Song, note: Note) -> pb.Note:
    """Return a note as it is read."""
    resource = pb.Note()
    resource.CopyFrom(note.content)
    resource.state = note.state
    resource.answer = note.answer
    resource.thread = note.content.thread or pb.NOTE_THREAD_INTERNAL
    resource.replies.extend(note.replies)
    resource.anchor = note.anchor
    if note.carried_number:
        resource.carried_to = song.name.version(note.kind, note.carried_number)
    set_time(resource.create_time, note.create_time)
    return resource


def disagreement_resource(song: Song, known: pb.Disagreement) -> pb.Disagreement:
    """Return a disagreement as it is read: options with previews get the gains that make them equally loud."""
    resource = pb.Disagreement()
    resource.CopyFrom(known)
    heard = [option for option in resource.options if option.version]
    for option in heard:
        name = parse_version(option.version, "version")
        audio = song.versions(name.kind)[name.number].audio
        if audio and audio[0].measurements.HasField("integrated_lufs"):
            option.integrated_lufs = audio[0].measurements.integrated_lufs
    if heard and all(option.HasField("integrated_lufs") for option in heard):
        quietest = min(option.integrated_lufs for option in heard)
        for option in heard:
            option.match_gain_db = quietest - option.integrated_lufs
    return resource


def asset_resource(project: str, asset: Registration) -> pb.Asset:
    """Return an asset as it is read."""
    return pb.Asset(
        name=asset_name(project, asset.sha256),
        sha256=asset.sha256,
        size_bytes=asset.size_bytes,
        original_filename=asset.original_filename,
        media_type=asset.media_type,
        uploaded_by=asset.uploaded_by,
        create_time=timestamp(asset.create_time),
    )


def delivery_resource(versioned: Versioned[DeliveryPackage]) -> pb.DeliveryPackage:
    """Return a delivery package as it is read."""
    package = versioned.state
    return pb.DeliveryPackage(
        name=SongName(package.project, package.song).delivery(package.id),
        etag=versioned.etag,
        state=package.state,
        files=package.files,
        manifest_sha256=package.manifest_sha256,
        create_time=timestamp(package.create_time),
        accepted_by=package.accepted_by,
        return_comment=package.return_comment,
        handed_over_to=package.handed_over_to,
        hand_over_time=timestamp(package.hand_over_time),
        spec=package.spec,
        return_reason=package.return_reason,
        returned_by=package.returned_by,
    )


def party_resource(record: PartyRecord) -> pb.Party:
    """Return a party as it is read."""
    name = ERASED_PERSON if record.erased else record.display_name
    return pb.Party(name=f"parties/{record.party}", display_name=name, email=record.email, erased=record.erased)


def event_resource(event: StoredEvent) -> event_pb2.Event:
    """Return a fact as everybody sees it; its place in the public stream is not known here."""
    metadata = event.metadata
    return event_pb2.Event(
        id=event.event_id,
        type=event.type,
        source=source_of(event.aggregate.context),
        time=timestamp(event.time),
        tenant=event.aggregate.tenant,
        project=metadata.project,
        song=metadata.song,
        aggregate=event.aggregate.id,
        sequence=event.sequence,
        actor=metadata.actor,
        on_behalf_of=metadata.on_behalf_of,
        role_used=metadata.role_used,
        correlation_id=metadata.correlation_id,
        causation_id=metadata.causation_id,
        data=any_pb2.Any(type_url=TYPE_URL + event.schema, value=event.data),
    )


def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return a time in its wire form."""
    if time is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    set_time(stamp, time)
    return stamp


def _consent(consent: Consent) -> pb.RoleConsent:
    return pb.RoleConsent(party=consent.party, role=consent.role, time=timestamp(consent.time))


def _track(track: Track) -> pb.Track:
    return pb.Track(
        id=track.id,
        title=track.title,
        required=track.required,
        selected_take=track.selected_take,
        comp=track.comp,
        take_requests=track.take_requests,
    )


def _take(take: Take) -> pb.Take:
    return pb.Take(
        id=take.id,
        track=take.track,
        asset_sha256=take.asset_sha256,
        recorded_by=take.recorded_by,
        check_state=take.check_state,
        findings=take.findings,
        measurements=take.measurements,
        format=take.format,
        prior_arrangement=take.prior_arrangement,
        parent=take.parent,
        treatments=take.treatments,
        reject_reason=take.reject_reason,
        checks=take.checks,
        waivers=take.waivers,
    )


def _alternate(song: Song, alternate: Alternate) -> pb.AlternateRender:
    return pb.AlternateRender(
        id=alternate.spec.id,
        version=song.name.version(MIX, alternate.mix_number),
        alternate=alternate.spec,
        audio=alternate.audio,
        render_job=_job_name(alternate.render_job),
        render_error=alternate.render_error,
    )


def _stem_set(song: Song, number: int) -> pb.StemSet:
    known = song.stems[number]
    return pb.StemSet(
        version=song.name.version(MIX, number),
        groups=known.groups,
        stems=known.stems,
        render_job=_job_name(known.render_job),
        render_error=known.render_error,
    )


def _by_opening(song: Song) -> list[pb.Disagreement]:
    return sorted(song.disagreements.values(), key=lambda d: (d.create_time.ToNanoseconds(), d.id))


def _by_age(song: Song) -> list[Version]:
    versions = [*song.mixes.values(), *song.masters.values()]
    return sorted(versions, key=lambda version: (version.create_time, version.kind, version.number))


def _job_name(job: str) -> str:
    return f"renderJobs/{job}" if job else ""
