"""Delivery packages: what is missing, what goes in, under which names, with the same bytes every time."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import songs
from tapelog_session.domain.errors import InvalidCommand, Moved, NotNow
from tapelog_session.domain.gates import send_backs
from tapelog_session.domain.handover import delivery, package_contents
from tapelog_session.domain.handover.naming import depth_word, file_name, initials, rate_word, title_word
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.waiting import waiting_for


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("The North Pier", "TNP"),
        ("Björk", "B"),
        ("1-800 Kilo", "18K"),
        ("ÆØ ÅA", "A"),
        ("…", "X"),
        ("a b c d e", "ABCD"),
    ],
)
def test_initials_are_ascii(name: str, expected: str) -> None:
    """Accents are folded, what has no ASCII form is left out, nothing is never the result."""
    assert initials(name) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Lights, out!", "LightsOut"),
        ("Don't Stop", "DontStop"),
        ("Für Élise", "FurElise"),
        ("../../etc/passwd", "EtcPasswd"),
        ("", "Untitled"),
        ("supercalifragilistic song", "Supercalifragil"),
    ],
)
def test_a_title_becomes_one_short_word(title: str, expected: str) -> None:
    """No space, punctuation, accent or path is left; at most fifteen characters."""
    assert title_word(title) == expected


def test_a_file_name_has_its_parts_in_the_order_of_the_rule() -> None:
    """Initials, title, mixer and revision, version, rate, depth; joined by underscores."""
    parts = ("NP", "LightsOut", "KS02", "Master", rate_word(44100), depth_word(24, is_float=False))
    assert file_name(parts, "audio/wav") == "NP_LightsOut_KS02_Master_44.1k_24.wav"
    assert depth_word(32, is_float=True) == "32f"
    assert file_name(("A", "", "B"), "application/json") == "A_B.json"


def test_every_gap_is_listed_at_once(session: Any) -> None:
    """An empty song lacks ISRC, mix and master; a master without FLAC and analysis lacks those."""
    session.to_mixing()
    assert [gap.code for gap in package_contents.gaps(session.song)] == [
        "ISRC_MISSING",
        "MIX_NOT_APPROVED",
        "MASTER_NOT_APPROVED",
    ]
    session.render(MIX, session.mix())
    session.do(songs.request_alternates, 1, [recipe_pb2.Alternate(id="tv", mute=["vocal"])])
    session.approve(MIX, 1)
    gaps = package_contents.gaps(session.song)
    assert [gap.code for gap in gaps] == ["ISRC_MISSING", "MASTER_NOT_APPROVED", "ALTERNATE_NOT_RENDERED"]
    assert [delivery.condition_of(delivery.finding_of(gap)) for gap in gaps] == list(gaps)


def test_the_same_song_gives_the_same_manifest(session: Any) -> None:
    """Files trace to approved versions; the manifest is canonical, without time and package id."""
    session.to_delivered()
    contents = package_contents.contents(session.song, "The North Pier", "mm")
    names = [file.filename for file in contents.files] + [document.filename for document in contents.documents]
    assert len({name.lower() for name in names}) == len(names)
    assert "TNP_LightsOut_MM01_Master01_48k_24.flac" in names
    approved = {session.song.name.version(MIX, 1), session.song.name.version(MASTER, 1)}
    assert {file.version for file in contents.files} == approved
    first = package_contents.manifest(session.song, "The North Pier", contents.files)
    again = package_contents.manifest(
        session.song, "The North Pier", package_contents.contents(session.song, "The North Pier", "mm").files
    )
    assert first == again
    plain = json.loads(first)
    assert json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() == first
    assert {file["sha256"] for file in plain["files"]} == {file.sha256 for file in contents.files}
    recipes = [json.loads(document.content) for document in contents.documents]
    assert recipes[1]["target"]["integrated_lufs"] == -14


def test_a_delivered_master_says_how_its_measured_peak_stands_to_its_ceiling(session: Any) -> None:
    """The numbers are the render's own and the recipe's; at the ceiling is not over it; mixes say nothing."""
    session.to_delivered()
    master = session.song.approved(MASTER)
    ceiling = master.recipe.target.ceiling_dbtp
    for measured, over in ((ceiling, 0.0), (ceiling + 0.6, 0.6)):
        for audio in master.audio:
            audio.measurements.true_peak_dbtp = measured
        files = package_contents.contents(session.song, "The North Pier", "mm").files
        masters = [file for file in files if file.role == "master"]
        assert len(masters) == len(master.audio) > 0
        for file in masters:
            assert (file.true_peak_dbtp, file.ceiling_dbtp) == (measured, ceiling)
            assert file.over_ceiling_db == pytest.approx(over)
        assert not any(file.HasField("over_ceiling_db") for file in files if file.role != "master")


def test_a_package_of_another_master_than_the_approved_is_refused(session: Any) -> None:
    """When the master changed while the package was built, the song does not take it."""
    session.to_mastering()
    session.approve(MASTER, session.master())
    with pytest.raises(Moved):
        delivery.record_precheck(session.song, (), "dlv-1", 2)
    (event,) = delivery.record_precheck(session.song, ["ISRC_MISSING x: set it"], "", 1)
    assert (event.passed, event.delivery) == (False, "")


def test_only_a_final_package_is_accepted_and_once(session: Any) -> None:
    """A draft is not handed over, nor one that was replaced; an accepted one is accepted already."""
    session.to_delivered()
    built = events_pb2.DeliveryBuilt(project="prj-1", song="sng-1", draft=True)
    package = _built(built)
    with pytest.raises(NotNow):
        delivery.accept(session.song, package, "lou")
    built.draft = False
    package = _built(built)
    with pytest.raises(NotNow) as refused:
        delivery.accept(session.song, dataclasses.replace(package, id="dlv-0"), "lou")
    assert refused.value.reason == "NOT_THE_NEWEST"
    (accepted,) = delivery.accept(session.song, package, "lou")
    package = delivery.evolve(package, accepted, _time())
    assert (package.state, package.accepted_by) == (pb.DELIVERY_STATE_ACCEPTED, "lou")
    with pytest.raises(NotNow):
        delivery.accept(session.song, package, "lou")


def test_a_package_is_returned_with_its_song_and_once(session: Any) -> None:
    """A final or accepted package is given back; a draft stays what it is."""
    session.to_delivered()
    sent_back = pb.SendBack(edge="B6", comment="click at 1:02", reason=pb.SEND_BACK_REASON_TECHNICAL_RETURN)
    package = _built(events_pb2.DeliveryBuilt(project="prj-1", song="sng-1"))
    (returned,) = delivery.give_back(package, sent_back)
    package = delivery.evolve(package, returned, _time())
    assert (package.state, package.return_comment) == (pb.DELIVERY_STATE_RETURNED, "click at 1:02")
    assert not delivery.give_back(package, sent_back)
    assert not delivery.give_back(_built(events_pb2.DeliveryBuilt(draft=True)), sent_back)


def _built(event: events_pb2.DeliveryBuilt) -> delivery.DeliveryPackage:
    return dataclasses.replace(delivery.evolve(delivery.DeliveryPackage(), event, _time()), id="dlv-1")


def test_the_label_returns_a_package_and_the_song_keeps_the_request(session: Any) -> None:
    """Final or accepted, the newest, once, with a reason: then nobody accepts it, and the producer is waited for."""
    session.to_delivered()
    session.do(delivery.record_precheck, [], "dlv-1", 1)
    final = _built(events_pb2.DeliveryBuilt(project="prj-1", song="sng-1"))
    wanted = pb.SendBackAdvice(
        party="lou", to=pb.STAGE_MASTERING, reason=pb.SEND_BACK_REASON_TECHNICAL_RETURN, comment="clicks at 1:12"
    )
    for wrong in ({"comment": " "}, {"reason": 0}, {"notes": ["nt-9", "nt-9"]}):
        with pytest.raises(InvalidCommand):
            delivery.return_to_studio(session.song, final, _changed(wanted, **wrong))
    with pytest.raises(NotNow) as nowhere:
        delivery.return_to_studio(session.song, final, _changed(wanted, to=pb.STAGE_RECORDING))
    assert nowhere.value.reason == "ILLEGAL_STAGE_EDGE"
    with pytest.raises(NotNow) as older:
        delivery.return_to_studio(session.song, dataclasses.replace(final, id="dlv-0"), wanted)
    assert older.value.reason == "NOT_THE_NEWEST"
    session.do(songs.record_acceptance, "dlv-1", "lou")
    assert session.song.accepted_delivery == "dlv-1"
    (returned,) = delivery.return_to_studio(session.song, final, wanted)
    package = delivery.evolve(final, returned, _time())
    assert (package.state, package.returned_by, package.return_reason, package.return_comment) == (
        pb.DELIVERY_STATE_RETURNED,
        "lou",
        wanted.reason,
        wanted.comment,
    )
    for again in (
        lambda: delivery.return_to_studio(session.song, package, wanted),
        lambda: delivery.accept(session.song, package, "lou"),
        lambda: delivery.hand_over(session.song, package, "lou", ""),
    ):
        with pytest.raises(NotNow) as refused:
            again()
        assert refused.value.reason == "NOT_FINAL"
    assert isinstance(returned, events_pb2.DeliveryReturned)
    session.do(send_backs.record_return, delivery.advice_of(returned, "dlv-1"))
    song = session.song
    assert (song.stage, song.accepted_delivery, song.advice[-1].role) == (pb.STAGE_DELIVERED, "", pb.ROLE_LABEL)
    assert "DELIVERY_NOT_ACCEPTED" in session.failing()
    assert waiting_for(song) == (pb.ROLE_STUDIO_PRODUCER,)
    for repeat in (
        send_backs.record_return(song, delivery.advice_of(returned, "dlv-1")),
        songs.record_acceptance(song, "dlv-1", "lou"),
    ):
        assert repeat == []
    session.do(delivery.record_precheck, [], "dlv-2", 1)
    assert set(waiting_for(session.song)) == {pb.ROLE_LABEL, pb.ROLE_STUDIO_PRODUCER}


def _changed(advice: pb.SendBackAdvice, **values: Any) -> pb.SendBackAdvice:
    changed = pb.SendBackAdvice()
    changed.CopyFrom(advice)
    for name, value in values.items():
        if isinstance(value, list):
            getattr(changed, name).extend(value)
        else:
            setattr(changed, name, value)
    return changed


@pytest.mark.parametrize("mixer", ["", "ABCDE", "A1", "Ä"])
def test_initials_that_cannot_stand_in_a_name_are_refused(session: Any, mixer: str) -> None:
    """One to four plain letters."""
    session.to_mastering()
    with pytest.raises(InvalidCommand):
        delivery.check_request(session.song, mixer, package_contents.DEFAULT)


def _time() -> Any:
    return datetime(2026, 1, 1, tzinfo=UTC)
