"""The brief checked: over a recipe before any render, and over the rendered signal from its measurements.

A verdict never changes what happened: a violation flags the version and keeps the gate closed, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.song import Brief, Recipe, Song
from tapelog_session.domain.tracking.comps import comp_recordings
from tapelog_session.domain.vision import recipe_rules, signal_rules
from tapelog_session.domain.vision.routes import Routing
from tapelog_session.domain.vision.verdicts import VIOLATION, Finding

SIGNAL_RULES: Final = signal_rules.RULES
TECHNICAL_RULES: Final = frozenset({"true_peak_max", "noise_floor_max", "no_clipping", "format"})
"""Rules that nobody can waive, and that must have been measured."""
PATHS_MAX: Final = 32
"""Recipe paths kept as evidence of one verdict; more say nothing new."""


def check_recipe(
    brief: Brief, recipe: Recipe, tracks_of: Mapping[str, frozenset[str]]
) -> tuple[brief_pb2.BriefVerdict, ...]:
    """Check every rule over the recipe; one verdict a rule.

    Parameters
    ----------
    tracks_of : Mapping[str, frozenset[str]]
        Ids of the song's tracks and takes by the SHA-256 of the takes' assets: a rule about a track holds for its
        sound, whatever the recipe calls it.
    """
    rules = [constraint for constraint in brief.constraints if constraint.WhichOneof("rule") not in SIGNAL_RULES]
    if isinstance(recipe, recipe_pb2.MasterRecipe):
        found = [recipe_rules.check_master(rule, recipe) for rule in rules]
    else:
        routing = Routing(recipe, tracks_of)
        found = [recipe_rules.check_mix(rule, routing) for rule in rules]
    return tuple(_verdict(brief, rule, finding) for rule, finding in zip(rules, found, strict=True))


def check_signal(brief: Brief, kind: KindValue, audio: audio_pb2.AudioResult) -> tuple[brief_pb2.BriefVerdict, ...]:
    """Check every rule over the rendered signal; one verdict a rule."""
    rules = [constraint for constraint in brief.constraints if constraint.WhichOneof("rule") in SIGNAL_RULES]
    return tuple(_verdict(brief, rule, signal_rules.check_measured(rule, kind, audio)) for rule in rules)


def recipe_events(song: Song, brief: Brief, kind: KindValue, number: int, recipe: Recipe) -> Iterator[Message]:
    """Yield the check of a version's recipe, and a flag for each violation."""
    verdicts = check_recipe(brief, recipe, tracks_of(song))
    yield from _events(brief, kind, number, events_pb2.BRIEF_CHECK_SCOPE_RECIPE, verdicts)


def signal_events(brief: Brief, kind: KindValue, number: int, audio: audio_pb2.AudioResult) -> Iterator[Message]:
    """Yield the check of a version's rendered signal, and a flag for each violation."""
    verdicts = check_signal(brief, kind, audio)
    yield from _events(brief, kind, number, events_pb2.BRIEF_CHECK_SCOPE_SIGNAL, verdicts)


def recheck(song: Song, brief: Brief) -> Iterator[Message]:
    """Yield the checks of every living version against a new revision."""
    for versions in (song.mixes, song.masters):
        for version in sorted(versions.values(), key=lambda v: v.number):
            if version.is_over:
                continue
            yield from recipe_events(song, brief, version.kind, version.number, version.recipe)
            if version.is_rendered:
                yield from signal_events(brief, version.kind, version.number, version.audio[0])


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
    """Return what rules can call a sound: ids of its tracks and takes, by the SHA-256 of the takes' assets."""
    found: dict[str, frozenset[str]] = {}
    for take in song.takes.values():
        found[take.asset_sha256] = found.get(take.asset_sha256, frozenset()) | {take.track, take.id}
    for sha256, (track, _) in comp_recordings(song).items():
        found[sha256] = found.get(sha256, frozenset()) | {track, *song.tracks[track].chosen_takes}
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
