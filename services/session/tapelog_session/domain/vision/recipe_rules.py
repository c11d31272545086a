"""Rules over a recipe: what can be seen in it before anything is rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog_recipe import chain_inserts, kinds_of

from tapelog_session.domain.vision import section_rule
from tapelog_session.domain.vision.routes import Routing
from tapelog_session.domain.vision.verdicts import (
    DB_EPSILON,
    NOT_APPLICABLE,
    NOT_MEASURED,
    PASS,
    VIOLATION,
    Finding,
    some,
)


def check_mix(rule: brief_pb2.Constraint, routing: Routing) -> Finding:
    """Check one rule over a mix recipe."""
    match rule.WhichOneof("rule"):
        case "effect_forbidden":
            forbidden = kinds_of(rule.effect_forbidden.effects)
            return _effects(routing, rule.effect_forbidden.selector.tracks, forbidden.__contains__, mix_bus=True)
        case "effect_allowed_only":
            allowed = kinds_of(rule.effect_allowed_only.effects)
            selected = rule.effect_allowed_only.selector.tracks
            # The mix bus is no single track's processing; it counts where the rule is about the whole mix.
            return _effects(routing, selected, lambda kind: kind not in allowed, mix_bus=not selected)
        case "send_limit":
            return _send_limit(routing, rule.send_limit)
        case "must_keep":
            return _must_keep(routing, [*rule.must_keep.tracks, *rule.must_keep.takes])
        case "section_scope":
            return section_rule.check_sections(routing, rule.section_scope)
        case "tempo_key_locked" | "arrangement_order":
            return Finding(NOT_MEASURED, "nothing measures tempo, key and order of what was recorded; listen")
        case "version_required":
            return Finding(NOT_APPLICABLE, "the gate to MASTERING and the delivery look for the alternates")
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
        return Finding(VIOLATION, f"{kinds} used at {some(broken)}", tuple(broken))
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
        text = f"send to {worst.bus} at {worst.level_db:g} dB is above {limit.max_gain_db:g} dB: {some(broken)}"
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


def check_master(rule: brief_pb2.Constraint, recipe: recipe_pb2.MasterRecipe) -> Finding:
    """Look at a master's chain, which every track passes; rules about single tracks or sends do not apply to it."""
    used = [insert for insert in chain_inserts(recipe.chain, "chain") if not insert.processor.bypass]
    kinds = {insert.kind for insert in used}
    match rule.WhichOneof("rule"):
        case "effect_forbidden":
            wrong = kinds & kinds_of(rule.effect_forbidden.effects)
        case "effect_allowed_only" if not rule.effect_allowed_only.selector.tracks:
            wrong = kinds - kinds_of(rule.effect_allowed_only.effects)
        case _:
            return Finding(NOT_APPLICABLE, "not a rule over a master recipe")
    broken = {insert.path: insert.kind for insert in used if insert.kind in wrong}
    if broken:
        return Finding(VIOLATION, f"{', '.join(sorted(set(broken.values())))} used at {some(broken)}", tuple(broken))
    return Finding(PASS, f"none among {len(used)} insert(s) of the master")
