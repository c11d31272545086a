"""From strips to a recipe, and from a recipe with its moves to text that an engineer reads and edits."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe.codec import encode
from tapelog_recipe.text import write

from tapelog_desk.automix import space
from tapelog_desk.automix.masking import CUT_Q
from tapelog_desk.automix.roles import FAMILIES
from tapelog_desk.automix.rulebook import RULES
from tapelog_desk.automix.strip import Move, Strip

TAIL_S: Final = 2.0
"""Rendered after the last stem where there is a reverb."""

_WIDTH: Final = 118


def recipe_of(
    strips: Sequence[Strip], *, sample_rate_hz: int, source_names: Sequence[str], mix_gain_db: float
) -> pb.MixRecipe:
    """Return the recipe of strips.

    Parameters
    ----------
    strips : sequence of Strip
        In the order of the tracks.
    sample_rate_hz : int
        Of the mix.
    source_names : sequence of str
        What the recipe calls each stem's file.
    mix_gain_db : float
        Fader of the mix.
    """
    recipe = pb.MixRecipe(sample_rate_hz=sample_rate_hz, mix_gain_db=mix_gain_db, pan_law=pb.PAN_LAW_MINUS_3_DB)
    for strip, name in zip(strips, source_names, strict=True):
        recipe.tracks.append(_track(strip, name))
    families = {strip.role.family for strip in strips}
    recipe.buses.extend(pb.RecipeBus(id=bus_id(family, strips)) for family in FAMILIES if family in families)
    if any(strip.send_db is not None for strip in strips):
        reverb = pb.Reverb(decay_s=space.DECAY_S, pre_delay_ms=space.PRE_DELAY_MS, damping=space.DAMPING)
        chain = [pb.Processor(high_pass=pb.HighPass(frequency_hz=space.LOW_CUT_HZ)), pb.Processor(reverb=reverb)]
        recipe.buses.append(pb.RecipeBus(id=_free(space.REVERB_BUS, strips), chain=chain))
        recipe.tail_s = TAIL_S
        for track in recipe.tracks:
            for send in track.sends:
                send.bus = recipe.buses[-1].id
    for track, strip in zip(recipe.tracks, strips, strict=True):
        track.output_bus = bus_id(strip.role.family, strips)
    return recipe


def bus_id(family: str, strips: Sequence[Strip]) -> str:
    """Return the id of a family's sub-group: its name, or its name with ``-group`` where a track is called so."""
    return _free(family, strips)


def _free(name: str, strips: Sequence[Strip]) -> str:
    taken = {strip.id for strip in strips}
    while name in taken:
        name = f"{name}-group"[-32:].lstrip("-")
    return name


def _track(strip: Strip, name: str) -> pb.RecipeTrack:
    track = pb.RecipeTrack(id=strip.id, gain_db=strip.gain_db, pan=strip.pan, polarity_inverted=strip.is_inverted,
                           tags=strip.tags)  # fmt: skip
    track.source.file = name
    if strip.high_pass_hz:
        track.chain.add().high_pass.frequency_hz = strip.high_pass_hz
    if strip.cuts:
        bands = [pb.EqBand(shape=pb.EQ_SHAPE_BELL, frequency_hz=frequency, gain_db=gain, q=CUT_Q)
                 for frequency, gain in sorted(strip.cuts)]  # fmt: skip
        track.chain.add().eq.bands.extend(bands)
    if strip.threshold_db is not None:
        own = strip.role.dynamics
        track.chain.append(pb.Processor(compressor=pb.Compressor(
            threshold_db=strip.threshold_db, ratio=own.ratio, attack_ms=own.attack_ms, release_ms=own.release_ms,
        )))  # fmt: skip
    if strip.send_db is not None:
        track.sends.add(bus=space.REVERB_BUS, gain_db=strip.send_db)
    return track


def relative_name(path: Path, folder: Path) -> str:
    """Return how a recipe in a folder names a file: relative where it lies in or under the folder's parent tree."""
    try:
        return path.resolve().relative_to(folder.resolve(), walk_up=True).as_posix()  # type: ignore[call-arg]
    except TypeError:  # walk_up is Python 3.12's
        import os.path

        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def recipe_text(recipe: pb.MixRecipe, moves: Sequence[Move]) -> str:
    """Return a recipe as YAML with the moves as comments above what they belong to; it loads back equal."""
    plain = encode(recipe)
    tracks, buses = plain.pop("tracks"), plain.pop("buses", [])
    lines = ["# A first mix, made by rules: change whatever you hear otherwise. Rules and sources: docs/automix.md."]
    lines += _comments(moves, "mix")
    lines += [write(plain, "yaml").rstrip("\n"), "", "tracks:"]
    for track in tracks:
        lines += [*_comments(moves, track["id"], "  "), _item(track), ""]
    lines.append("buses:")
    for bus in buses:
        lines += [*_comments(moves, bus["id"], "  "), _item(bus)]
    return "\n".join(lines) + "\n"


def _item(plain: dict[str, Any]) -> str:
    return textwrap.indent(write({"_": [plain]}, "yaml").partition("\n")[2].rstrip("\n"), "  ")


def _comments(moves: Iterable[Move], target: str, indent: str = "") -> list[str]:
    lines: list[str] = []
    for move in moves:
        if move.target == target:
            text = f"{move.what}: {move.reason} [{move.rule}]"
            lines += textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=f"{indent}# ",
                                   subsequent_indent=f"{indent}#   ")  # fmt: skip
    return lines


def moves_json(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """Return the moves for programs, each with its rule's statement and source."""
    return [
        {
            "target": move.target,
            "what": move.what,
            "reason": move.reason,
            "rule": move.rule,
            "statement": RULES[move.rule].statement,
            "source": RULES[move.rule].source,
            "measured": move.measured,
        }
        for move in moves
    ]
