"""What can go wrong inside the notify service between its parts; callers see the chassis' errors."""


class NotifyServiceError(Exception):
    """Root of these errors."""


class FenceLost(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """Something else was written to the public stream since it was last read: read its end again."""


class PublishUnknown(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """The public stream did not answer in time: what was published may be there or not."""


class PublishRefused(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """The public stream does not take the message, such as when it is full; nothing was written."""


class ProjectionLost(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """The public stream went back behind what was already published: it was restored or damaged."""


class CursorAhead(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """A reader's position lies behind the end of the public stream, which was rolled back or restored."""

    def __init__(self, position: int, last: int) -> None:
        super().__init__(
            f"position {position} is not in the stream, which ends at {last}: if it was once, the stream was restored "
            "from an older copy, and what is published next takes the same positions"
        )
        self.position = position
        self.last = last


class SecretUnreadable(NotifyServiceError):  # noqa: N818 - named after the state it reports
    """A subscription's secret is missing, or was encrypted with another key."""
