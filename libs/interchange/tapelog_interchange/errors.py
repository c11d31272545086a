"""What can go wrong with a foreign file, as one small tree: what is wrong, why, and what to do."""


class InterchangeError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes
    ----------
    reason : str
        Stable code in upper snake case, such as ``ARCHIVE_REFUSED``.
    problem : str
        What is wrong, with the value and the limit.
    remedy : str
        What to do about it.
    """

    def __init__(self, reason: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.reason = reason
        self.problem = problem
        self.remedy = remedy


class RefusedError(InterchangeError):
    """Raised when a file is hostile, too large, or breaks the rules of its format."""


class NotPossibleError(InterchangeError):
    """Raised when what is asked for cannot be expressed in the format."""
