"""The automatic first mix: from stems to a recipe that an engineer edits, each move with its reason."""

from tapelog_desk.automix.assembly import FirstMix, first_mix
from tapelog_desk.automix.brief import Limits, load_brief
from tapelog_desk.automix.errors import BriefError, SheetError
from tapelog_desk.automix.sheet import Stem, read_stems
from tapelog_desk.automix.strip import Move, Strip

__all__ = ["BriefError", "FirstMix", "Limits", "Move", "SheetError", "Stem", "Strip", "first_mix", "load_brief",
           "read_stems"]  # fmt: skip
