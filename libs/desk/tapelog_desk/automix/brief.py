"""The vision brief as a first mix obeys it: what a rule allows before a move is made, and what it says afterwards.

The rules are those of ``tapelog/session/v1/brief.proto``; the services check every version against them again.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2 as pb
from tapelog_recipe import EFFECT_WORDS, RecipeError, Violation, kinds_of
from tapelog_recipe.codec import decode
from tapelog_recipe.text import Format, parse

from tapelog_desk.automix.errors import BriefError

CONSTRAINTS_MAX: Final = 64
"""As many as the services take."""

_MIX: Final = (pb.APPLIES_TO_UNSPECIFIED, pb.APPLIES_TO_MIX)


def load_brief(text: str | bytes, notation: Format = "yaml") -> pb.Brief:
    """Read a brief, fields named as in brief.proto.

    Raises
    ------
    BriefError
        ``BRIEF_INVALID``: malformed text, unknown fields or effects, a constraint without a rule.
    """
    brief = pb.Brief()
    try:
        violations = [*decode(parse(text, notation), brief)]
    except RecipeError as error:
        violations = list(error.violations)
    violations += _wrong(brief)
    if violations:
        lines = "\n".join(str(violation) for violation in violations[:20])
        raise BriefError("BRIEF_INVALID", f"the brief cannot be read: {lines}", "mend the brief (docs/automix.md)")
    return brief


def _wrong(brief: pb.Brief) -> Iterator[Violation]:
    if len(brief.constraints) > CONSTRAINTS_MAX:
        yield Violation("constraints", f"{len(brief.constraints)} are more than {CONSTRAINTS_MAX}")
    for index, rule in enumerate(brief.constraints):
        path, kind = f"constraints[{rule.id or index}]", rule.WhichOneof("rule")
        if kind is None:
            yield Violation(path, "has no rule; write one, such as effect_forbidden")
        elif kind in ("effect_forbidden", "effect_allowed_only"):
            for effect in getattr(rule, kind).effects:
                if effect not in EFFECT_WORDS:
                    yield Violation(f"{path}.{kind}.effects", f"{effect!r} is none of {', '.join(EFFECT_WORDS)}")
        elif kind == "send_limit" and rule.send_limit.effect not in EFFECT_WORDS:
            effect = rule.send_limit.effect
            yield Violation(f"{path}.send_limit.effect", f"{effect!r} is none of {', '.join(EFFECT_WORDS)}")


def _selects(selector: Iterable[str], words: Collection[str]) -> bool:
    wanted = set(selector)
    return not wanted or not wanted.isdisjoint(words)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule of the brief that stands against a move.

    Attributes
    ----------
    constraint : str
        Its id.
    statement : str
        The rule in the artist's words.
    """

    constraint: str
    statement: str


class Limits:
    """What a brief leaves open.

    Parameters
    ----------
    brief : Brief, optional
        None is no brief: everything is allowed.
    """

    def __init__(self, brief: pb.Brief | None) -> None:
        self.brief = brief or pb.Brief()

    def refuses(self, words: Collection[str], *kinds: str) -> Refusal | None:
        """Return the rule against using any of these effects on a track with this id and these tags, or None."""
        for rule in self.brief.constraints:
            match rule.WhichOneof("rule"):
                case "effect_forbidden":
                    selects = _selects(rule.effect_forbidden.selector.tracks, words)
                    broken = set(kinds) & kinds_of(rule.effect_forbidden.effects)
                case "effect_allowed_only":
                    selects = _selects(rule.effect_allowed_only.selector.tracks, words)
                    broken = set(kinds) - kinds_of(rule.effect_allowed_only.effects)
                case _:
                    continue
            if selects and broken:
                return Refusal(rule.id, rule.statement)
        return None

    def refuses_on_mix(self, tracks: Iterable[Collection[str]], kind: str) -> Refusal | None:
        """Return the rule against an effect on the mix bus, which every track passes, or None.

        What a rule allows for some tracks only says nothing about the mix bus.
        """
        every = list(tracks)
        for rule in self.brief.constraints:
            match rule.WhichOneof("rule"):
                case "effect_forbidden":
                    selected = rule.effect_forbidden.selector.tracks
                    broken = kind in kinds_of(rule.effect_forbidden.effects) and any(
                        _selects(selected, w) for w in every
                    )
                case "effect_allowed_only":
                    allowed = rule.effect_allowed_only
                    broken = not allowed.selector.tracks and kind not in kinds_of(allowed.effects)
                case _:
                    continue
            if broken:
                return Refusal(rule.id, rule.statement)
        return None

    def send_max_db(self, words: Collection[str], kinds: Collection[str]) -> tuple[float, Refusal | None]:
        """Return the highest send from a track to a bus with these effects, and the rule that says so."""
        highest, by = 24.0, None
        for rule in self.brief.constraints:
            limit = rule.send_limit
            if rule.WhichOneof("rule") != "send_limit" or not kinds_of([limit.effect]) & set(kinds):
                continue
            if _selects(limit.selector.tracks, words) and limit.max_gain_db < highest:
                highest, by = limit.max_gain_db, Refusal(rule.id, rule.statement)
        return highest, by

    def loudness(self) -> tuple[float | None, float | None]:
        """Return the lowest and highest integrated loudness of a mix, None where it is free."""
        lows, highs = [], []
        for rule in self.brief.constraints:
            bounds = rule.loudness_bounds
            if rule.WhichOneof("rule") == "loudness_bounds" and bounds.applies_to in _MIX:
                lows += [bounds.min_integrated_lufs] if bounds.HasField("min_integrated_lufs") else []
                highs += [bounds.max_integrated_lufs] if bounds.HasField("max_integrated_lufs") else []
        return max(lows, default=None), min(highs, default=None)

    def range_min_lu(self) -> float:
        """Return the smallest loudness range of a mix; 0 where it is free."""
        rules = [rule for rule in self.brief.constraints if rule.WhichOneof("rule") == "loudness_bounds"]
        bounds = [rule.loudness_bounds for rule in rules if rule.loudness_bounds.applies_to in _MIX]
        return max((bound.min_loudness_range_lu for bound in bounds), default=0.0)

    def true_peak_max(self) -> float | None:
        """Return the highest true peak of a mix, None where it is free."""
        peaks = [rule.true_peak_max.max_dbtp for rule in self.brief.constraints
                 if rule.WhichOneof("rule") == "true_peak_max" and rule.true_peak_max.applies_to in _MIX]  # fmt: skip
        return min(peaks, default=None)

    def missing(self, recipe: recipe_pb2.MixRecipe) -> list[str]:
        """Return the tracks that must be kept and are not in the recipe, or are muted."""
        sounding = {word for track in recipe.tracks if not track.mute for word in (track.id, *track.tags)}
        wanted = [word for rule in self.brief.constraints if rule.WhichOneof("rule") == "must_keep"
                  for word in rule.must_keep.tracks]  # fmt: skip
        return sorted(set(wanted) - sounding)

    def broken(self, recipe: recipe_pb2.MixRecipe) -> list[str]:
        """Return every rule that a recipe breaks, in words: the check after the fact, made from the recipe alone."""
        kinds_of_bus = {bus.id: {str(i.WhichOneof("kind")) for i in bus.chain if not i.bypass} for bus in recipe.buses}
        found = [f"must_keep: {word} does not sound" for word in self.missing(recipe)]
        for track in recipe.tracks:
            words = (track.id, *track.tags)
            used = {str(insert.WhichOneof("kind")) for insert in track.chain if not insert.bypass}
            used |= kinds_of_bus.get(track.output_bus, set())
            for send in track.sends:
                used |= kinds_of_bus[send.bus]
                highest, rule = self.send_max_db(words, kinds_of_bus[send.bus])
                if rule is not None and send.gain_db > highest:
                    found.append(f"{rule.constraint}: send of {track.id} at {send.gain_db:g} dB, limit {highest:g} dB")
            refusal = self.refuses(words, *used)
            if refusal is not None:
                found.append(f"{refusal.constraint}: {track.id} passes {', '.join(sorted(used))}")
        every = [(track.id, *track.tags) for track in recipe.tracks]
        for insert in recipe.mix_chain:
            refusal = self.refuses_on_mix(every, str(insert.WhichOneof("kind")))
            if refusal is not None:
                found.append(f"{refusal.constraint}: the mix bus has a {insert.WhichOneof('kind')}")
        return found
