"""What a delivery spec asks for: formats, names, alternates, stems, words, credits; and what it leaves out."""

from collections.abc import Sequence
from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.handover import delivery, package_contents
from tapelog_session.domain.versioning import stems
from tapelog_session.domain.versioning.versions import MIX

GROUPS = [pb.StemGroup(id="voice", members=["lead-vox"])]


def _stems(*names: str) -> list[pb.Stem]:
    form = audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=2, bit_depth=24)
    return [
        pb.Stem(id=name, audio=audio_pb2.AudioResult(sha256=name[0] * 64, media_type="audio/wav", format=form))
        for name in names
    ]


def _codes(session: Any, spec: pb.DeliverySpec) -> list[str]:
    return [gap.code for gap in package_contents.gaps(session.song, spec)]


def _roles(session: Any, spec: pb.DeliverySpec, credits_xml: bytes = b"<rin/>") -> dict[str, list[str]]:
    found = package_contents.contents(session.song, "The North Pier", "mm", spec=spec, credits_xml=credits_xml)
    roles: dict[str, list[str]] = {}
    for file in (*found.files, *found.documents):
        roles.setdefault(file.role, []).append(file.filename)
    return roles


def test_everything_a_spec_wants_is_a_gap_until_it_is_there(session: Any) -> None:
    """Stems, words, an alternate, a format: each is missing by its own name, and then in the package."""
    session.to_delivered()
    wav16 = pb.DeliveryFormat(media_type="audio/wav", bit_depth=16)
    spec = pb.DeliverySpec(stems=True, lyric_sheet=True, alternates=["tv"], master_formats=[wav16])
    assert _codes(session, spec) == [
        "LYRICS_MISSING",
        "MASTER_WAV_16_MISSING",
        "ALTERNATE_MISSING",
        "STEMS_MISSING",
    ]
    session.do(stems.set_lyrics, pb.Lyrics(text="Lights out\n\nLights out", language="en"))
    session.do(stems.request_stems, 1, GROUPS)
    assert "STEMS_MISSING" in _codes(session, spec)
    session.do(stems.record_stems, 1, _stems("voice", "shared"), render_job="job-2", error="")
    assert _codes(session, pb.DeliverySpec(stems=True, lyric_sheet=True)) == []


def test_a_full_package_has_stems_words_and_credits_by_name(session: Any) -> None:
    """Each file is named by the rule, and every one traces to an approved version."""
    session.to_delivered()
    session.do(stems.set_lyrics, pb.Lyrics(text="Lights out"))
    session.do(stems.request_stems, 1, GROUPS)
    session.do(stems.record_stems, 1, _stems("voice", "shared"), render_job="job-2", error="")
    spec = pb.DeliverySpec(stems=True, lyric_sheet=True)
    roles = _roles(session, spec)
    assert roles["stem"] == ["TNP_LightsOut_MM01_StemVoice_48k_24.wav", "TNP_LightsOut_MM01_StemShared_48k_24.wav"]
    assert roles["lyrics"] == ["TNP_LightsOut_MM01_Lyrics.txt"]
    assert roles["credits"] == ["TNP_LightsOut_MM01_Credits.xml"]
    approved = {str(session.song.name.version(v.kind, v.number)) for v in _approved(session)}
    found = package_contents.contents(session.song, "The North Pier", "mm", spec=spec, credits_xml=b"<rin/>")
    assert {file.version for file in (*found.files, *found.documents)} == approved
    (sheet,) = [document for document in found.documents if document.role == "lyrics"]
    assert sheet.content == b"Lights Out\n\nLights out\n"


def _approved(session: Any) -> Sequence[Any]:
    return [v for versions in (session.song.mixes, session.song.masters) for v in versions.values() if v.approvals]


def test_a_spec_can_leave_out_and_name_by_the_code(session: Any) -> None:
    """Mix, recipes and credits stay out; the recording's code comes first in every name."""
    session.to_delivered()
    spec = pb.DeliverySpec(without_mix=True, without_recipes=True, without_credits=True, naming=pb.DELIVERY_NAMING_ISRC)
    roles = _roles(session, spec)
    assert set(roles) == {"master", "analysis"}
    assert all(name.startswith("QZABC2500001_LightsOut_") for names in roles.values() for name in names)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pb.DeliverySpec(master_formats=[pb.DeliveryFormat(media_type="audio/mpeg")]), "media_type"),
        (pb.DeliverySpec(master_formats=[pb.DeliveryFormat(media_type="audio/wav", bit_depth=20)]), "bit_depth"),
        (pb.DeliverySpec(alternates=["Not An Id"]), "alternates"),
        (pb.DeliverySpec(alternates=["a"] * 17), "alternates"),
        (pb.DeliverySpec(naming=9), "naming"),  # type: ignore[arg-type]  # what a client may send
    ],
    ids=["codec", "depth", "id", "many", "naming"],
)
def test_a_spec_that_nobody_can_meet_is_refused(session: Any, spec: pb.DeliverySpec, field: str) -> None:
    """The wrong field is named."""
    session.to_mastering()
    with pytest.raises(InvalidCommand) as refused:
        delivery.check_request(session.song, "mm", spec)
    assert field in refused.value.fields[0].field


def test_stems_are_asked_for_once_and_again_after_a_failure(session: Any) -> None:
    """A second request while they render is refused; a late or repeated end changes nothing."""
    session.to_mixing()
    session.render(MIX, session.mix())
    with pytest.raises(InvalidCommand):
        stems.request_stems(session.song, 1, [pb.StemGroup(id="shared", members=["drums"])])
    with pytest.raises(Unknown):
        stems.record_stems(session.song, 1, (), render_job="", error="x")
    session.do(stems.request_stems, 1, GROUPS)
    with pytest.raises(NotNow, match="already"):
        stems.request_stems(session.song, 1, GROUPS)
    session.do(stems.record_stems, 1, (), render_job="job-1", error="OUT_OF_MEMORY: too much")
    session.do(stems.request_stems, 1, ())
    session.do(stems.record_stems, 1, _stems("voice"), render_job="job-2", error="")
    assert stems.record_stems(session.song, 1, _stems("other"), render_job="job-3", error="") == []
    assert [stem.id for stem in session.song.stems[1].stems] == ["voice"]


def test_words_are_set_replaced_and_taken_away(session: Any) -> None:
    """Equal words are no event; no words are none; too many are refused."""
    session.create()
    session.do(stems.set_lyrics, pb.Lyrics(text="La la"))
    assert stems.set_lyrics(session.song, pb.Lyrics(text="La la")) == []
    session.do(stems.set_lyrics, pb.Lyrics())
    assert session.song.lyrics is None
    with pytest.raises(InvalidCommand):
        stems.set_lyrics(session.song, pb.Lyrics(text="x" * 20_001))
