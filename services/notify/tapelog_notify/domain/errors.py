"""What the notify service's domain refuses, and why; messages name the value, the limit and what to do."""


class NotifyError(Exception):
    """Root of this package's errors."""


class InvalidValue(NotifyError, ValueError):  # noqa: N818 - names what is wrong
    """A field of a subscription breaks a rule.

    Attributes
    ----------
    field
        Its path in the subscription, such as `filter.types[2]`.
    reason
        Stable code for programs.
    """

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = reason
        self.description = message


class UnknownSubscription(NotifyError):  # noqa: N818 - names what is wrong
    """There is no such subscription, or it was deleted."""


class WrongState(NotifyError):  # noqa: N818 - names what is wrong
    """The subscription is in a state that does not allow the command.

    Attributes
    ----------
    state
        Where it stands.
    """

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


class UnknownResource(NotifyError):  # noqa: N818 - names what is wrong
    """There is no such alert or alert rule, or it was deleted."""
