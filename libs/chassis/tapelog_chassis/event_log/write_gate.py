"""A log that answers no append refuses the next ones at once, instead of letting each wait in vain for its own time."""

import time
from typing import Final

from .errors import LogUnavailable

CLOSED_AFTER_S: Final = 4.0
"""Two tries of an append without an answer; a broker that is started again takes less."""
TRY_EVERY_S: Final = 1.0
"""One append in so many seconds goes through a closed gate, to find out."""
FORGOTTEN_AFTER_S: Final = 15.0
"""Nobody has tried for so long: what was found out then says nothing about now."""


class WriteGate:
    """Knows since when each context's stream leaves appends unanswered.

    A refusal by the broker is an answer, and opens the gate as a success does.

    Parameters
    ----------
    closed_after_s
        How long a stream may leave appends unanswered until the gate closes.
    """

    def __init__(self, closed_after_s: float = CLOSED_AFTER_S) -> None:
        self._closed_after_s = closed_after_s
        self._since_s: dict[str, float] = {}
        self._tried_s: dict[str, float] = {}

    def unanswered_since_s(self) -> float:
        """Return since when the longest of the streams answers nothing, by the monotonic clock; 0 when all do."""
        now_s = time.monotonic()
        for context, tried_s in tuple(self._tried_s.items()):
            if now_s - tried_s > FORGOTTEN_AFTER_S:
                self.answered(context)
        return min(self._since_s.values(), default=0.0)

    def is_closed(self, context: str) -> bool:
        """Say whether the stream has left appends unanswered for long."""
        since_s = self._since_s.get(context)
        return since_s is not None and time.monotonic() - since_s >= self._closed_after_s

    def enter(self, context: str) -> None:
        """Begin an append.

        Raises
        ------
        LogUnavailable
            The gate is closed, and another append tries already. Nothing was stored.
        """
        now_s = time.monotonic()
        tried_s = self._tried_s.get(context, 0.0)
        if self.is_closed(context) and now_s - tried_s < TRY_EVERY_S:
            raise LogUnavailable(
                f"the {context} log has answered no append for {now_s - self._since_s[context]:.1f} s; nothing was "
                "stored. Is the broker up, is its disk full?"
            )
        self._tried_s[context] = now_s

    def answered(self, context: str) -> None:
        """Note an answer of the broker."""
        self._since_s.pop(context, None)
        self._tried_s.pop(context, None)

    def unanswered(self, context: str, begun_s: float) -> None:
        """Note that a try that began then got no answer."""
        self._since_s.setdefault(context, begun_s)
        self._tried_s[context] = time.monotonic()
