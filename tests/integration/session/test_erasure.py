"""A person is erased: nothing of their name is left anywhere, and the log and its hashes stay as they were."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.nats import direct
from tapelog_chassis.topology import PARTIES, PARTY_KEYS, party_key_subject, party_subject
from tapelog_client.errors import FailedPrecondition, PermissionDenied

NAME, EMAIL = "Ana Wilhelmina Pier", "ana.pier@example.org"


async def _upsert(booked: Any, party: str, **values: str) -> pb.Party:
    record = pb.Party(name=f"parties/{party}", **values)
    return await booked.call(party, "UpsertParty", wire.UpsertPartyRequest(party=record))


def _holds(folder: Path, needle: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


async def test_an_erased_person_is_gone_and_the_log_stays_whole(
    booked: Any, broker: Any, settings: Any, tmp_path: Path
) -> None:
    """The name is never on the disk in the clear; once the key is destroyed, nothing opens any copy of the record."""
    await booked.agree()
    await _upsert(booked, "ana", display_name=NAME, email=EMAIL)
    await _upsert(booked, "mel", display_name="Mel")
    admin = await broker.connect("admin")
    key = await direct.get_last_on(admin, PARTY_KEYS, party_key_subject("acme", "ana"), timeout_s=2.0)
    sealed = await direct.get_last_on(admin, PARTIES, party_subject("acme", "ana"), timeout_s=2.0)
    assert (len(key.data), NAME.encode() in sealed.data) == (32, False)
    assert _holds(tmp_path, NAME.encode()) == []
    assert _holds(tmp_path, key.data) != []
    log = await broker.log("session")
    before = [event async for event in log.read_all("session")]
    erase = wire.ErasePersonRequest(name="parties/ana", request_id=str(uuid.uuid4()))
    with pytest.raises(PermissionDenied):
        await booked.call("pia", "ErasePerson", erase)
    for _ in range(2):
        assert (await booked.call("ana", "ErasePerson", erase)).erased
    erased = await booked.call("pia", "GetParty", wire.GetPartyRequest(name="parties/ana"))
    assert (erased.display_name, erased.email, erased.erased) == ("erased person", "", True)
    assert (await booked.call("pia", "GetParty", wire.GetPartyRequest(name="parties/mel"))).display_name == "Mel"
    assert _holds(tmp_path, key.data) == []
    after = [event async for event in log.read_all("session")]
    assert after[: len(before)] == before
    assert [event.type for event in after[len(before) :]] == ["tapelog.person.person_erased.v1"]
    assert (await booked.get_song()).brief.agreed
    with pytest.raises(FailedPrecondition, match="another id"):
        await _upsert(booked, "ana", display_name="Ana again")


async def test_exports_show_an_erased_person_as_such(booked: Any) -> None:
    """Credits have the person under their id and as erased; before, under their name."""
    await booked.agree()
    await _upsert(booked, "ana", display_name=NAME)
    export = wire.ExportCreditsRequest(song=booked.song)
    assert NAME.encode() in (await booked.call("pia", "ExportCredits", export)).xml
    admin = {"tenant_roles": ["ADMIN"]}
    erase = wire.ErasePersonRequest(name="parties/ana", request_id=str(uuid.uuid4()))
    await booked.call("boss", "ErasePerson", erase, **admin)
    xml = (await booked.call("pia", "ExportCredits", export)).xml
    assert (NAME.encode() in xml, b"erased person" in xml) == (False, True)


async def test_a_person_gets_what_is_kept_about_them(booked: Any) -> None:
    """Record, memberships and songs, for the person and the administrator alone."""
    await booked.agree()
    await _upsert(booked, "ana", display_name=NAME, email=EMAIL)
    export = wire.ExportPersonalDataRequest(name="parties/ana")
    with pytest.raises(PermissionDenied):
        await booked.call("pia", "ExportPersonalData", export)
    for party, claims in (("ana", {}), ("boss", {"tenant_roles": ["ADMIN"]})):
        kept = await booked.call(party, "ExportPersonalData", export, **claims)
        assert (kept.party.display_name, kept.party.email) == (NAME, EMAIL)
        assert [(m.project, list(m.roles)) for m in kept.memberships] == [(booked.project, [pb.ROLE_ARTIST])]
        assert list(kept.songs) == [booked.song]
