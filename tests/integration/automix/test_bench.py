"""First mixes of real multitracks against equal-loudness sums: ``pytest -m bench -s tests/integration/automix``."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tapelog_desk import beside
from tapelog_desk.automix import FirstMix, Stem, first_mix, read_stems
from tapelog_desk.automix.classify import guess_role
from tapelog_desk.automix.evaluation import compare, equal_loudness, judge, table
from tapelog_recipe import load_mix_recipe

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SESSIONS = ("eif_lithium", "eif_potassium", "band_rock120", "chorale_bwv248")
BY_EAR = {"hi-hat": "cymbals", "overheads": "cymbals", "lead vocal": "voice", "backing vocal": "voice",
          "room": "drum loop", "percussion": "drum loop", "timpani": "toms"}  # fmt: skip
TOLD = {"kick", "snare", "cymbals", "toms", "drum loop", "bass", "voice"}

Load = Callable[[str], tuple[Path, list[Stem]]]


def say(text: str) -> None:
    """Print."""
    sys.stdout.write(f"\n{text}")


def against_equal_loudness(
    name: str, folder: Path, made: FirstMix, tone: np.ndarray, human: Path | None = None
) -> Counter[str]:
    """Print the features of both mixes, and return for how many the first mix is better, even or worse."""
    roles = {strip.id: strip.role for strip in made.strips}
    plain = equal_loudness(made.recipe, {strip.id: strip.heard.integrated_lufs for strip in made.strips})
    mine = judge(made.recipe, beside(folder), roles, reference_tone=tone)
    other = judge(plain, beside(folder), roles, reference_tone=tone)
    rows = [(f"{name}: first mix", mine), (f"{name}: equal loudness", other)]
    if human is not None:
        recipe = load_mix_recipe(human.read_text())
        rows.append((f"{name}: the example's mix 2", judge(recipe, beside(folder), roles, reference_tone=tone)))
    verdicts = compare(mine.features, other.features)
    say(table(rows))
    say(f"   better {[n for n, v in verdicts.items() if v > 0]}, worse {[n for n, v in verdicts.items() if v < 0]}\n")
    return Counter({1: "better", 0: "even", -1: "worse"}[verdict] for verdict in verdicts.values())


def test_first_mixes_of_real_multitracks(example: Path, multitrack: Load, masters_tone: np.ndarray):
    """Prints every feature, the human mix of the example beside it; the first mix is better on more than it is worse.

    The tone's reference is the mean of the corpus's masters, which the rules have never seen.
    """
    total: Counter[str] = Counter()
    begun = time.perf_counter()
    made = first_mix(read_stems([example / "song.yaml"]), example)
    say(f"the example's first mix took {time.perf_counter() - begun:.1f} s")
    total += against_equal_loudness("example", example, made, masters_tone, example / "mix-2.yaml")
    for name in SESSIONS:
        folder, stems = multitrack(name)
        total += against_equal_loudness(name, folder, first_mix(stems, folder), masters_tone)
    say(f"over all: {dict(total)}")
    assert total["better"] > 1.5 * total["worse"]


def test_roles_by_ear(multitrack: Load):
    """Prints how many roles are told right by ear alone; these sessions were seen while the scores were written."""
    tally: Counter[str] = Counter()
    for name in SESSIONS:
        folder, stems = multitrack(name)
        made = first_mix(stems, folder)
        for strip in made.strips:
            role = BY_EAR.get(strip.role.name, strip.role.name)
            truth = role if role in TOLD else "instrument"
            if strip.heard.is_silent or strip.role.name == "effect":
                continue
            guess = guess_role(strip.heard)
            verdict = "right" if guess.name == truth else "unknown" if guess.name == "unknown" else "wrong"
            tally[verdict] += 1
            if verdict == "wrong":
                say(f"{name} {strip.id}: {truth}, heard as {guess.name} ({guess.confidence:.2f})")
    say(f"by ear: {dict(tally)}")
    assert tally["right"] > 3 * tally["wrong"]
