"""What can go wrong on the review page's own side; what a service refused is in `tapelog_client.errors`."""

from typing import ClassVar


class ConsoleError(Exception):
    """Base of the page's errors.

    Parameters
    ----------
    message : str
        What is wrong, for the person.
    hint : str
        What to do next; empty takes the class's own.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = "That did not work"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class NotSignedIn(ConsoleError):  # noqa: N818 - names a state
    """The page is for people who are signed in."""

    status = 401
    title = "Please sign in"
    default_hint = "Open the sign-in link that `tapelog sign-in PARTY` prints."


class SignInRefused(ConsoleError):  # noqa: N818 - names a state
    """The sign-in code is not good, or not good any more."""

    status = 401
    title = "This sign-in link is not valid"
    default_hint = "Links work once and for fifteen minutes: ask for a new one with `tapelog sign-in PARTY`."


class ForgedForm(ConsoleError):  # noqa: N818 - names a state
    """A form came from elsewhere, or from a page of another session."""

    status = 403
    title = "This form is out of date"
    default_hint = "Go back, load the page again and send it once more. Nothing was changed."


class WrongHost(ConsoleError):  # noqa: N818 - names a state
    """The page was asked for under a name that is not its own."""

    status = 421
    title = "Not this address"
    default_hint = "Use the address that `tapelog up` prints, or set TAPELOG_PUBLIC_URL."


class BadForm(ConsoleError):  # noqa: N818 - names a state
    """A field of a form is wrong."""

    title = "Please check the form"
    default_hint = "Correct the field and send it again. Nothing was changed."


class FormTooLarge(ConsoleError):  # noqa: N818 - names a state
    """A form is larger than any that this page has."""

    status = 413
    title = "Too much text"
    default_hint = "Go back and shorten it. Nothing was changed."


class NoSuchPage(ConsoleError):  # noqa: N818 - names a state
    """There is nothing at this address."""

    status = 404
    title = "There is nothing here"
    default_hint = "Go back to the board and open the song from there."


class TooManyConnections(ConsoleError):  # noqa: N818 - names a state
    """A limit of open connections is reached."""

    status = 429
    title = "Too much open at once"
    default_hint = "Close other pages of the console and load this one again in a moment."


class ReportNotMade(ConsoleError):  # noqa: N818 - names a state
    """A report could not be made."""

    status = 503
    title = "There is no report now"
    default_hint = "Try again in a moment, or make it with `tapelog report`."
