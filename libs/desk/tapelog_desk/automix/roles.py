"""The source classes and the figures that their rules use."""

from dataclasses import dataclass
from typing import Final

VOCALS: Final = "vocals"
DRUMS: Final = "drums"
BASS: Final = "bass"
MUSIC: Final = "music"
EFFECTS: Final = "effects"


@dataclass(frozen=True, slots=True)
class Dynamics:
    """When and how a role is compressed.

    Attributes
    ----------
    ratio, attack_ms, release_ms : float
        Of its compressor; a ratio of 1 is none.
    spread_max_lu : float
        How far its level may wander before it is compressed.
    crest_max_db : float
        How far its hits may stand over its body before they are.
    """

    ratio: float = 1.0
    attack_ms: float = 15.0
    release_ms: float = 150.0
    spread_max_lu: float = 60.0
    crest_max_db: float = 60.0


FREE: Final = Dynamics()
VOICE: Final = Dynamics(2.5, attack_ms=8.0, release_ms=120.0, spread_max_lu=3.0)
LOW_END: Final = Dynamics(3.0, attack_ms=20.0, release_ms=160.0, spread_max_lu=3.0)
PLAYED: Final = Dynamics(2.0, spread_max_lu=6.0)
HIT: Final = Dynamics(4.0, attack_ms=0.3, release_ms=60.0, crest_max_db=12.0)


@dataclass(frozen=True, slots=True)
class Role:
    """A source class with its figures: house figures all; `rulebook.RULES` says where the ideas come from.

    Attributes
    ----------
    name : str
        Such as ``lead vocal``.
    family : str
        Sub-group: vocals, drums, bass, music or effects.
    target_lu : float
        Loudness where it plays, against the lead's.
    high_pass_hz : float
        Highest cutoff; the stem's own energy may ask for less.
    rank : int
        Importance when stems cover one another: 4 and above is heard in front.
    send_db : float, optional
        Send to the reverb; None is dry.
    is_centred : bool
        Whether a mono stem stays in the middle.
    spread : float
        How far from the middle a mono stem may go.
    below_share : float
        Share of a stem's power that a high-pass may take: more where bleed is expected below the source.
    dynamics : Dynamics
        Its compressor.
    tags : tuple of str
        Words for the recipe's tags, beside the family.
    """

    name: str
    family: str
    target_lu: float
    high_pass_hz: float
    rank: int
    send_db: float | None = None
    is_centred: bool = False
    spread: float = 0.5
    below_share: float = 0.01
    dynamics: Dynamics = FREE
    tags: tuple[str, ...] = ()


ROLES: Final[tuple[Role, ...]] = (
    Role(
        "lead vocal",
        VOCALS,
        target_lu=0.0,
        high_pass_hz=90.0,
        rank=6,
        send_db=-18.0,
        is_centred=True,
        dynamics=VOICE,
        tags=("vocal", "lead"),
    ),
    Role(
        "backing vocal",
        VOCALS,
        target_lu=-7.0,
        high_pass_hz=130.0,
        rank=3,
        send_db=-14.0,
        spread=0.6,
        dynamics=VOICE,
        tags=("vocal",),
    ),
    Role(
        "voice",
        VOCALS,
        target_lu=-4.0,
        high_pass_hz=90.0,
        rank=4,
        send_db=-16.0,
        spread=0.35,
        dynamics=VOICE,
        tags=("vocal",),
    ),
    Role("kick", DRUMS, target_lu=-3.0, high_pass_hz=30.0, rank=5, is_centred=True, dynamics=HIT),
    Role(
        "snare",
        DRUMS,
        target_lu=-4.0,
        high_pass_hz=90.0,
        rank=4,
        send_db=-20.0,
        is_centred=True,
        below_share=0.03,
        dynamics=HIT,
    ),
    Role("hi-hat", DRUMS, target_lu=-13.0, high_pass_hz=250.0, rank=1, spread=0.3, below_share=0.1),
    Role("overheads", DRUMS, target_lu=-8.0, high_pass_hz=150.0, rank=2, spread=0.9, below_share=0.1),
    Role("room", DRUMS, target_lu=-13.0, high_pass_hz=60.0, rank=1, spread=0.9),
    Role("cymbals", DRUMS, target_lu=-13.0, high_pass_hz=250.0, rank=1, send_db=-22.0, below_share=0.1),
    Role("toms", DRUMS, target_lu=-7.0, high_pass_hz=50.0, rank=3, send_db=-20.0, spread=0.4, dynamics=HIT),
    Role("timpani", DRUMS, target_lu=-7.0, high_pass_hz=35.0, rank=3, send_db=-16.0, spread=0.3),
    Role("drum loop", DRUMS, target_lu=-4.0, high_pass_hz=30.0, rank=4, is_centred=True, dynamics=HIT),
    Role("percussion", DRUMS, target_lu=-11.0, high_pass_hz=150.0, rank=2, send_db=-18.0, spread=0.6),
    Role("bass", BASS, target_lu=-3.0, high_pass_hz=30.0, rank=5, is_centred=True, dynamics=LOW_END),
    Role(
        "lead guitar",
        MUSIC,
        target_lu=-2.0,
        high_pass_hz=90.0,
        rank=5,
        send_db=-18.0,
        is_centred=True,
        dynamics=PLAYED,
        tags=("lead",),
    ),
    Role(
        "lead instrument",
        MUSIC,
        target_lu=-2.0,
        high_pass_hz=90.0,
        rank=5,
        send_db=-18.0,
        is_centred=True,
        tags=("lead",),
    ),
    Role(
        "acoustic guitar", MUSIC, target_lu=-7.0, high_pass_hz=80.0, rank=3, send_db=-18.0, spread=0.6, dynamics=PLAYED
    ),
    Role("electric guitar", MUSIC, target_lu=-7.0, high_pass_hz=80.0, rank=3, send_db=-20.0, spread=0.6),
    Role("piano", MUSIC, target_lu=-7.0, high_pass_hz=60.0, rank=3, send_db=-18.0, spread=0.4),
    Role("keys", MUSIC, target_lu=-8.0, high_pass_hz=60.0, rank=2, send_db=-18.0, spread=0.4),
    Role("arpeggio", MUSIC, target_lu=-10.0, high_pass_hz=120.0, rank=2, send_db=-20.0),
    Role("pad", MUSIC, target_lu=-11.0, high_pass_hz=120.0, rank=1, send_db=-18.0),
    Role("synth", MUSIC, target_lu=-9.0, high_pass_hz=80.0, rank=2, send_db=-20.0),
    Role("strings", MUSIC, target_lu=-7.0, high_pass_hz=100.0, rank=3, send_db=-15.0),
    Role("brass", MUSIC, target_lu=-7.0, high_pass_hz=90.0, rank=3, send_db=-15.0, spread=0.4),
    Role("woodwind", MUSIC, target_lu=-7.0, high_pass_hz=90.0, rank=3, send_db=-15.0, spread=0.45),
    Role("mallet", MUSIC, target_lu=-9.0, high_pass_hz=120.0, rank=2, send_db=-17.0, spread=0.4),
    Role("effect", EFFECTS, target_lu=-12.0, high_pass_hz=60.0, rank=1, spread=0.4),
    Role("instrument", MUSIC, target_lu=-8.0, high_pass_hz=60.0, rank=2, send_db=-20.0, spread=0.4),
    Role("unknown", MUSIC, target_lu=-9.0, high_pass_hz=20.0, rank=2, spread=0.0),
)

BY_NAME: Final[dict[str, Role]] = {role.name: role for role in ROLES}
UNKNOWN: Final = BY_NAME["unknown"]
FAMILIES: Final = (DRUMS, BASS, MUSIC, VOCALS, EFFECTS)
"""In the order of the sub-groups."""

FAMILY_MAX_LU: Final[dict[str, float]] = {DRUMS: -1.0, BASS: -3.0, MUSIC: -3.0, EFFECTS: -9.0}
"""Loudness of all stems of a family together, against the lead's. Vocals have none: the lead is one of them."""
