"""What each role is called in file names and session sheets."""

import re
from typing import Final

from tapelog_desk.automix.roles import BY_NAME, Role

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "lead vocal": (
        r"lead\s?vox",
        r"vox\s?lead",
        r"lead\s?voc\w*",
        r"voc\w*\s?lead",
        r"main\s?vo[cx]\w*",
        r"lv",
        r"lead\s?sing\w*",
    ),
    "backing vocal": (
        r"b(ac)?k(in)?g?\s?vo[cx]\w*",
        r"bgv\w*",
        r"bv\w*",
        r"back\w*\s?(vo[cx]\w*|sing\w*)",
        r"harmony",
        r"choir\w*",
        r"chor(us)?",
        r"gang",
    ),
    "voice": (
        r"vo[cx]",
        r"vocals?",
        r"voice",
        r"soprano",
        r"alto",
        r"tenor",
        r"baritone",
        r"sing\w*",
        r"rap",
        r"adlibs?",
    ),
    "kick": (
        r"kick\w*",
        r"bd",
        r"bass\s?drum",
        r"kik",
    ),
    "snare": (
        r"snare\w*",
        r"sd",
        r"sn",
        r"clap\w*",
        r"rim\w*",
    ),
    "hi-hat": (
        r"hi\s?hats?",
        r"hats?",
        r"hh",
        r"hihat\w*",
    ),
    "overheads": (
        r"over\s?heads?",
        r"oh",
    ),
    "room": (
        r"room\w*",
        r"ambien\w*",
    ),
    "cymbals": (
        r"cym\w*",
        r"crash\w*",
        r"ride\w*",
        r"splash",
        r"china",
    ),
    "toms": (
        r"toms?\d*",
        r"rack\s?tom",
        r"floor\s?tom",
    ),
    "timpani": (r"timp\w*",),
    "drum loop": (
        r"drums?(\s?(loop|kit|bus|mix))?",
        r"loop",
        r"beats?",
        r"break\s?beats?",
        r"breaks?",
        r"breakbeats?",
    ),
    "percussion": (
        r"perc\w*",
        r"shaker\w*",
        r"tamb\w*",
        r"conga\w*",
        r"bongo\w*",
        r"cowbell",
        r"claves?",
    ),
    "bass": (
        r"bass\w*",
        r"sub",
        r"808",
        r"upright",
        r"contrabass",
        r"bs",
    ),
    "lead guitar": (
        r"lead\s?(e\s?)?g(ui)?ta?r\w*",
        r"g(ui)?ta?r\w*\s?(lead|solo)",
        r"solo\w*",
    ),
    "lead instrument": (r"lead\w*",),
    "acoustic guitar": (
        r"ac(oustic)?\s?g(ui)?ta?r\w*",
        r"acg\w*",
    ),
    "electric guitar": (
        r"e?\s?g(ui)?ta?rs?\w*",
        r"gtrs?",
        r"guitars?",
    ),
    "piano": (
        r"piano\w*",
        r"pno",
        r"grand",
    ),
    "keys": (
        r"key(s|board\w*)",
        r"rhodes",
        r"wurli\w*",
        r"e\s?piano",
        r"organ\w*",
        r"hammond",
        r"clav\w*",
        r"continuo",
        r"harpsichord",
        r"accordion",
    ),
    "arpeggio": (
        r"arp\w*",
        r"sequence\w*",
        r"plucks?",
    ),
    "pad": (
        r"pads?",
        r"drone\w*",
        r"atmos\w*",
        r"texture\w*",
    ),
    "synth": (
        r"synth\w*",
        r"minilogue",
        r"moog\w*",
        r"juno\w*",
        r"chords?",
        r"stabs?",
    ),
    "strings": (
        r"strings?",
        r"violins?",
        r"violas?",
        r"cell[oi]\w*",
        r"vln",
        r"vla",
        r"vlc",
        r"fiddle",
    ),
    "brass": (
        r"brass",
        r"trumpets?",
        r"tpt",
        r"trombones?",
        r"horns?",
        r"tuba",
    ),
    "woodwind": (
        r"wood\s?winds?",
        r"sax\w*",
        r"reeds?",
        r"oboes?",
        r"flutes?",
        r"clarinets?",
        r"bassoons?",
    ),
    "mallet": (
        r"mallets?",
        r"marimba",
        r"vib(e|raphone)s?",
        r"xylophone",
        r"glock\w*",
        r"bells?",
        r"harp",
    ),
    "effect": (
        r"fx",
        r"sfx",
        r"effects?",
        r"transition\w*",
        r"riser\w*",
        r"impact\w*",
        r"noise",
        r"sweep\w*",
        r"crush\w*",
        r"beep\w*",
        r"build\w*",
        r"microcosm",
    ),
    "instrument": (
        r"instruments?",
        r"music",
    ),
    "unknown": (r"unknown",),
}
"""Role -> patterns of its names, against lower-case words. The longest that fits wins; of two, the first."""

_WORD: Final = re.compile(r"[^a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(text: str) -> str:
    """Return a name as lower-case words: ``08_BassDrum`` -> ``08 bass drum``."""
    return _WORD.sub(" ", _CAMEL.sub(" ", text).lower()).strip()


def role_of(text: str) -> Role | None:
    """Return the role that a name speaks of, or None."""
    words = words_of(text)
    if words in BY_NAME:
        return BY_NAME[words]
    best, found = 0, None
    for name, patterns in NAMES.items():
        for pattern in patterns:
            match = re.search(rf"(?<![a-z0-9]){pattern}(?![a-z])", words)
            if match and len(match[0]) > best:
                best, found = len(match[0]), BY_NAME[name]
    return found
