"""The automatic first mix: stems in, a recipe with its reasons out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog.session.v1 import brief_pb2
from tapelog_recipe import validate_mix

from tapelog_desk.analysis import Progress
from tapelog_desk.automix.audition import Audition, audition
from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.casting import cast
from tapelog_desk.automix.cleaning import clean
from tapelog_desk.automix.dynamics import level_out
from tapelog_desk.automix.errors import BriefError, SheetError
from tapelog_desk.automix.hearing import Heard, hear
from tapelog_desk.automix.levels import Loudness, set_faders
from tapelog_desk.automix.masking import unmask
from tapelog_desk.automix.mixbus import mix_fader, tame
from tapelog_desk.automix.placement import place
from tapelog_desk.automix.polarity import align, pairs_of
from tapelog_desk.automix.sheet import Stem
from tapelog_desk.automix.space import REVERB_BUS, send
from tapelog_desk.automix.strip import Move, Strip
from tapelog_desk.automix.writing import bus_id, moves_json, recipe_of, recipe_text, relative_name
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.mixdown import at_rate, open_source

_SHARE_HEARING: Final = 0.4
_SHARE_RENDER: Final = 0.2
"""Shares of the work: measuring the stems, and each of two or three renders."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstMix:
    """A first mix.

    Attributes
    ----------
    recipe : MixRecipe
        Valid for the desk, to be edited.
    strips : tuple of Strip
        What each track was taken for, and measured as.
    moves : tuple of Move
        Every decision with its reason, in the order in which they were made.
    integrated_lufs, true_peak_dbtp : float
        Of the mix that the recipe gives.
    """

    recipe: pb.MixRecipe
    strips: tuple[Strip, ...]
    moves: tuple[Move, ...]
    integrated_lufs: float
    true_peak_dbtp: float

    def to_yaml(self) -> str:
        """Return the recipe as YAML with the reasons as comments."""
        return recipe_text(self.recipe, self.moves)

    def to_json(self) -> dict[str, Any]:
        """Return roles, moves and figures for programs."""
        return {
            "integrated_lufs": round(self.integrated_lufs, 2),
            "true_peak_dbtp": round(self.true_peak_dbtp, 2),
            "tracks": [
                {
                    "id": strip.id,
                    "role": strip.role.name,
                    "confidence": strip.confidence,
                    "loudness_lufs": None if strip.heard.is_silent else round(strip.heard.integrated_lufs, 2),
                }
                for strip in self.strips
            ],
            "moves": moves_json(self.moves),
        }


def first_mix(
    stems: Sequence[Stem],
    folder: Path,
    *,
    brief: brief_pb2.Brief | None = None,
    by_ear: bool = False,
    progress: Progress | None = None,
) -> FirstMix:
    """Make a first mix.

    Parameters
    ----------
    stems : sequence of Stem
        What there is, from `read_stems`.
    folder : Path
        Where the recipe will stand; it names the stems' files from there.
    brief : Brief, optional
        What the mix has to obey.
    by_ear : bool
        Whether written roles and file names are ignored.
    progress : callable, optional
        Told the share that is done; what it raises ends the work.

    Returns
    -------
    FirstMix
        The same for the same stems, whatever the machine.

    Raises
    ------
    SourceError, SheetError
        A stem cannot be read, all are silent, or a role is not known.
    BriefError
        ``BRIEF_UNMET``: the brief asks for something that these stems cannot give.
    """
    limits = Limits(brief)
    rate = _sample_rate(stems)
    strips = cast(stems, _hear_all(stems, rate, progress), by_ear=by_ear)
    if all(strip.heard.is_silent for strip in strips):
        raise SheetError("STEMS_SILENT", f"all {len(strips)} stems are silent", "check the export")
    names = [relative_name(strip.stem.path, folder) for strip in strips]

    def resolve(source: pb.RecipeSource) -> Path:
        return folder / source.file

    def made(mix_gain_db: float = 0.0, mix_chain: Sequence[pb.Processor] = ()) -> pb.MixRecipe:
        recipe = recipe_of(strips, sample_rate_hz=rate, source_names=names, mix_gain_db=mix_gain_db)
        recipe.mix_chain.extend(mix_chain)
        if violations := validate_mix(recipe, services=False):
            raise RecipeRefusedError(violations)
        return recipe

    def listen(recipe: pb.MixRecipe, share: float) -> Audition:
        told = None if progress is None else _part(progress, share, share + _SHARE_RENDER)
        return audition(recipe, resolve, pairs=pairs_of(strips), progress=told)

    if missing := limits.missing(made()):
        raise BriefError("BRIEF_UNMET", f"the brief keeps {', '.join(missing)}, which is no stem", "add it")
    _decide(strips, limits)
    heard = listen(_without_cuts(made()), _SHARE_HEARING)
    align(strips, heard.opposed)
    set_faders(strips, {name: picture.loudness for name, picture in heard.tracks.items()})
    final = listen(made(), _SHARE_HEARING + _SHARE_RENDER).mix
    mix_chain, mix_moves = tame(final, strips, limits)
    if mix_chain:
        final = listen(made(0.0, mix_chain), _SHARE_HEARING + 2 * _SHARE_RENDER).mix
    loudness, peak = final.loudness.integrated_lufs, final.true_peak.max_dbtp
    gain, fader_moves = mix_fader(loudness, peak, final.loudness.range_lu, limits)
    recipe = made(gain, mix_chain)
    if broken := limits.broken(recipe):
        raise BriefError("BRIEF_UNMET", "; ".join(broken), "add what is missing, or amend the brief")
    moves = (*mix_moves, *fader_moves, *(move for strip in strips for move in strip.moves), *_bus_moves(strips, recipe))
    return FirstMix(recipe, tuple(strips), moves, loudness + gain, peak + gain)


def _without_cuts(recipe: pb.MixRecipe) -> pb.MixRecipe:
    """Take the equalisers out: a fader set after a cut would lift all the rest of the stem by what the cut took."""
    for track in recipe.tracks:
        kept = [insert for insert in track.chain if insert.WhichOneof("kind") != "eq"]
        del track.chain[:]
        track.chain.extend(kept)
    return recipe


def _decide(strips: Sequence[Strip], limits: Limits) -> None:
    """Make every decision that needs the raw stems only, with faders that are good enough for it."""
    before = [len(strip.moves) for strip in strips]
    set_faders(strips, {s.id: Loudness(s.heard.integrated_lufs, s.heard.momentary_lufs) for s in strips})
    for strip, count in zip(strips, before, strict=True):
        del strip.moves[count:]
    clean(strips, limits)
    unmask(strips, limits)
    level_out(strips, limits)
    place(strips)
    send(strips, limits)
    for strip in strips:
        strip.gain_db = 0.0


def _bus_moves(strips: Sequence[Strip], recipe: pb.MixRecipe) -> list[Move]:
    moves = []
    for family in dict.fromkeys(strip.role.family for strip in strips):
        ids = [strip.id for strip in strips if strip.role.family == family]
        moves.append(Move(bus_id(family, strips), "sub-group", f"of {', '.join(ids)}", "group.family"))
    if recipe.buses[-1].chain:
        count = sum(strip.send_db is not None for strip in strips)
        moves.append(Move(recipe.buses[-1].id, REVERB_BUS, f"one reverb for {count} tracks", "send.room"))
    return moves


def _hear_all(stems: Sequence[Stem], rate: int, progress: Progress | None) -> list[Heard]:
    heard = []
    for index, stem in enumerate(stems):
        with open_source(stem.path, stem.path.name) as reader:
            channels = reader.format.channels
            heard.append(hear(at_rate(reader, rate), sample_rate_hz=rate, channels=channels))
        if progress is not None:
            progress(_SHARE_HEARING * (index + 1) / len(stems))
    return heard


def _sample_rate(stems: Sequence[Stem]) -> int:
    """Return the rate that most stems have, of two equally frequent ones the higher."""
    rates: Counter[int] = Counter()
    for stem in stems:
        with open_source(stem.path, stem.path.name) as reader:
            rates[reader.format.sample_rate_hz] += 1
    return max(rates, key=lambda rate: (rates[rate], rate))


def _part(progress: Progress, low: float, high: float) -> Callable[[float], None]:
    return lambda share: progress(low + (high - low) * share)
