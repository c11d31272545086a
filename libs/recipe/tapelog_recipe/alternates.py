"""Alternates: variants of a mix that differ in stated mutes and fader offsets only."""

from collections.abc import Iterator

from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.codec import ID_PATTERN, child, show
from tapelog_recipe.errors import RecipeError, Violation
from tapelog_recipe.limits import SELECTORS_MAX
from tapelog_recipe.naming import did_you_mean
from tapelog_recipe.parameters import PARAMETERS
from tapelog_recipe.selectors import matches, track_paths
from tapelog_recipe.validation import check_number


def alternate_violations(recipe: pb.MixRecipe, alternate: pb.Alternate, path: str = "") -> tuple[Violation, ...]:
    """Return everything that is wrong with an alternate of a recipe, faders pushed out of range included."""
    return tuple(_violations(recipe, alternate, path))


def _violations(recipe: pb.MixRecipe, alternate: pb.Alternate, path: str) -> Iterator[Violation]:
    if not ID_PATTERN.fullmatch(alternate.id):
        rule = "must be lower case, start with a letter and have at most 32 of [a-z0-9-]"
        yield Violation(child(path, "id"), f"{rule}, got {show(alternate.id)}")
    known = sorted({word for track in recipe.tracks for word in (track.id, *track.tags)})
    words = [
        *((f"mute[{index}]", word) for index, word in enumerate(alternate.mute)),
        *((f"solo[{index}]", word) for index, word in enumerate(alternate.solo)),
        *((f"gain_offsets[{index}].target", offset.target) for index, offset in enumerate(alternate.gain_offsets)),
    ]
    if len(words) > SELECTORS_MAX:
        yield Violation(path, f"names {len(words)} tracks and tags, at most {SELECTORS_MAX}")
    for place, word in words:
        if word not in known:
            yield Violation(child(path, place), f"no track has the id or tag {show(word)}; {did_you_mean(word, known)}")
    for index, offset in enumerate(alternate.gain_offsets):
        entry = PARAMETERS["GainOffset"]["gain_db"]
        yield from check_number(offset.gain_db, entry, 0, child(path, f"gain_offsets[{index}].gain_db"))
    for place, track in track_paths(recipe):
        entry = PARAMETERS["RecipeTrack"]["gain_db"]
        yield from check_number(_moved_gain_db(track, alternate), entry, 0, f"{place}.gain_db")


def _moved_gain_db(track: pb.RecipeTrack, alternate: pb.Alternate) -> float:
    return float(track.gain_db) + sum(
        offset.gain_db for offset in alternate.gain_offsets if matches(track, (offset.target,))
    )


def apply_alternate(recipe: pb.MixRecipe, alternate: pb.Alternate) -> pb.MixRecipe:
    """Return the recipe of an alternate.

    Tracks that `mute` selects, and those that a non-empty `solo` does not select, are muted; fader offsets are added.
    Nothing else changes: buses, inserts, sends and automation are the mix's own.

    Raises
    ------
    RecipeError
        A selector matches no track, or a fader leaves its range.
    """
    violations = alternate_violations(recipe, alternate)
    if violations:
        raise RecipeError(violations)
    variant = pb.MixRecipe()
    variant.CopyFrom(recipe)
    for track in variant.tracks:
        track.gain_db = _moved_gain_db(track, alternate)
        silenced = matches(track, alternate.mute) or (bool(alternate.solo) and not matches(track, alternate.solo))
        track.mute = track.mute or silenced
    return variant
