"""What a well-formed brief is: every field of every rule, and all that is wrong at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tapelog.session.v1 import brief_pb2
from tapelog_recipe import EFFECT_WORDS

from tapelog_session.domain.checks import TEXT_CHARS_MAX, TITLE_CHARS_MAX, Fields

INTENT_CHARS_MAX: Final = 10_000
CONSTRAINTS_MAX: Final = 64
SELECTORS_MAX: Final = 64
NON_GOALS_MAX: Final = 32
SEND_DB: Final = (-96.0, 24.0)
LUFS: Final = (-70.0, 0.0)
RANGE_LU: Final = (0.0, 60.0)
DBTP: Final = (-40.0, 6.0)
REFERENCES_MAX: Final = 32
SECTIONS_MAX: Final = 64
WORD_CHARS_MAX: Final = 64
"""A section's name, a key, an alternate's id."""
BPM: Final = (20.0, 400.0)
_MEASURED: Final = {
    "mono_compatible": ("max_drop_lu", 0.0, 60.0, "LU"),
    "width_max": ("max_side_to_mid_db", -60.0, 60.0, "dB"),
    "noise_floor_max": ("max_dbfs", -144.0, 0.0, "dBFS"),
}
"""Field, lowest, highest and unit of the limit of rules over one measured value."""


def check_brief(brief: brief_pb2.Brief, reason: str, *, amends: bool) -> None:
    """Refuse a brief that is not well-formed, with everything that is wrong."""
    fields = Fields()
    fields.text("brief.intent", brief.intent, INTENT_CHARS_MAX)
    fields.text("reason", reason, TEXT_CHARS_MAX, chars_min=1 if amends else 0)
    fields.that(len(brief.non_goals) <= NON_GOALS_MAX, "brief.non_goals", f"at most {NON_GOALS_MAX}")
    for index, text in enumerate(brief.non_goals):
        fields.text(f"brief.non_goals[{index}]", text, TEXT_CHARS_MAX)
    count = len(brief.constraints)
    fields.that(count <= CONSTRAINTS_MAX, "brief.constraints", f"{count} are more than {CONSTRAINTS_MAX}")
    fields.unique("brief.constraints", [constraint.id for constraint in brief.constraints])
    for index, constraint in enumerate(brief.constraints[:CONSTRAINTS_MAX]):
        _check_constraint(fields, f"brief.constraints[{constraint.id or index}]", constraint)
    _check_references(fields, brief.references)
    fields.refuse("INVALID_BRIEF")


def _check_references(fields: Fields, references: Sequence[brief_pb2.ReferenceTrack]) -> None:
    count = len(references)
    fields.that(count <= REFERENCES_MAX, "brief.references", f"{count} are more than {REFERENCES_MAX}")
    for index, reference in enumerate(references[:REFERENCES_MAX]):
        check_reference(fields, f"brief.references[{index}]", reference)


def check_reference(fields: Fields, path: str, reference: brief_pb2.ReferenceTrack) -> None:
    """Note what is wrong with a reference track."""
    fields.text(f"{path}.title", reference.title, TITLE_CHARS_MAX)
    fields.text(f"{path}.comment", reference.comment, TEXT_CHARS_MAX, chars_min=0)
    if reference.asset_sha256:
        fields.sha256(f"{path}.asset_sha256", reference.asset_sha256)
    known = set(brief_pb2.ReferenceAspect.values()) - {brief_pb2.REFERENCE_ASPECT_UNSPECIFIED}
    says = bool(reference.aspects) and all(aspect in known for aspect in reference.aspects)
    fields.that(says, f"{path}.aspects", "say what of it is meant: at least one ReferenceAspect")


def _check_sections(fields: Fields, path: str, rule: brief_pb2.SectionScope) -> None:
    _check_selector(fields, f"{path}.selector.tracks", rule.selector.tracks)
    fields.that(bool(rule.effects), f"{path}.effects", "name an effect")
    for effect in rule.effects:
        _check_effect(fields, f"{path}.effects", effect)
    count = len(rule.sections)
    fields.that(1 <= count <= SECTIONS_MAX, f"{path}.sections", f"name 1 to {SECTIONS_MAX}, there are {count}")
    for index, section in enumerate(rule.sections[:SECTIONS_MAX]):
        fields.text(f"{path}.sections[{index}].title", section.title, WORD_CHARS_MAX)
        start, end = section.range.start_frame, section.range.end_frame
        fields.that(0 <= start < end, f"{path}.sections[{index}].range", f"[{start}, {end}) must end after it begins")


def _check_words(fields: Fields, path: str, words: Sequence[str]) -> None:
    fields.that(1 <= len(words) <= SECTIONS_MAX, path, f"name 1 to {SECTIONS_MAX}, there are {len(words)}")
    for word in words[:SECTIONS_MAX]:
        fields.text(path, word, WORD_CHARS_MAX)
    fields.unique(path, list(words[:SECTIONS_MAX]))


def _check_constraint(fields: Fields, path: str, constraint: brief_pb2.Constraint) -> None:
    fields.id(f"{path}.id", constraint.id)
    fields.text(f"{path}.statement", constraint.statement, TEXT_CHARS_MAX)
    kind = constraint.WhichOneof("rule")
    applies_to = getattr(getattr(constraint, kind), "applies_to", None) if kind else None
    if applies_to is not None:
        is_known = applies_to in brief_pb2.AppliesTo.values()
        fields.that(is_known, f"{path}.{kind}.applies_to", f"{applies_to} is not an AppliesTo")
    match kind:
        case "effect_forbidden" | "effect_allowed_only":
            rule = getattr(constraint, kind)
            _check_selector(fields, f"{path}.{kind}.selector.tracks", rule.selector.tracks)
            # "Nothing is allowed" is a rule; "nothing is forbidden" is none.
            fields.that(bool(rule.effects) or kind == "effect_allowed_only", f"{path}.{kind}.effects", "name an effect")
            for effect in rule.effects:
                _check_effect(fields, f"{path}.{kind}.effects", effect)
        case "send_limit":
            limit = constraint.send_limit
            _check_selector(fields, f"{path}.send_limit.selector.tracks", limit.selector.tracks)
            _check_effect(fields, f"{path}.send_limit.effect", limit.effect)
            fields.finite(f"{path}.send_limit.max_gain_db", limit.max_gain_db, *SEND_DB, "dB")
        case "loudness_bounds":
            _check_bounds(fields, f"{path}.loudness_bounds", constraint.loudness_bounds)
        case "true_peak_max":
            fields.finite(f"{path}.true_peak_max.max_dbtp", constraint.true_peak_max.max_dbtp, *DBTP, "dBTP")
        case "must_keep":
            tracks = constraint.must_keep.tracks
            takes = constraint.must_keep.takes
            fields.that(bool(tracks or takes), f"{path}.must_keep.tracks", "name the tracks or takes to keep")
            _check_selector(fields, f"{path}.must_keep.tracks", tracks)
            _check_selector(fields, f"{path}.must_keep.takes", takes)
        case "section_scope":
            _check_sections(fields, f"{path}.section_scope", constraint.section_scope)
        case "arrangement_order":
            _check_words(fields, f"{path}.arrangement_order.sections", constraint.arrangement_order.sections)
        case "version_required":
            _check_words(fields, f"{path}.version_required.alternates", constraint.version_required.alternates)
        case "tempo_key_locked":
            locked = constraint.tempo_key_locked
            fields.finite(f"{path}.tempo_key_locked.tempo_bpm", locked.tempo_bpm, *BPM, "bpm")
            fields.text(f"{path}.tempo_key_locked.key", locked.key, WORD_CHARS_MAX, chars_min=0)
        case "format":
            rule = constraint.format
            fields.that(rule.sample_rate_hz >= 0, f"{path}.format.sample_rate_hz", "must not be negative")
            fields.that(0 <= rule.min_bit_depth <= 64, f"{path}.format.min_bit_depth", "must be 0 to 64")
            given = bool(rule.sample_rate_hz or rule.min_bit_depth)
            fields.that(given, f"{path}.format", "set sample_rate_hz or min_bit_depth")
        case "vocal_presence":
            level = constraint.vocal_presence
            fields.finite(f"{path}.vocal_presence.min_lu", level.min_lu, -60.0, level.max_lu, "LU")
            fields.finite(f"{path}.vocal_presence.max_lu", level.max_lu, level.min_lu, 60.0, "LU")
        case "mono_compatible" | "width_max" | "noise_floor_max":
            name, lowest, highest, unit = _MEASURED[kind]
            fields.finite(f"{path}.{kind}.{name}", getattr(getattr(constraint, kind), name), lowest, highest, unit)
        case _:
            fields.that(kind is not None, path, "set exactly one rule, such as effect_forbidden or loudness_bounds")


def _check_bounds(fields: Fields, path: str, bounds: brief_pb2.LoudnessBounds) -> None:
    limits = {"min_integrated_lufs": LUFS, "max_integrated_lufs": LUFS, "min_loudness_range_lu": RANGE_LU}
    given = [field.name for field, _ in bounds.ListFields() if field.name in limits]
    fields.that(bool(given), path, f"set at least one of {', '.join(limits)}")
    for name in given:
        fields.finite(f"{path}.{name}", getattr(bounds, name), *limits[name], "LU" if "range" in name else "LUFS")
    if bounds.HasField("min_integrated_lufs") and bounds.HasField("max_integrated_lufs"):
        fields.that(
            bounds.min_integrated_lufs <= bounds.max_integrated_lufs,
            f"{path}.min_integrated_lufs",
            f"{bounds.min_integrated_lufs:g} is above max_integrated_lufs {bounds.max_integrated_lufs:g}",
        )


def _check_selector(fields: Fields, path: str, tracks: Sequence[str]) -> None:
    fields.that(len(tracks) <= SELECTORS_MAX, path, f"{len(tracks)} are more than {SELECTORS_MAX}")
    for track in tracks[:SELECTORS_MAX]:
        fields.id(path, track)


def _check_effect(fields: Fields, path: str, effect: str) -> None:
    fields.that(
        effect in EFFECT_WORDS, path, f"{effect[:40]!r} is not an effect; write one of {', '.join(EFFECT_WORDS)}"
    )
