"""The brief checked: over a recipe before any render, and over the rendered signal from its measurements.

A verdict never changes what happened: a violation flags the version and keeps the gate closed, nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import chain_inserts

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.routes import Routing
from tapelog_session.domain.song import Brief, Recipe, Song

SIGNAL_RULES: Final = frozenset({"loudness_bounds", "true_peak_max"})
TECHNICAL_RULES: Final = frozenset({"true_peak_max"})
"""Rules that nobody can waive, and that must have been measured."""
PATHS_MAX: Final = 32
"""Recipe paths kept as evidence of one verdict; more say nothing new."""

PATHS_SHOWN: Final = 4
"""Paths written out in a verdict's sentence."""
DB_EPSILON: Final = 1e-6
"""Far below what can be measured; keeps a value that was set to its limit from failing by a rounded bit."""

PASS: Final = brief_pb2.VERDICT_PASS
VIOLATION: Final = brief_pb2.VERDICT_VIOLATION
NOT_MEASURED: Final = brief_pb2.VERDICT_NOT_MEASURED
NOT_APPLICABLE: Final = brief_pb2.VERDICT_NOT_APPLICABLE

_APPLIES: Final = {pb.VERSION_KIND_MIX: brief_pb2.APPLIES_TO_MIX, pb.VERSION_KIND_MASTER: brief_pb2.APPLIES_TO_MASTER}
_APPLIES_WORDS: Final = {brief_pb2.APPLIES_TO_MIX: "mixes only", brief_pb2.APPLIES_TO_MASTER: "masters only"}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found."""

    verdict: brief_pb2.Verdict.ValueType
    evidence: str
    paths: tuple[str, ...] = ()


def check_recipe(
    brief: Brief, recipe: Recipe, tracks_of: Mapping[str, frozenset[str]]
) -> tuple[brief_pb2.BriefVerdict, ...]:
    """Check every rule over the recipe; one verdict a rule.

    Parameters
    ----------
    tracks_of : Mapping[str, frozenset[str]]
        The song's track ids by the SHA-256 of their takes' assets: a rule about a track holds for its sound, whatever
        the recipe calls it.
    """
    rules = [constraint for constraint in brief.constraints if constraint.WhichOneof("rule") not in SIGNAL_RULES]
    if isinstance(recipe, recipe_pb2.MasterRecipe):
        found = [_check_master(rule, recipe) for rule in rules]
    else:
        routing = Routing(recipe, tracks_of)
        found = [_check_mix(rule, routing) for rule in rules]
    return tuple(_verdict(brief, rule, finding) for rule, finding in zip(rules, found, strict=True))


def check_signal(brief: Brief, kind: KindValue, measured: audio_pb2.Measurements) -> tuple[brief_pb2.BriefVerdict, ...]:
    """Check every rule over the rendered signal; one verdict a rule."""
    rules = [constraint for constraint in brief.constraints if constraint.WhichOneof("rule") in SIGNAL_RULES]
    return tuple(_verdict(brief, rule, _check_measured(rule, kind, measured)) for rule in rules)


def recipe_events(song: Song, brief: Brief, kind: KindValue, number: int, recipe: Recipe) -> Iterator[Message]:
    """Yield the check of a version's recipe, and a flag for each violation."""
    verdicts = check_recipe(brief, recipe, tracks_of(song))
    yield from _events(brief, kind, number, events_pb2.BRIEF_CHECK_SCOPE_RECIPE, verdicts)


def signal_events(brief: Brief, kind: KindValue, number: int, measured: audio_pb2.Measurements) -> Iterator[Message]:
    """Yield the check of a version's rendered signal, and a flag for each violation."""
    verdicts = check_signal(brief, kind, measured)
    yield from _events(brief, kind, number, events_pb2.BRIEF_CHECK_SCOPE_SIGNAL, verdicts)


def recheck(song: Song, brief: Brief) -> Iterator[Message]:
    """Yield the checks of every living version against a new revision."""
    for versions in (song.mixes, song.masters):
        for version in sorted(versions.values(), key=lambda v: v.number):
            if version.is_superseded:
                continue
            yield from recipe_events(song, brief, version.kind, version.number, version.recipe)
            if version.is_rendered:
                yield from signal_events(brief, version.kind, version.number, version.audio[0].measurements)


def _events(
    brief: Brief,
    kind: KindValue,
    number: int,
    scope: events_pb2.BriefCheckScope.ValueType,
    verdicts: tuple[brief_pb2.BriefVerdict, ...],
) -> Iterator[Message]:
    yield events_pb2.BriefCheckCompleted(
        kind=kind, number=number, scope=scope, verdicts=verdicts, brief_revision=brief.revision
    )
    for verdict in verdicts:
        if verdict.verdict == VIOLATION:
            yield events_pb2.BriefViolationFlagged(kind=kind, number=number, verdict=verdict)


def tracks_of(song: Song) -> Mapping[str, frozenset[str]]:
    """Return the song's track ids by the SHA-256 of their takes' assets."""
    found: dict[str, frozenset[str]] = {}
    for take in song.takes.values():
        found[take.asset_sha256] = found.get(take.asset_sha256, frozenset()) | {take.track}
    return found


def _verdict(brief: Brief, rule: brief_pb2.Constraint, finding: Finding) -> brief_pb2.BriefVerdict:
    return brief_pb2.BriefVerdict(
        constraint=rule.id,
        brief_revision=brief.revision,
        verdict=finding.verdict,
        recipe_paths=finding.paths[:PATHS_MAX],
        evidence=finding.evidence,
        statement=rule.statement,
    )


def _check_mix(rule: brief_pb2.Constraint, routing: Routing) -> Finding:
    match rule.WhichOneof("rule"):
        case "effect_forbidden":
            forbidden = frozenset(rule.effect_forbidden.effects)
            return _effects(routing, rule.effect_forbidden.selector.tracks, forbidden.__contains__, mix_bus=True)
        case "effect_allowed_only":
            allowed = frozenset(rule.effect_allowed_only.effects)
            selected = rule.effect_allowed_only.selector.tracks
            # The mix bus is no single track's processing; it counts where the rule is about the whole mix.
            return _effects(routing, selected, lambda kind: kind not in allowed, mix_bus=not selected)
        case "send_limit":
            return _send_limit(routing, rule.send_limit)
        case "must_keep":
            return _must_keep(routing, rule.must_keep.tracks)
    return Finding(NOT_APPLICABLE, "not a rule over a mix recipe")


def _effects(routing: Routing, selected: Sequence[str], is_wrong: Callable[[str], bool], *, mix_bus: bool) -> Finding:
    """Look for wrong effects on whatever the selected tracks' sound passes."""
    tracks = routing.sounding(selected)
    if not tracks:
        return Finding(NOT_APPLICABLE, "the rule selects no track that sounds")
    used = [insert for track in tracks for insert in routing.inserts(track)]
    if mix_bus:
        used += routing.mix_inserts()
    printed = [entry for track in tracks for entry in routing.printed(track)]
    places = {insert.path: insert.kind for insert in used} | dict(printed)
    broken = {path: kind for path, kind in places.items() if is_wrong(kind)}
    if broken:
        kinds = ", ".join(sorted(set(broken.values())))
        return Finding(VIOLATION, f"{kinds} used at {_some(broken)}", tuple(broken))
    if printed:
        return Finding(
            NOT_MEASURED,
            "OPAQUE_PROCESSING: effects are printed into the source and cannot be seen; declared are "
            + ", ".join(sorted({kind for _, kind in printed})),
            tuple(path for path, _ in printed),
        )
    return Finding(PASS, f"none among {len(places)} insert(s) on the way of {len(tracks)} track(s)")


def _send_limit(routing: Routing, limit: brief_pb2.SendLimit) -> Finding:
    """Compare the level of every way into a bus that carries the effect."""
    taps = [
        tap
        for track in routing.sounding(limit.selector.tracks)
        for tap in routing.taps(track)
        if routing.has_effect(tap.bus, limit.effect)
    ]
    if not taps:
        return Finding(NOT_APPLICABLE, f"the rule selects no send to a bus with {limit.effect}")
    broken = {tap.path: tap for tap in taps if tap.level_db > limit.max_gain_db + DB_EPSILON}
    if broken:
        worst = max(broken.values(), key=lambda tap: tap.level_db)
        text = f"send to {worst.bus} at {worst.level_db:g} dB is above {limit.max_gain_db:g} dB: {_some(broken)}"
        return Finding(VIOLATION, text, tuple(broken))
    highest = max(tap.level_db for tap in taps)
    return Finding(PASS, f"highest send is {highest:g} dB, the limit {limit.max_gain_db:g} dB")


def _must_keep(routing: Routing, wanted: Sequence[str]) -> Finding:
    """Look whether every wanted track is there and can be heard."""
    silent: dict[str, str] = {}
    missing = []
    for word in wanted:
        tracks = routing.selected([word])
        if not tracks:
            missing.append(word)
        places = [routing.muted_on_the_way(track) for track in tracks]
        if tracks and all(places):
            silent |= dict.fromkeys(places, word)
    if missing or silent:
        texts = [f"{word} is not in the recipe" for word in missing]
        texts += [f"{word} is muted at {path}" for path, word in silent.items()]
        return Finding(VIOLATION, "; ".join(texts), tuple(silent))
    return Finding(PASS, f"{', '.join(wanted)} sound")


def _check_master(rule: brief_pb2.Constraint, recipe: recipe_pb2.MasterRecipe) -> Finding:
    """Look at a master's chain, which every track passes; rules about single tracks or sends do not apply to it."""
    used = [insert for insert in chain_inserts(recipe.chain, "chain") if not insert.processor.bypass]
    kinds = {insert.kind for insert in used}
    match rule.WhichOneof("rule"):
        case "effect_forbidden":
            wrong = kinds & set(rule.effect_forbidden.effects)
        case "effect_allowed_only" if not rule.effect_allowed_only.selector.tracks:
            wrong = kinds - set(rule.effect_allowed_only.effects)
        case _:
            return Finding(NOT_APPLICABLE, "not a rule over a master recipe")
    broken = {insert.path: insert.kind for insert in used if insert.kind in wrong}
    if broken:
        return Finding(VIOLATION, f"{', '.join(sorted(set(broken.values())))} used at {_some(broken)}", tuple(broken))
    return Finding(PASS, f"none among {len(used)} insert(s) of the master")


def _check_measured(rule: brief_pb2.Constraint, kind: KindValue, measured: audio_pb2.Measurements) -> Finding:
    name = rule.WhichOneof("rule")
    bounds = rule.loudness_bounds if name == "loudness_bounds" else rule.true_peak_max
    if bounds.applies_to not in (brief_pb2.APPLIES_TO_UNSPECIFIED, _APPLIES[kind]):
        return Finding(NOT_APPLICABLE, f"the rule is about {_APPLIES_WORDS[bounds.applies_to]}")
    if isinstance(bounds, brief_pb2.TruePeakMax):
        return _within(measured, [Limit("true_peak_dbtp", "dBTP", highest=bounds.max_dbtp)])
    given = {field.name: value for field, value in bounds.ListFields()}
    lowest, highest = given.get("min_integrated_lufs"), given.get("max_integrated_lufs")
    limits = [Limit("integrated_lufs", "LUFS", lowest, highest)] if (lowest, highest) != (None, None) else []
    if "min_loudness_range_lu" in given:
        limits.append(Limit("loudness_range_lu", "LU", given["min_loudness_range_lu"]))
    return _within(measured, limits)


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """The lowest and highest a measured field may be."""

    field: str
    unit: str
    lowest: float | None = None
    highest: float | None = None


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


def _some(paths: Iterable[str]) -> str:
    listed = list(paths)
    more = f" and {len(listed) - PATHS_SHOWN} more" if len(listed) > PATHS_SHOWN else ""
    return ", ".join(listed[:PATHS_SHOWN]) + more
