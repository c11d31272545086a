"""The check of a take on arrival: one verdict a rule, each with what was measured and the limit.

What is technical fails the take, and nobody can waive it. Noise, hum and another start are flagged: they keep the gate
out of RECORDING closed until the take is cleaned or replaced, or the producer waives them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow, Unknown
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song, Take, changed

KindValue: TypeAlias = "pb.TakeCheckKind.ValueType"
Check = Callable[[Song, audio_pb2.Measurements, audio_pb2.AudioFormat], pb.TakeCheck]

LENGTH_S_MAX: Final = 4 * 3600
"""Longest take: what the engine renders."""
CLIPPED_SAMPLES_MAX: Final = 0
"""Runs of three or more samples at full scale are damage that no later stage can undo."""
NOISE_FLOOR_MAX_DBFS: Final = -50.0
"""Louder than this, a pause is heard through a mix. A brief with `noise_floor_max` says its own limit."""
PAUSE_BELOW_RMS_DB: Final = 20.0
"""A quietest moment nearer to the take's own level is no pause: it says nothing of the noise floor."""
HUM_MAX_DBFS: Final = -70.0
"""Hum below is 6 dB or more under 16-bit recordings' usual noise, and is found by machines alone."""

PASS: Final = brief_pb2.VERDICT_PASS
VIOLATION: Final = brief_pb2.VERDICT_VIOLATION
NOT_MEASURED: Final = brief_pb2.VERDICT_NOT_MEASURED
WAIVABLE: Final = frozenset(
    {pb.TAKE_CHECK_KIND_START, pb.TAKE_CHECK_KIND_NOISE_FLOOR, pb.TAKE_CHECK_KIND_HUM},
)
CODES: Final = {
    pb.TAKE_CHECK_KIND_START: "TAKE_START_DIFFERS",
    pb.TAKE_CHECK_KIND_NOISE_FLOOR: "NOISE_FLOOR_TOO_HIGH",
    pb.TAKE_CHECK_KIND_HUM: "TAKE_HUMS",
}
"""Codes of the gate's conditions about checks that can be waived."""


def checks_of(song: Song, measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> tuple[pb.TakeCheck, ...]:
    """Return every check of a take that measures so, in the order of `TakeCheckKind`."""
    return tuple(check(song, measured, format_) for check in _CHECKS)


def findings_of(checks: Sequence[pb.TakeCheck]) -> list[str]:
    """Return what is wrong, one line each, with value and limit; empty if nothing is."""
    return [f"{kind_word(check.kind)}: {check.evidence}" for check in checks if check.verdict == VIOLATION]


def is_fit(checks: Sequence[pb.TakeCheck]) -> bool:
    """Say whether nothing technical is wrong."""
    return all(check.verdict != VIOLATION or check.kind in WAIVABLE for check in checks)


def kind_word(kind: KindValue) -> str:
    """Return `NOISE_FLOOR` for TAKE_CHECK_KIND_NOISE_FLOOR."""
    return pb.TakeCheckKind.Name(kind).removeprefix("TAKE_CHECK_KIND_")


def standing_faults(take: Take) -> Iterator[pb.TakeCheck]:
    """Yield the flagged checks of a take that nobody waived."""
    waived = {waiver.kind for waiver in take.waivers}
    return (c for c in take.checks if c.verdict == VIOLATION and c.kind in WAIVABLE and c.kind not in waived)


def flags_settled(song: Song) -> Sequence[pb.GateCondition]:
    """Demand of every selected take that noise, hum and start are in order or waived."""
    found = []
    for take in song.selected_takes():
        subject = f"{take.track}/{take.id}"
        for fault in standing_faults(take):
            text = f"take {take.id}: {fault.evidence}; clean or replace it, or waive it"
            found.append(pb.GateCondition(code=CODES[fault.kind], description=text, subject=subject))
        for waiver in take.waivers:
            text = f"take {take.id}: waived by {waiver.waived_by}: {waiver.reason[:200]}"
            found.append(pb.GateCondition(code=CODES[waiver.kind], passed=True, description=text, subject=subject))
    return found or [
        pb.GateCondition(code="TAKES_IN_ORDER", passed=True, description="noise, hum and start are in order")
    ]


def waive(song: Song, actor: Actor, take: str, kind: KindValue, reason: str) -> Sequence[Message]:
    """Let a take pass although its noise floor, hum or start breaks the limit.

    Raises
    ------
    NotNow
        The check is technical, or the take does not break it.
    """
    require_stage(song, "WaiveTakeCheck")
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.that(kind in pb.TakeCheckKind.values() and kind != 0, "kind", f"{kind} is not a check")
    fields.refuse()
    known = song.takes.get(take)
    if known is None:
        raise Unknown("NO_SUCH_TAKE", f"the song has no take {take[:64]!r}", take=take[:64])
    word = kind_word(kind)
    if kind not in WAIVABLE:
        text = f"{word} is technical; nobody can waive it: record or upload the take again"
        raise NotNow("NOT_WAIVABLE", text, conditions=[Condition("NOT_WAIVABLE", take, text)], take=take)
    if not any(check.kind == kind for check in standing_faults(known)):
        raise NotNow("NOTHING_TO_WAIVE", f"take {take} does not break {word}, or it is waived", take=take)
    waiver = pb.TakeCheckWaiver(take=take, kind=kind, reason=reason, waived_by=actor.party)
    return [events_pb2.TakeCheckWaived(waiver=waiver)]


def on_waived(song: Song, event: events_pb2.TakeCheckWaived, time: datetime) -> Song:
    """Add the waiver to its take."""
    waiver = pb.TakeCheckWaiver()
    waiver.CopyFrom(event.waiver)
    waiver.time.FromDatetime(time)
    known = song.takes[waiver.take]
    take = dataclasses.replace(known, waivers=(*known.waivers, waiver))
    return changed(song, takes=song.takes.set(take.id, take))


def _check(
    kind: KindValue,
    evidence: str,
    unit: str,
    *,
    ok: bool | None,
    measured: float | None = None,
    limit: float | None = None,
) -> pb.TakeCheck:
    verdict = NOT_MEASURED if ok is None else PASS if ok else VIOLATION
    return pb.TakeCheck(kind=kind, verdict=verdict, measured=measured, limit=limit, unit=unit, evidence=evidence)


def _sample_rate(song: Song, _measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> pb.TakeCheck:
    rate_hz, wanted_hz = format_.sample_rate_hz, song.sample_rate_hz
    text = f"{rate_hz} Hz, the session is at {wanted_hz} Hz"
    return _check(
        pb.TAKE_CHECK_KIND_SAMPLE_RATE, text, "Hz", ok=rate_hz == wanted_hz, measured=rate_hz, limit=wanted_hz
    )


def _bit_depth(song: Song, _measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> pb.TakeCheck:
    depth, wanted = format_.bit_depth, song.bit_depth
    if not depth:
        return _check(pb.TAKE_CHECK_KIND_BIT_DEPTH, "the codec has no bit depth", "bit", ok=None, limit=wanted)
    text = f"{depth} bits{' float' if format_.is_float else ''}, the session has {wanted}"
    ok = format_.is_float or depth >= wanted
    return _check(pb.TAKE_CHECK_KIND_BIT_DEPTH, text, "bit", ok=ok, measured=depth, limit=wanted)


def _length(_song: Song, _measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> pb.TakeCheck:
    length_s = format_.length_frames / max(format_.sample_rate_hz, 1)
    text = f"{length_s:.0f} s, the limit is {LENGTH_S_MAX} s" if length_s > 0 else "the file has no samples"
    ok = 0 < length_s <= LENGTH_S_MAX
    return _check(pb.TAKE_CHECK_KIND_LENGTH, text, "s", ok=ok, measured=length_s, limit=LENGTH_S_MAX)


def _non_finite(_song: Song, measured: audio_pb2.Measurements, _format: audio_pb2.AudioFormat) -> pb.TakeCheck:
    count = measured.non_finite_samples
    text = f"{count} samples are NaN or infinite, none may be"
    return _check(pb.TAKE_CHECK_KIND_NON_FINITE, text, "samples", ok=count == 0, measured=count, limit=0)


def _silence(_song: Song, measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> pb.TakeCheck:
    silent = list(measured.silent_channels)
    channels = ", ".join(str(channel + 1) for channel in silent)
    text = f"channel {channels} of {format_.channels} never rises above -90 dBFS" if silent else "no silent channel"
    return _check(pb.TAKE_CHECK_KIND_SILENCE, text, "channels", ok=not silent, measured=len(silent), limit=0)


def _clipping(_song: Song, measured: audio_pb2.Measurements, _format: audio_pb2.AudioFormat) -> pb.TakeCheck:
    count = measured.clipped_samples
    text = f"{count} samples at full scale in runs of three or more, the limit is {CLIPPED_SAMPLES_MAX}"
    ok = count <= CLIPPED_SAMPLES_MAX
    return _check(pb.TAKE_CHECK_KIND_CLIPPING, text, "samples", ok=ok, measured=count, limit=CLIPPED_SAMPLES_MAX)


def _start(song: Song, _measured: audio_pb2.Measurements, format_: audio_pb2.AudioFormat) -> pb.TakeCheck:
    kind = pb.TAKE_CHECK_KIND_START
    if not format_.HasField("start_frame"):
        return _check(kind, "the file has no time reference", "frames", ok=None)
    starts = (
        (take.order, take.id, take.format.start_frame)
        for take in song.takes.values()
        if take.has_passed
        and not take.reject_reason
        and take.format is not None
        and take.format.HasField("start_frame")
    )
    first = min(starts, default=None)
    if first is None:
        return _check(
            kind, f"starts at frame {format_.start_frame}, the first with a time reference", "frames", ok=True
        )
    _, other, start = first
    offset = format_.start_frame - start
    text = f"starts {offset:+d} frames from take {other}" if offset else f"starts with take {other}"
    return _check(kind, text, "frames", ok=offset == 0, measured=offset, limit=0)


def _noise_floor(song: Song, measured: audio_pb2.Measurements, _format: audio_pb2.AudioFormat) -> pb.TakeCheck:
    kind, limit = pb.TAKE_CHECK_KIND_NOISE_FLOOR, _noise_limit_dbfs(song)
    if not measured.HasField("noise_floor_dbfs") or not measured.HasField("rms_dbfs"):
        return _check(kind, "no noise was measured", "dBFS", ok=None, limit=limit)
    floor = measured.noise_floor_dbfs
    text = f"the quietest 0.4 s are at {floor:.1f} dBFS, the limit is {limit:g} dBFS"
    if floor > limit and floor > measured.rms_dbfs - PAUSE_BELOW_RMS_DB:
        return _check(kind, f"the take has no pause: {text}", "dBFS", ok=None, measured=floor, limit=limit)
    return _check(kind, text, "dBFS", ok=floor <= limit, measured=floor, limit=limit)


def _noise_limit_dbfs(song: Song) -> float:
    rules = song.brief.constraints if song.brief else ()
    own = [rule.noise_floor_max.max_dbfs for rule in rules if rule.WhichOneof("rule") == "noise_floor_max"]
    return min(own, default=NOISE_FLOOR_MAX_DBFS)


def _hum(_song: Song, measured: audio_pb2.Measurements, _format: audio_pb2.AudioFormat) -> pb.TakeCheck:
    kind = pb.TAKE_CHECK_KIND_HUM
    if not measured.hum_searched_s:
        return _check(kind, "was not searched, or the take is too short to", "dBFS", ok=None, limit=HUM_MAX_DBFS)
    if not measured.HasField("hum_dbfs"):
        text = f"none in the first {measured.hum_searched_s:.0f} s"
        return _check(kind, text, "dBFS", ok=True, limit=HUM_MAX_DBFS)
    level = measured.hum_dbfs
    text = f"hum of {measured.hum_hz:.2f} Hz at {level:.1f} dBFS, the limit is {HUM_MAX_DBFS:g} dBFS"
    return _check(kind, text, "dBFS", ok=level <= HUM_MAX_DBFS, measured=level, limit=HUM_MAX_DBFS)


_CHECKS: Final[tuple[Check, ...]] = (
    _sample_rate,
    _bit_depth,
    _length,
    _non_finite,
    _silence,
    _clipping,
    _start,
    _noise_floor,
    _hum,
)
