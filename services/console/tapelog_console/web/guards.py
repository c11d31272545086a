"""What stands before every handler: headers, the right host, who is signed in, no forged form, errors as pages."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from tapelog_client.client_errors import ClientError
from tapelog_client.errors import TapelogApiError

from tapelog_console.errors import ConsoleError, ForgedForm, FormTooLarge, NoSuchPage, NotSignedIn, WrongHost

from .context import PERSON, VISIT, console_of
from .problems import problem_page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a form's field
FORM_BYTES_MAX: Final = 64 * 1024
"""A form is a few texts of at most 2,000 characters."""
BEGUN: Final = "begun"
"""Key of a request whose answer is on its way."""
SAFE_METHODS: Final = ("GET", "HEAD")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_log = structlog.get_logger(__name__)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer carries; pages are never stored, they are about somebody."""
    request[BEGUN] = True
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if console_of(request).is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"


@web.middleware
async def errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into a page that says what to do."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return problem_page(request, _as_problem(answer))
    except Exception as error:
        error_id = ""
        if not isinstance(error, (ConsoleError, TapelogApiError, ClientError)):
            error_id = secrets.token_hex(4)
            _log.exception("a page failed", error_id=error_id, path=request.path)
        if request.get(BEGUN):  # too late for a page: end the connection, so that nobody takes a part for the whole
            if request.transport is not None:
                request.transport.abort()
            raise
        return problem_page(request, error, error_id=error_id)


def _as_problem(answer: web.HTTPException) -> ConsoleError:
    """Return what to tell about an answer of the web framework."""
    if isinstance(answer, web.HTTPRequestEntityTooLarge):
        return FormTooLarge(f"The form is larger than {FORM_BYTES_MAX // 1024} KiB.")
    return NoSuchPage("There is no such page, or it is not to be asked like this.")


@web.middleware
async def right_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse names that are not this page's own, so that no other site's name can be pointed at it."""
    if request.host.lower() not in console_of(request).hosts:
        raise WrongHost(f"This page does not answer to {request.host[:100]!r}.")
    return await handler(request)


@web.middleware
async def known_person(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read who is signed in; give everybody else a visitor's cookie, which the sign-in form is bound to."""
    console = console_of(request)
    person = console.cookies.read(request.cookies.get(console.cookies.session_name, ""))
    if person is not None and f"session:{person.session}" in console.spent:
        person = None
    request[PERSON] = person
    if person is not None:
        request[VISIT] = person.session
        return await handler(request)
    visitor = request.cookies.get(console.cookies.visitor_name, "")
    request[VISIT] = visitor if 16 <= len(visitor) <= 64 else secrets.token_urlsafe(16)
    response = await handler(request)
    if visitor != request[VISIT] and not response.prepared:
        response.set_cookie(
            console.cookies.visitor_name, request[VISIT], httponly=True, samesite="Strict", secure=console.is_secure
        )
    return response


@web.middleware
async def no_forged_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a form in only from a page of this visit."""
    if request.method in SAFE_METHODS:
        return await handler(request)
    origin = request.headers.get("Origin", "")
    if origin and urlsplit(origin).netloc.lower() not in console_of(request).hosts:
        raise ForgedForm("The form was sent from another site.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise ForgedForm("The form was sent from another site.")
    form = await request.post()
    if not console_of(request).cookies.is_form_token(request[VISIT], str(form.get(FORM_TOKEN, ""))):
        if request[PERSON] is None and request.path != "/sign-in":
            raise NotSignedIn("Your session is over. Nothing was changed.")
        raise ForgedForm("The form does not belong to your session. Nothing was changed.")
    return await handler(request)
