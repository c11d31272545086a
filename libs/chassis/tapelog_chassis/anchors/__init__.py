"""Heads of the log, remembered outside of the broker: what was there once and is not any more is noticed."""

from .digest import Rolling
from .guard import LogGuard
from .journal import Anchor, AnchorJournal, journal_path, read_journal, rotate_anchor_key
from .signing import AnchorKey, AnchorVerifier

__all__ = [
    "Anchor",
    "AnchorJournal",
    "AnchorKey",
    "AnchorVerifier",
    "LogGuard",
    "Rolling",
    "journal_path",
    "read_journal",
    "rotate_anchor_key",
]
