"""Sends to the one reverb."""

from collections.abc import Iterable
from typing import Final

from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.strip import Strip

REVERB_BUS: Final = "plate"
REVERB_KINDS: Final = ("high_pass", "reverb")
"""What a stem passes on the reverb's bus."""

DECAY_S: Final = 1.5
PRE_DELAY_MS: Final = 20.0
DAMPING: Final = 0.5
LOW_CUT_HZ: Final = 250.0
"""Keeps the reverb out of the bass."""

WIDE_DB: Final = -8.0
"""Side against mid from which a stem counts as wide."""

WIDE_LESS_DB: Final = 4.0

SEND_MIN_DB: Final = -40.0
"""A limit below it leaves nothing to hear: no send then."""


def send(strips: Iterable[Strip], limits: Limits) -> None:
    """Send to the reverb what its role says, as far as the brief lets it."""
    for strip in strips:
        if strip.role.send_db is not None and not strip.heard.is_silent:
            _send_one(strip, strip.role.send_db, limits)


def _send_one(strip: Strip, level_db: float, limits: Limits) -> None:
    reason, rule = f"a {strip.role.name}'s share of the room", "send.room"
    if strip.heard.width_db > WIDE_DB:
        level_db -= WIDE_LESS_DB
        reason, rule = f"it is wide already (side against mid {strip.heard.width_db:.1f} dB)", "send.wide"
    refusal = limits.refuses(strip.words, *REVERB_KINDS)
    if refusal is not None:
        strip.note("no reverb", f"{refusal.constraint}: {refusal.statement}", "brief.forbids")
        return
    highest, limit = limits.send_max_db(strip.words, REVERB_KINDS)
    if limit is not None and highest < level_db:
        level_db, rule = highest, "brief.limits"
        reason = f"{limit.constraint}: {limit.statement}"
    if level_db < SEND_MIN_DB:
        strip.note("no reverb", reason, rule)
        return
    strip.send_db = level_db
    strip.note(f"send to {REVERB_BUS} {level_db:g} dB", reason, rule, width_db=strip.heard.width_db)
