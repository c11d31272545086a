"""The Project aggregate: who takes part, in which roles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import immutables
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain import policies
from tapelog_session.domain.checks import REFERENCE_CHARS_MAX, TEXT_CHARS_MAX, TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow, Unknown
from tapelog_session.domain.names import project_name
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import NO_POLICY, NONE, Policy

MEMBERS_MAX: Final = 200
DEADLINE_HOURS_MAX: Final = 24 * 366
ALLOWANCE_MAX: Final = 1000
PRODUCER: Final = pb.ROLE_STUDIO_PRODUCER


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A person's roles; `order` counts from 1 as people join."""

    party: str
    order: int
    roles: tuple[RoleValue, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """An album, EP or single: groups songs and people. `id` is empty before its first event."""

    id: str = ""
    title: str = ""
    artist_name: str = ""
    external_ref: str = ""
    create_time: datetime | None = None
    members: immutables.Map[str, Member] = NONE
    joined: int = 0
    policy: Policy = NO_POLICY
    closed: bool = False
    close_reason: str = ""

    @property
    def exists(self) -> bool:
        """Whether it was created."""
        return bool(self.id)

    def roles_of(self, party: str) -> tuple[RoleValue, ...]:
        """Return a party's roles; none for a stranger."""
        member = self.members.get(party)
        return member.roles if member else ()


def create_project(
    project: Project, created: events_pb2.ProjectCreated, creator: str, members: Sequence[pb.Member]
) -> Sequence[Message]:
    """Create a project with its people.

    Parameters
    ----------
    created : ProjectCreated
        Carries the id that the caller derived.
    creator : str
        Must be among the members.
    """
    if project.exists:
        raise NotNow("PROJECT_EXISTS", f"project {project.id} exists already", project=project.id)
    fields = Fields()
    fields.text("title", created.title, TITLE_CHARS_MAX)
    fields.text("artist_name", created.artist_name, TITLE_CHARS_MAX)
    fields.text("external_ref", created.external_ref, REFERENCE_CHARS_MAX, chars_min=0)
    fields.that(len(members) <= MEMBERS_MAX, "members", f"{len(members)} are more than {MEMBERS_MAX}")
    for index, member in enumerate(members[:MEMBERS_MAX]):
        _check_member(fields, f"members[{index}]", member)
    parties = [member.party for member in members]
    fields.unique("members", parties)
    fields.that(creator in parties, "members", f"{creator}, who creates the project, must be among them")
    has_producer = any(PRODUCER in member.roles for member in members)
    fields.that(has_producer, "members", "at least one must be ROLE_STUDIO_PRODUCER")
    fields.refuse()
    return [created, *(_added(member) for member in members)]


def add_member(project: Project, member: pb.Member) -> Sequence[Message]:
    """Add a person, or set the roles of one."""
    fields = Fields()
    _check_member(fields, "member", member)
    fields.refuse()
    if member.party not in project.members and len(project.members) >= MEMBERS_MAX:
        raise NotNow("TOO_MANY_MEMBERS", f"the project has {MEMBERS_MAX} members, which is the limit")
    if PRODUCER not in member.roles:
        _keep_a_producer(project, member.party)
    added, before = _added(member), project.roles_of(member.party)
    if not before:
        return [added]
    if set(before) == set(added.roles):
        return []
    return [events_pb2.MemberRoleChanged(party=member.party, roles=added.roles, before=before)]


def remove_member(project: Project, party: str) -> Sequence[Message]:
    """Remove a person; what they did before stands."""
    if party not in project.members:
        raise Unknown("NO_SUCH_MEMBER", f"{party!r} is not on the project", party=party)
    _keep_a_producer(project, party)
    return [events_pb2.MemberRemoved(party=party)]


def close_project(project: Project, reason: str) -> Sequence[Message]:
    """End work on the project; nothing to do if it has ended."""
    _check_reason(reason)
    return [] if project.closed else [events_pb2.ProjectClosed(reason=reason)]


def reopen_project(project: Project, reason: str) -> Sequence[Message]:
    """Let work go on; nothing to do if it goes on."""
    _check_reason(reason)
    return [events_pb2.ProjectReopened(reason=reason)] if project.closed else []


def _check_reason(reason: str) -> None:
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()


def closed_refusal(project: Project) -> NotNow:
    """Return the refusal of every change to a closed project."""
    because = f" ({project.close_reason[:200]})" if project.close_reason else ""
    text = f"project {project.id} is closed{because}; a studio producer can open it again with ReopenProject"
    condition = Condition("PROJECT_CLOSED", project_name(project.id), text)
    return NotNow("PROJECT_CLOSED", text, conditions=[condition], project=project.id)


def set_policy(project: Project, policy: pb.Policy) -> Sequence[Message]:
    """Set how versions are approved."""
    fields = Fields()
    fields.that(
        0 <= policy.approval_quorum <= MEMBERS_MAX, "policy.approval_quorum", f"must be 0 to {MEMBERS_MAX} people"
    )
    hours = policy.approval_deadline_hours
    fields.that(0 <= hours <= DEADLINE_HOURS_MAX, "policy.approval_deadline_hours", f"0 to {DEADLINE_HOURS_MAX} hours")
    fields.refuse()
    known = project.policy
    if policies.policy_of(policy, known.revision_allowance) == known:
        return []
    return [events_pb2.PolicySet(policy=policy)]


def set_allowance(project: Project, revision_allowance: int) -> Sequence[Message]:
    """Set how many rounds of revision are part of what was agreed."""
    fields = Fields()
    fields.that(0 <= revision_allowance <= ALLOWANCE_MAX, "revision_allowance", f"must be 0 to {ALLOWANCE_MAX} rounds")
    fields.refuse()
    if project.policy.revision_allowance == revision_allowance:
        return []
    return [events_pb2.AllowanceSet(revision_allowance=revision_allowance)]


def _keep_a_producer(project: Project, leaving: str) -> None:
    producers = [m.party for m in project.members.values() if PRODUCER in m.roles]
    if producers == [leaving]:
        text = f"{leaving} is the last studio producer; give somebody else the role first"
        raise NotNow(
            "LAST_PRODUCER",
            text,
            conditions=[Condition("LAST_PRODUCER", project_name(project.id), text)],
            party=leaving,
        )


def _check_member(fields: Fields, path: str, member: pb.Member) -> None:
    fields.id(f"{path}.party", member.party)
    fields.that(bool(member.roles), f"{path}.roles", "at least one role")
    for role in member.roles:
        known = role in pb.Role.values() and role != pb.ROLE_UNSPECIFIED
        fields.that(known, f"{path}.roles", f"{role} is not a role")


def _added(member: pb.Member) -> events_pb2.MemberAdded:
    return events_pb2.MemberAdded(party=member.party, roles=list(dict.fromkeys(member.roles)))


def evolve(project: Project, event: Message, time: datetime) -> Project:
    """Return the project after an event."""
    match event:
        case events_pb2.ProjectCreated():
            return Project(event.project, event.title, event.artist_name, event.external_ref, time)
        case events_pb2.MemberAdded() | events_pb2.MemberRoleChanged():
            known = project.members.get(event.party)
            order = known.order if known else project.joined + 1
            member = Member(event.party, order, tuple(event.roles))
            return dataclasses.replace(
                project, members=project.members.set(event.party, member), joined=max(project.joined, order)
            )
        case events_pb2.MemberRemoved():
            return dataclasses.replace(project, members=project.members.delete(event.party))
        case events_pb2.PolicySet():
            policy = policies.policy_of(event.policy, project.policy.revision_allowance)
            return dataclasses.replace(project, policy=policy)
        case events_pb2.ProjectClosed():
            return dataclasses.replace(project, closed=True, close_reason=event.reason)
        case events_pb2.ProjectReopened():
            return dataclasses.replace(project, closed=False, close_reason="")
        case events_pb2.AllowanceSet():
            policy = dataclasses.replace(project.policy, revision_allowance=event.revision_allowance)
            return dataclasses.replace(project, policy=policy)
    raise TypeError(f"{type(event).__name__} is not an event of a project")
