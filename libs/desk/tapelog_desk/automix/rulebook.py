"""Every rule that a first mix follows, with where it comes from.

A named source is where the idea is published; the numbers are this project's own wherever the source is a house rule,
and in `roles.ROLES`. No number here was fitted to listeners.
"""

from dataclasses import dataclass
from typing import Final

HOUSE: Final = "house rule"
SEMANTIC: Final = (
    "B. De Man, J. D. Reiss: A semantic approach to autonomous mixing, Journal on the Art of Record Production 8 (2013)"
)
FADERS: Final = "E. Perez Gonzalez, J. Reiss: Automatic gain and fader control for live mixing, IEEE WASPAA (2009)"
BEST_PRACTICE: Final = (
    "P. D. Pestana, J. D. Reiss: Intelligent audio production strategies informed by best practices, "
    "AES 53rd International Conference (2014)"
)
PANNING: Final = (
    "S. Mansbridge, S. Finn, J. D. Reiss: An autonomous system for multitrack stereo pan positioning, "
    "AES 133rd Convention (2012)"
)
UNMASKING: Final = (
    "S. Hafezi, J. D. Reiss: Autonomous multitrack equalization based on masking reduction, JAES 63(5) (2015)"
)
COMPRESSION: Final = (
    "Z. Ma, B. De Man, P. D. Pestana, D. A. A. Black, J. D. Reiss: "
    "Intelligent multitrack dynamic range compression, JAES 63(6) (2015)"
)
LOUDNESS: Final = "ITU-R BS.1770-5 (the measure); the target is a house rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    statement : str
        What it says.
    source : str
        Where the idea is published, or "house rule".
    """

    statement: str
    source: str


RULES: Final[dict[str, Rule]] = {
    "role.given": Rule("a role that a person wrote down is taken as it is", HOUSE),
    "role.named": Rule("a file's name says what is in it, unless the sheet says otherwise", HOUSE),
    "role.heard": Rule("a stem without a name is judged by its sound, with the confidence written down", HOUSE),
    "role.unknown": Rule("where the sound does not tell, the role is unknown and the stem is treated with care", HOUSE),
    "role.lead": Rule("without a named lead, the narrowest voice that sings most leads", HOUSE),
    "role.choir": Rule("beside sopranos, altos or tenors, a stem called bass is a voice", HOUSE),
    "level.role": Rule("each source has a loudness for its role, measured where it plays; the lead is the loudest",
                       f"idea: {FADERS}; {SEMANTIC}. Figures: {HOUSE}"),
    "level.share": Rule("stems of one role that play together share the loudness of the role", HOUSE),
    "level.family": Rule("all stems of a family together stay under the loudness of the family", HOUSE),
    "level.lead": Rule("the lead stands -2 to 0 LU against everything else while it plays",
                       f"idea: {BEST_PRACTICE}. Figures: {HOUSE}"),
    "level.silent": Rule("a stem that is silent keeps its place with its fader at 0 dB", HOUSE),
    "pan.centre": Rule("kick, snare, bass and lead stay in the centre", f"{SEMANTIC}; {PANNING}"),
    "pan.pair": Rule("a left and a right of one source go to opposite sides", SEMANTIC),
    "pan.spread": Rule("other mono sources are spread so that both sides weigh the same, low ones less far",
                       f"idea: {PANNING}. Figures: {HOUSE}"),
    "pan.stereo": Rule("a stereo stem keeps its own picture", HOUSE),
    "polarity.pair": Rule("stems of one role whose signals oppose one another are put in polarity", HOUSE),
    "highpass.role": Rule("what lies below a source's own range is taken away, never its fundamental",
                          f"idea: {SEMANTIC}; {BEST_PRACTICE}. Figures: {HOUSE}"),
    "eq.unmask": Rule("where a less important stem covers a more important one, the covering one gives way there",
                      f"idea: {UNMASKING}. Figures: {HOUSE}"),
    "comp.spread": Rule("a source that should stand still and whose level wanders is compressed gently",
                        f"idea: {COMPRESSION}; {SEMANTIC}. Figures: {HOUSE}"),
    "comp.crest": Rule("drum hits far above their body have their peaks taken down",
                       f"idea: {COMPRESSION}; {SEMANTIC}. Figures: {HOUSE}"),
    "comp.mix": Rule("a fast compressor takes the highest peaks of the mix down where they keep it from its loudness",
                     HOUSE),
    "send.room": Rule("one reverb for all makes one place; kick and bass stay dry", f"idea: {SEMANTIC}. "
                      f"Figures: {HOUSE}"),
    "send.wide": Rule("a stem that is wide already is sent less", HOUSE),
    "group.family": Rule("each family has a sub-group, so that the engineer has one fader for it", SEMANTIC),
    "mix.headroom": Rule("the mix is near -20 LUFS with true peaks at or under -6 dBTP, left for mastering", LOUDNESS),
    "brief.forbids": Rule("what the brief rules out is not done", "the vision brief"),
    "brief.limits": Rule("a limit of the brief goes before the mix's own", "the vision brief"),
}  # fmt: skip
"""Rule id -> rule. docs/automix.md shows the same table; a test compares them."""
