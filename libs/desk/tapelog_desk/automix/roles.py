"""The source classes, what each is called in file names and session sheets, and the figures its rules use."""

import re
from dataclasses import dataclass
from typing import Final

VOCALS: Final = "vocals"
DRUMS: Final = "drums"
BASS: Final = "bass"
MUSIC: Final = "music"
EFFECTS: Final = "effects"


@dataclass(frozen=True, slots=True)
class Role:
    """A source class with its figures. All of them are house figures; `rulebook.RULES` says where the ideas come from.

    Attributes
    ----------
    name : str
        Such as ``lead vocal``.
    family : str
        Sub-group: vocals, drums, bass, music or effects.
    words : tuple of str
        Patterns that name it, matched against lower-case words.
    target_lu : float
        Loudness where it plays, against the lead's.
    high_pass_hz : float
        Highest cutoff; the stem's own energy may ask for less.
    below_share : float
        Share of a stem's power that a high-pass may take: more where bleed is expected below the source.
    is_centred : bool
        Whether a mono stem stays in the middle.
    spread : float
        How far from the middle a mono stem may go.
    send_db : float, optional
        Send to the reverb; None is dry.
    rank : int
        Importance when stems cover one another: 4 and above is heard in front.
    ratio, attack_ms, release_ms : float
        Of its compressor; a ratio of 1 is none.
    spread_max_lu, crest_max_db : float
        What it may wander, or how far its hits may rise over its body, before it is compressed.
    tags : tuple of str
        Words for the recipe's tags, beside the family.
    """

    name: str
    family: str
    words: tuple[str, ...]
    target_lu: float
    high_pass_hz: float
    rank: int
    send_db: float | None = None
    is_centred: bool = False
    spread: float = 0.5
    below_share: float = 0.01
    ratio: float = 1.0
    attack_ms: float = 15.0
    release_ms: float = 150.0
    spread_max_lu: float = 60.0
    crest_max_db: float = 60.0
    tags: tuple[str, ...] = ()


_VOICE: Final = {"ratio": 2.5, "attack_ms": 8.0, "release_ms": 120.0, "spread_max_lu": 3.0}
_HIT: Final = {"ratio": 3.0, "attack_ms": 5.0, "release_ms": 90.0, "crest_max_db": 17.0}

ROLES: Final[tuple[Role, ...]] = (
    Role("lead vocal", VOCALS, (r"lead\s?vox", r"vox\s?lead", r"lead\s?voc\w*", r"voc\w*\s?lead", r"main\s?vo[cx]\w*",
         r"lv", r"lead\s?sing\w*"),
         0.0, 90.0, 6, -18.0, True, tags=("vocal", "lead"), **_VOICE),
    Role("backing vocal", VOCALS, (r"b(ac)?k(in)?g?\s?vo[cx]\w*", r"bgv\w*", r"bv\w*", r"back\w*\s?(vo[cx]\w*|sing\w*)",
         r"harmony", r"choir\w*", r"chor(us)?", r"gang"),
         -7.0, 130.0, 3, -14.0, False, 0.6, tags=("vocal",), **_VOICE),
    Role("voice", VOCALS, (r"vo[cx]", r"vocals?", r"voice", r"soprano", r"alto", r"tenor", r"baritone", r"sing\w*",
         r"rap", r"adlibs?"),
         -4.0, 90.0, 4, -16.0, False, 0.35, tags=("vocal",), **_VOICE),
    Role("kick", DRUMS, (r"kick\w*", r"bd", r"bass\s?drum", r"kik"), -4.0, 30.0, 5, None, True, **_HIT),
    Role("snare", DRUMS, (r"snare\w*", r"sd", r"sn", r"clap\w*", r"rim\w*"),
         -4.0, 90.0, 4, -20.0, True, below_share=0.03, **_HIT),
    Role("hi-hat", DRUMS, (r"hi\s?hats?", r"hats?", r"hh", r"hihat\w*"),
         -13.0, 250.0, 1, None, False, 0.3, below_share=0.10),
    Role("overheads", DRUMS, (r"over\s?heads?", r"oh"), -8.0, 150.0, 2, None, False, 0.9, below_share=0.10),
    Role("room", DRUMS, (r"room\w*", r"ambien\w*"), -13.0, 60.0, 1, None, False, 0.9),
    Role("cymbals", DRUMS, (r"cym\w*", r"crash\w*", r"ride\w*", r"splash", r"china"),
         -13.0, 250.0, 1, -22.0, False, 0.5, below_share=0.10),
    Role("toms", DRUMS, (r"toms?\d*", r"rack\s?tom", r"floor\s?tom"), -7.0, 50.0, 3, -20.0, False, 0.4, **_HIT),
    Role("timpani", DRUMS, (r"timp\w*",), -7.0, 35.0, 3, -16.0, False, 0.3),
    Role("drum loop", DRUMS, (r"drums?(\s?(loop|kit|bus|mix))?", r"loop", r"beats?", r"break\s?beats?", r"breaks?",
         r"breakbeats?"),
         -4.0, 30.0, 4, None, True, **_HIT),
    Role("percussion", DRUMS, (r"perc\w*", r"shaker\w*", r"tamb\w*", r"conga\w*", r"bongo\w*", r"cowbell", r"claves?"),
         -11.0, 150.0, 2, -18.0, False, 0.6),
    Role("bass", BASS, (r"bass\w*", r"sub", r"808", r"upright", r"contrabass", r"bs"),
         -4.0, 30.0, 5, None, True, ratio=3.0, attack_ms=20.0, release_ms=160.0, spread_max_lu=3.0),
    Role("lead guitar", MUSIC, (r"lead\s?(e\s?)?g(ui)?ta?r\w*", r"g(ui)?ta?r\w*\s?(lead|solo)", r"solo\w*"),
         -2.0, 90.0, 5, -18.0, True, tags=("lead",), ratio=2.0, spread_max_lu=6.0),
    Role("lead instrument", MUSIC, (r"lead\w*",), -2.0, 90.0, 5, -18.0, True, tags=("lead",)),
    Role("acoustic guitar", MUSIC, (r"ac(oustic)?\s?g(ui)?ta?r\w*", r"acg\w*"),
         -7.0, 80.0, 3, -18.0, False, 0.6, ratio=2.0, spread_max_lu=6.0),
    Role("electric guitar", MUSIC, (r"e?\s?g(ui)?ta?rs?\w*", r"gtrs?", r"guitars?"), -7.0, 80.0, 3, -20.0, False, 0.6),
    Role("piano", MUSIC, (r"piano\w*", r"pno", r"grand"), -7.0, 60.0, 3, -18.0, False, 0.4),
    Role("keys", MUSIC, (r"key(s|board\w*)", r"rhodes", r"wurli\w*", r"e\s?piano", r"organ\w*", r"hammond", r"clav\w*",
         r"continuo", r"harpsichord", r"accordion"),
         -8.0, 60.0, 2, -18.0, False, 0.4),
    Role("arpeggio", MUSIC, (r"arp\w*", r"sequence\w*", r"plucks?"), -10.0, 120.0, 2, -20.0, False, 0.5),
    Role("pad", MUSIC, (r"pads?", r"drone\w*", r"atmos\w*", r"texture\w*"), -11.0, 120.0, 1, -18.0, False, 0.5),
    Role("synth", MUSIC, (r"synth\w*", r"minilogue", r"moog\w*", r"juno\w*", r"chords?", r"stabs?"),
         -9.0, 80.0, 2, -20.0, False, 0.5),
    Role("strings", MUSIC, (r"strings?", r"violins?", r"violas?", r"cell[oi]\w*", r"vln", r"vla", r"vlc", r"fiddle"),
         -7.0, 100.0, 3, -15.0, False, 0.5),
    Role("brass", MUSIC, (r"brass", r"trumpets?", r"tpt", r"trombones?", r"horns?", r"tuba"),
         -7.0, 90.0, 3, -15.0, False, 0.4),
    Role("woodwind", MUSIC, (r"wood\s?winds?", r"sax\w*", r"reeds?", r"oboes?", r"flutes?", r"clarinets?", r"bassoons?"),
         -7.0, 90.0, 3, -15.0, False, 0.45),
    Role("mallet", MUSIC, (r"mallets?", r"marimba", r"vib(e|raphone)s?", r"xylophone", r"glock\w*", r"bells?", r"harp"),
         -9.0, 120.0, 2, -17.0, False, 0.4),
    Role("effect", EFFECTS, (r"fx", r"sfx", r"effects?", r"transition\w*", r"riser\w*", r"impact\w*", r"noise", r"sweep\w*",
         r"crush\w*", r"beep\w*", r"build\w*", r"microcosm"),
         -12.0, 60.0, 1, None, False, 0.4),
    Role("instrument", MUSIC, (r"instruments?", r"music"), -8.0, 60.0, 2, -20.0, False, 0.4),
    Role("unknown", MUSIC, (r"unknown",), -9.0, 20.0, 2, None, False, 0.0),
)  # fmt: skip
"""In the order in which words are looked up: the first role that a name fits best, by the length of what fits."""

BY_NAME: Final[dict[str, Role]] = {role.name: role for role in ROLES}
UNKNOWN: Final = BY_NAME["unknown"]
FAMILIES: Final = (DRUMS, BASS, MUSIC, VOCALS, EFFECTS)
"""In the order of the sub-groups."""

FAMILY_MAX_LU: Final[dict[str, float]] = {DRUMS: -1.0, BASS: -3.0, MUSIC: -3.0, EFFECTS: -9.0}
"""Loudness of all stems of a family together, against the lead's. Vocals have none: the lead is one of them."""

_WORD: Final = re.compile(r"[^a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(text: str) -> str:
    """Return a name as lower-case words: ``08_BGVoxAlt`` -> ``08 bg vox alt``."""
    return _WORD.sub(" ", _CAMEL.sub(" ", text).lower()).strip()


def role_of(text: str) -> Role | None:
    """Return the role that a name speaks of, or None.

    The last role named counts where two fit equally long: a *snare build* is a snare, but what stands first is an
    adjective (*bass* guitar is found by its longer pattern).
    """
    words = words_of(text)
    if words in BY_NAME:
        return BY_NAME[words]
    best: tuple[int, int] | None = None
    found: Role | None = None
    for order, role in enumerate(ROLES):
        for pattern in role.words:
            match = re.search(rf"(?<![a-z0-9]){pattern}(?![a-z])", words)
            if match and (best is None or (len(match[0]), -order) > best):
                best, found = (len(match[0]), -order), role
    return found
