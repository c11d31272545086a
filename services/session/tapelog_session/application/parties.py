"""Party records: names and contacts, kept outside of the log so that they can be corrected and erased."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis import ids
from tapelog_chassis.event_log import Metadata

from tapelog_session.application.access import Call
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.ports import Parties, PartyRecord
from tapelog_session.application.reading.resources import party_resource
from tapelog_session.application.reading.views import Views
from tapelog_session.application.song_commands import Request
from tapelog_session.domain.checks import TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import Denied, InvalidCommand, Moved, NotNow, Unknown
from tapelog_session.domain.names import SongName, project_name

EMAIL_CHARS_MAX: Final = 254
"""RFC 5321: the longest address that can be delivered to."""
ADMIN: Final = "ADMIN"
ATTEMPTS_MAX: Final = 4

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


async def upsert_party(
    parties: Parties, call: Call, request: Request, *, party: str, display_name: str, email: str
) -> PartyRecord:
    """Create a record, or replace it: by the person it is about, by who made it, or by an administrator.

    Raises
    ------
    Denied
        Somebody else's record.
    Moved
        Others were writing the same record all the time.
    """
    ids.validate_request_id(request.request_id)
    fields = Fields()
    fields.id("party.name", party)
    fields.text("party.display_name", display_name, TITLE_CHARS_MAX)
    fields.that(
        not email or (len(email) <= EMAIL_CHARS_MAX and _EMAIL.fullmatch(email) is not None),
        "party.email",
        f"{email[:64]!r} is not an e-mail address",
    )
    fields.refuse()
    for _ in range(ATTEMPTS_MAX):
        entry = await parties.get(call.tenant, party)
        if entry is not None:
            known = entry.record
            if known.erased:
                raise NotNow(
                    "PERSON_ERASED", f"{party} was erased; a person who comes back gets another id", party=party
                )
            if known.request_id == request.request_id:
                if known.request_hash != request.request_hash:
                    text = f"{request.request_id} was already used for another request; make a new one"
                    raise InvalidCommand("REQUEST_ID_REUSED", [("request_id", text)])
                return known
            may_change = call.party in (party, known.created_by) or ADMIN in call.principal.tenant_roles
            if not may_change:
                text = f"the record of {party} can be changed by {party}, by {known.created_by}, or an administrator"
                raise Denied("PARTY_DENIED", text, party=party)
        record = PartyRecord(
            party=party,
            display_name=display_name,
            email=email,
            created_by=entry.record.created_by if entry else call.party,
            request_id=request.request_id,
            request_hash=request.request_hash,
        )
        if await parties.put(call.tenant, record, entry.revision if entry else 0):
            return record
    raise Moved("PARTY_BUSY", f"the record of {party} changed {ATTEMPTS_MAX} times meanwhile; try again", party=party)


async def get_party(parties: Parties, call: Call, party: str) -> PartyRecord:
    """Return a record of the tenant."""
    entry = await parties.get(call.tenant, party)
    if entry is None:
        raise Unknown("NO_SUCH_PARTY", f"there is no record of parties/{party}", party=party)
    return entry.record


async def erase_person(
    aggregates: Aggregates, parties: Parties, call: Call, request: Request, party: str
) -> PartyRecord:
    """Destroy the key of a person's record, and say so in the log; again, it changes nothing."""
    ids.validate_request_id(request.request_id)
    _require_own(call, party)
    await parties.erase(call.tenant, party)
    aggregate = aggregates.people.aggregate(call.tenant, f"era-{hashlib.sha256(party.encode()).hexdigest()[:28]}")
    await aggregates.people.execute(
        aggregate,
        lambda erased: [] if erased.party else [events_pb2.PersonErased(party=party)],
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=Metadata(
            actor=call.principal.party,
            on_behalf_of=call.principal.on_behalf_of,
            correlation_id=call.correlation_id,
        ),
    )
    return PartyRecord(party, "", "", "", erased=True)


async def export_personal_data(
    parties: Parties, views: Views, call: Call, party: str
) -> rpc.ExportPersonalDataResponse:
    """Return what is kept about a person: their record, and where the log speaks of them."""
    _require_own(call, party)
    await views.caught_up()
    entry = await parties.get(call.tenant, party)
    response = rpc.ExportPersonalDataResponse()
    if entry is not None:
        response.party.CopyFrom(party_resource(entry.record))
    for project in views.projects_of(call.tenant, None, ""):
        if roles := project.members.get(party):
            response.memberships.add(project=project_name(project.id), roles=roles)
        songs = (song for song in project.songs if party in song.people)
        response.songs.extend(str(SongName(project.id, song.id)) for song in songs)
    return response


def _require_own(call: Call, party: str) -> None:
    if call.party != party and ADMIN not in call.principal.tenant_roles:
        raise Denied("PARTY_DENIED", f"only {party} and the tenant's {ADMIN} may ask for that", party=party)
