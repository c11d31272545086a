"""Errors as pages: what happened, what every condition is, and what to do."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from tapelog_client.client_errors import ClientError
from tapelog_client.errors import Internal, TapelogApiError

from tapelog_console.errors import ConsoleError

from .context import page

STATUSES: Final = {
    "INVALID_ARGUMENT": (400, "That cannot be done like this"),
    "UNAUTHENTICATED": (401, "Please sign in again"),
    "PERMISSION_DENIED": (403, "Your role does not allow this"),
    "NOT_FOUND": (404, "There is nothing here"),
    "ALREADY_EXISTS": (409, "This exists already"),
    "ABORTED": (409, "Somebody else was faster"),
    "FAILED_PRECONDITION": (409, "Something has to happen first"),
    "OUT_OF_RANGE": (400, "That does not exist"),
    "RESOURCE_EXHAUSTED": (429, "Too much at once"),
    "UNAVAILABLE": (503, "A service does not answer"),
    "DEADLINE_EXCEEDED": (504, "No answer in time"),
}
HINTS: Final = {
    "PERMISSION_DENIED": "Ask the studio producer of the project: they give roles.",
    "NOT_FOUND": "It does not exist, or you are not on its project. Go back to the board.",
    "ABORTED": "Load the page again and look at what changed before you repeat it.",
    "UNAVAILABLE": "Nothing is lost. Wait a moment and load the page again.",
    "DEADLINE_EXCEEDED": "It may have taken effect: load the page again before you repeat it.",
    "FAILED_PRECONDITION": "Everything that is missing is listed; do that first.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error page says.

    Attributes
    ----------
    status : int
    title, message, hint : str
    details : tuple of (code, text)
        Every condition or field that is wrong.
    error_id : str
        Finds an unexpected error in the log.
    """

    status: int
    title: str
    message: str
    hint: str
    details: tuple[tuple[str, str], ...] = ()
    error_id: str = ""


def problem_of(error: Exception, error_id: str = "") -> Problem:
    """Return what to tell about an error; nothing of an unexpected one but its id."""
    if isinstance(error, ConsoleError):
        return Problem(error.status, error.title, error.message, error.hint)
    if isinstance(error, TapelogApiError) and not isinstance(error, Internal):
        code = error.code.name
        status, title = STATUSES.get(code, (502, "A service refused"))
        details = tuple((violation.type, violation.description) for violation in error.violations)
        details += tuple((field.field, field.description) for field in error.fields)
        return Problem(status, title, error.message, HINTS.get(code, error.hint), details)
    if isinstance(error, TapelogApiError):
        error_id = error.metadata.get("error_id", error_id)
    if isinstance(error, ClientError):
        return Problem(502, "A service cannot be reached", str(error), error.hint)
    return Problem(
        500,
        "Something broke on our side",
        "The page could not be made. Nothing you entered was changed half-way.",
        "Load the page again; if it stays, give this number to whoever runs the system.",
        error_id=error_id,
    )


def problem_page(request: web.Request, error: Exception, error_id: str = "") -> web.Response:
    """Return the page of an error."""
    problem = problem_of(error, error_id)
    response = page(request, "problem", status=problem.status, problem=problem)
    if problem.status in (429, 503):
        response.headers["Retry-After"] = "5"
    return response
