"""A channel of the first mix while it is made, and the record of every move with its reason."""

from dataclasses import dataclass, field

from tapelog_desk.automix.hearing import Heard
from tapelog_desk.automix.roles import VOCALS, Role
from tapelog_desk.automix.sheet import Stem


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that was done or left, and why.

    Attributes
    ----------
    target : str
        Track id, bus id, or ``mix``.
    what : str
        In an engineer's words: ``fader -3.2 dB``.
    reason : str
        Why, with the figures.
    rule : str
        Id in `rulebook.RULES`.
    measured : dict of str to float
        What was measured, by name with its unit last.
    """

    target: str
    what: str
    reason: str
    rule: str
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Strip:
    """A channel while it is made; the steps fill it in turn.

    Attributes
    ----------
    stem : Stem
        Where it comes from.
    heard : Heard
        What was measured of it.
    role : Role
        What it is taken for.
    confidence : float
        Of the role: 1 where a person wrote it.
    pan, gain_db : float
        Pan and fader.
    is_inverted : bool
        Polarity.
    high_pass_hz : float
        Cutoff; 0 is none.
    cuts : list of tuple of float
        Frequency and gain of each bell.
    threshold_db : float, optional
        Of the compressor; None is none.
    send_db : float, optional
        To the reverb; None is none.
    moves : list of Move
        In the order in which they were made.
    """

    stem: Stem
    heard: Heard
    role: Role
    confidence: float = 1.0
    pan: float = 0.0
    gain_db: float = 0.0
    is_inverted: bool = False
    high_pass_hz: float = 0.0
    cuts: list[tuple[float, float]] = field(default_factory=list)
    threshold_db: float | None = None
    send_db: float | None = None
    moves: list[Move] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Id of the track."""
        return self.stem.id

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the track: the sheet's, the family's, the role's, each once."""
        own = self.role.tags if self.role.family == VOCALS else (self.role.family, *self.role.tags)
        return tuple(dict.fromkeys((*self.stem.tags, *own)))

    @property
    def words(self) -> tuple[str, ...]:
        """Everything a rule of the brief may call it."""
        return (self.id, *self.tags)

    @property
    def is_mono(self) -> bool:
        """Whether it has one channel, or two that are the same."""
        return self.heard.channels == 1 or self.heard.width_db < -40.0

    def note(self, what: str, reason: str, rule: str, **measured: float) -> None:
        """Record a move."""
        figures = {name: round(value, 2) for name, value in measured.items()}
        self.moves.append(Move(self.id, what, reason, rule, figures))
