"""The arrival check of a take: every rule with its verdict, value and limit; what can be waived and what cannot."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.tracking import recording, take_checks

PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
FORM = {"sample_rate_hz": 48_000, "channels": 1, "bit_depth": 24, "length_frames": 48_000}
QUIET = {"rms_dbfs": -30.0, "noise_floor_dbfs": -80.0, "hum_searched_s": 20.0}


def _checks(session: Any, measured: dict[str, Any] | None = None, **form: Any) -> dict[str, pb.TakeCheck]:
    numbers = audio_pb2.Measurements(**{**QUIET, **(measured or {})})
    found = take_checks.checks_of(session.song, numbers, audio_pb2.AudioFormat(**{**FORM, **form}))
    return {take_checks.kind_word(check.kind): check for check in found}


def _words(checks: dict[str, pb.TakeCheck], verdict: Any) -> list[str]:
    return [word for word, check in checks.items() if check.verdict == verdict]


def test_every_rule_gives_a_verdict_with_value_and_limit(session: Any) -> None:
    """A sound take passes all that was measured; each check says what was measured and against which limit."""
    session.to_recording()
    checks = _checks(session)
    assert set(checks) == {name.removeprefix("TAKE_CHECK_KIND_") for name in pb.TakeCheckKind.keys()[1:]}
    assert _words(checks, take_checks.NOT_MEASURED) == ["START"]
    assert _words(checks, take_checks.VIOLATION) == []
    floor = checks["NOISE_FLOOR"]
    assert (floor.measured, floor.limit, floor.unit) == (-80.0, take_checks.NOISE_FLOOR_MAX_DBFS, "dBFS")


@pytest.mark.parametrize(
    ("measured", "form", "broken", "value"),
    [
        ({}, {"bit_depth": 16}, "BIT_DEPTH", 16),
        ({"noise_floor_dbfs": -49.9, "rms_dbfs": -20.0}, {}, "NOISE_FLOOR", -49.9),
        ({"hum_dbfs": -52.0, "hum_hz": 50.0}, {}, "HUM", -52.0),
        ({"clipped_samples": 3}, {}, "CLIPPING", 3),
        ({"non_finite_samples": 1}, {}, "NON_FINITE", 1),
        ({"silent_channels": [0]}, {}, "SILENCE", 1),
    ],
)
def test_one_broken_rule_is_the_only_violation(
    session: Any, measured: dict[str, Any], form: dict[str, Any], broken: str, value: float
) -> None:
    """Each defect is found under its own name, with its number."""
    session.to_recording()
    checks = _checks(session, measured, **form)
    assert _words(checks, take_checks.VIOLATION) == [broken]
    assert checks[broken].measured == pytest.approx(value)


@pytest.mark.parametrize(
    ("measured", "form", "word"),
    [
        ({"noise_floor_dbfs": -35.0}, {}, "NOISE_FLOOR"),
        ({"hum_searched_s": None}, {}, "HUM"),
        ({}, {"bit_depth": 0}, "BIT_DEPTH"),
    ],
)
def test_what_cannot_be_known_is_not_measured(
    session: Any, measured: dict[str, Any], form: dict[str, Any], word: str
) -> None:
    """A take without a pause, one too short to search, a codec without word length: neither pass nor violation."""
    session.to_recording()
    assert word in _words(_checks(session, measured, **form), take_checks.NOT_MEASURED)


def test_floats_and_a_quiet_drone_pass(session: Any) -> None:
    """32-bit float has enough bits for any session; steady sound below the limit needs no pause."""
    session.to_recording()
    checks = _checks(session, {"rms_dbfs": -60.0, "noise_floor_dbfs": -61.0}, bit_depth=32, is_float=True)
    assert _words(checks, take_checks.VIOLATION) == []
    assert {"BIT_DEPTH", "NOISE_FLOOR"} <= set(_words(checks, take_checks.PASS))


def test_the_brief_can_demand_a_lower_noise_floor(session: Any) -> None:
    """The brief's own limit is the one that counts."""
    rule = brief_pb2.Constraint(
        id="quiet", statement="quiet rooms", noise_floor_max=brief_pb2.NoiseFloorMax(max_dbfs=-70)
    )
    session.to_recording(rule)
    floor = _checks(session, {"noise_floor_dbfs": -65.0})["NOISE_FLOOR"]
    assert (floor.verdict, floor.limit) == (take_checks.VIOLATION, -70)


def test_a_take_must_start_with_the_others(session: Any) -> None:
    """The time reference is held against the song's first take that has one; the offset is measured in frames."""
    session.to_recording()
    session.do(recording.define_track, "lead-vox", "Lead Vox", required=True)
    for take, start in (("tk-1", 1000), ("tk-2", 1480)):
        session.do(recording.record_take, take, "lead-vox", take[-1] * 64, "rex")
        form = audio_pb2.AudioFormat(**FORM, start_frame=start)
        session.do(recording.record_check, take, audio_pb2.Measurements(**QUIET), form)
    first, second = (session.song.takes[take] for take in ("tk-1", "tk-2"))
    assert first.checks[6].verdict == take_checks.PASS
    assert (second.checks[6].verdict, second.checks[6].measured) == (take_checks.VIOLATION, 480)
    assert second.has_passed


def test_the_producer_waives_noise_and_the_gate_opens(session: Any) -> None:
    """A flagged take may be selected; the gate stays closed until the flag is waived, with who and why."""
    session.to_recording()
    session.add_take("lead-vox", "tk-1", **{**QUIET, "noise_floor_dbfs": -40.0, "rms_dbfs": -15.0})
    assert session.failing() == ["NOISE_FLOOR_TOO_HIGH"]
    args = (PRODUCER, "tk-1", pb.TAKE_CHECK_KIND_NOISE_FLOOR)
    session.do(take_checks.waive, *args, "the amplifier's hiss is the sound")
    assert session.failing() == []
    assert [w.waived_by for w in session.song.takes["tk-1"].waivers] == ["pia"]
    with pytest.raises(NotNow, match="does not break"):
        take_checks.waive(session.song, *args, "again")


def test_waivers_of_other_things_are_refused(session: Any) -> None:
    """Technical checks, checks that hold, unknown takes and reasons that are missing: no waiver."""
    session.to_recording()
    session.add_take("lead-vox", "tk-1", **QUIET)
    with pytest.raises(NotNow, match="technical; nobody"):
        take_checks.waive(session.song, PRODUCER, "tk-1", pb.TAKE_CHECK_KIND_CLIPPING, "loud is good")
    with pytest.raises(NotNow, match="does not break HUM"):
        take_checks.waive(session.song, PRODUCER, "tk-1", pb.TAKE_CHECK_KIND_HUM, "why not")
    with pytest.raises(Unknown):
        take_checks.waive(session.song, PRODUCER, "tk-9", pb.TAKE_CHECK_KIND_HUM, "why not")
    with pytest.raises(InvalidCommand):
        take_checks.waive(session.song, PRODUCER, "tk-1", 99, "")  # type: ignore[arg-type]  # what a client may send
