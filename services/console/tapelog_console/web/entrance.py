"""Signing in and out."""

from aiohttp import web

from tapelog_console.errors import SignInRefused

from .context import PERSON, console_of, page, person_of


async def show_sign_in(request: web.Request) -> web.StreamResponse:
    """Show the sign-in page; its script takes the code from behind the `#` of the link."""
    if request[PERSON] is not None and "again" not in request.query:
        raise web.HTTPSeeOther("/")
    return page(request, "sign_in")


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Exchange a code for a session."""
    console = console_of(request)
    form = await request.post()
    code = str(form.get("code", "")).strip().rpartition("#")[2]
    if not code:
        raise SignInRefused("There is no code in the form.")
    principal = console.sign_in.exchange(code)
    person = console.cookies.begin(principal.tenant, principal.party, tuple(sorted(principal.tenant_roles)))
    response = web.Response(status=303, headers={"Location": "/"})
    response.set_cookie(
        console.cookies.session_name,
        console.cookies.write(person),
        httponly=True,
        samesite="Lax",
        secure=console.is_secure,
    )
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session, here and wherever its cookie was copied to."""
    console = console_of(request)
    person = person_of(request)
    console.spent.add(f"session:{person.session}", person.expires_s)
    response = web.Response(status=303, headers={"Location": "/sign-in"})
    response.del_cookie(console.cookies.session_name, httponly=True, samesite="Lax", secure=console.is_secure)
    return response
