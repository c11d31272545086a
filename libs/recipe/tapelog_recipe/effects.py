"""What a brief's words for effects mean: a family such as ``reverb`` is every kind of insert that makes one."""

from collections.abc import Iterable
from typing import Final

from tapelog_recipe.parameters import PROCESSOR_KINDS

EFFECT_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "reverb": ("reverb", "room", "convolution"),
    "plate": ("reverb",),
    "echo": ("delay",),
    "eq": ("eq", "linear_phase_eq", "curve_eq", "dynamic_eq"),
    "filter": ("high_pass", "low_pass"),
    "compressor": ("compressor", "multiband"),
    "distortion": ("saturation", "exciter", "clipper"),
}
"""A word -> the kinds of inserts that it stands for; every other kind stands for itself.

Who forbids reverb means no room and no recorded hall either; the plate alone is ``plate``.
"""

EFFECT_WORDS: Final = tuple(dict.fromkeys((*PROCESSOR_KINDS, *EFFECT_FAMILIES)))
"""What a rule about effects may name."""


def kinds_of(effects: Iterable[str]) -> frozenset[str]:
    """Return the kinds of inserts that a rule's words stand for, and the words themselves.

    What is printed into a take is declared in words too, so those stay comparable.
    """
    return frozenset(kind for word in effects for kind in (word, *EFFECT_FAMILIES.get(word, ())))
