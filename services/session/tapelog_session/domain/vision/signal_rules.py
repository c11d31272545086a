"""Rules over the rendered signal: measured values against their limits. What was not measured never passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.vision.verdicts import DB_EPSILON, NOT_APPLICABLE, NOT_MEASURED, PASS, VIOLATION, Finding

_APPLIES: Final = {pb.VERSION_KIND_MIX: brief_pb2.APPLIES_TO_MIX, pb.VERSION_KIND_MASTER: brief_pb2.APPLIES_TO_MASTER}
_APPLIES_WORDS: Final = {brief_pb2.APPLIES_TO_MIX: "mixes only", brief_pb2.APPLIES_TO_MASTER: "masters only"}


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """The lowest and highest a measured field may be."""

    field: str
    unit: str
    lowest: float | None = None
    highest: float | None = None


def check_measured(rule: brief_pb2.Constraint, kind: KindValue, audio: audio_pb2.AudioResult) -> Finding:
    """Compare one rule with what was measured of a render."""
    name = str(rule.WhichOneof("rule"))
    bounds = getattr(rule, name)
    applies_to = getattr(bounds, "applies_to", brief_pb2.APPLIES_TO_UNSPECIFIED)
    if applies_to not in (brief_pb2.APPLIES_TO_UNSPECIFIED, _APPLIES[kind]):
        # A rule of a newer version, or one that was stored before its form was checked, may be about something else.
        return Finding(NOT_APPLICABLE, f"the rule is about {_APPLIES_WORDS.get(applies_to, f'kind {applies_to} only')}")
    if name == "no_clipping":
        return _no_clipping(audio.measurements)
    if name == "format":
        return _format(bounds, audio.format)
    return _within(audio.measurements, _LIMITS[name](bounds))


def _loudness(bounds: brief_pb2.LoudnessBounds) -> Sequence[Limit]:
    given = {field.name: value for field, value in bounds.ListFields()}
    lowest, highest = given.get("min_integrated_lufs"), given.get("max_integrated_lufs")
    limits = [Limit("integrated_lufs", "LUFS", lowest, highest)] if (lowest, highest) != (None, None) else []
    if "min_loudness_range_lu" in given:
        limits.append(Limit("loudness_range_lu", "LU", given["min_loudness_range_lu"]))
    return limits


_LIMITS: Final[Mapping[str, Callable[[Any], Sequence[Limit]]]] = {
    "loudness_bounds": _loudness,
    "true_peak_max": lambda rule: [Limit("true_peak_dbtp", "dBTP", highest=rule.max_dbtp)],
    # The fields below are measured by no render yet. As soon as `Measurements` has them, these rules can pass.
    "vocal_presence": lambda rule: [Limit("vocal_presence_lu", "LU", rule.min_lu, rule.max_lu)],
    "mono_compatible": lambda rule: [Limit("mono_drop_lu", "LU", highest=rule.max_drop_lu)],
    "width_max": lambda rule: [Limit("side_to_mid_db", "dB", highest=rule.max_side_to_mid_db)],
    "noise_floor_max": lambda rule: [Limit("noise_floor_dbfs", "dBFS", highest=rule.max_dbfs)],
}
RULES: Final = frozenset(_LIMITS) | {"no_clipping", "format"}
"""Every rule over the signal."""


def _no_clipping(measured: audio_pb2.Measurements) -> Finding:
    if measured.length_frames <= 0:
        return Finding(NOT_MEASURED, "clipped samples were not counted")
    count = measured.clipped_samples
    if count:
        return Finding(VIOLATION, f"{count} samples at full scale in runs of three or more, the limit is 0")
    return Finding(PASS, f"no clipped run in {measured.length_frames} frames")


def _format(rule: brief_pb2.FormatRule, found: audio_pb2.AudioFormat) -> Finding:
    if not found.sample_rate_hz:
        return Finding(NOT_MEASURED, "the format of the file is not known")
    broken = []
    if rule.sample_rate_hz and found.sample_rate_hz != rule.sample_rate_hz:
        broken.append(f"{found.sample_rate_hz} Hz is not {rule.sample_rate_hz} Hz")
    if found.bit_depth < rule.min_bit_depth:
        broken.append(f"{found.bit_depth} bits are fewer than {rule.min_bit_depth}")
    if broken:
        return Finding(VIOLATION, "; ".join(broken))
    return Finding(PASS, f"{found.sample_rate_hz} Hz, {found.bit_depth} bits")


def _within(measured: audio_pb2.Measurements, limits: Sequence[Limit]) -> Finding:
    """Compare measured values with their limits."""
    values = {field.name: value for field, value in measured.ListFields()}
    seen, broken, unmeasured = [], [], []
    for limit in limits:
        value = values.get(limit.field)
        if value is None:
            unmeasured.append(limit.field)
            continue
        seen.append(f"{limit.field} {value:.2f} {limit.unit}")
        if limit.lowest is not None and value < limit.lowest - DB_EPSILON:
            broken.append(f"{limit.field} {value:.2f} is below {limit.lowest:g} {limit.unit}")
        if limit.highest is not None and value > limit.highest + DB_EPSILON:
            broken.append(f"{limit.field} {value:.2f} is above {limit.highest:g} {limit.unit}")
    if broken:
        return Finding(VIOLATION, "; ".join(broken))
    if unmeasured:
        return Finding(NOT_MEASURED, f"{', '.join(unmeasured)} could not be measured")
    return Finding(PASS, ", ".join(seen))
