"""The page of alerts: what is open, what rules look for it, and what people do about both."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web
from tapelog_client import Tapelog
from tapelog_client.errors import PermissionDenied

from tapelog_console.errors import BadForm, NoSuchPage
from tapelog_console.reading.alerts import PRESETS, WAIT_MAX, read_alerts

from .context import api_of, console_of, page, person_of
from .forms import Form

HOURS: Final = (1, 8, 24, 72, 168)
"""For how long an alert can be made silent from the page."""


async def show(request: web.Request) -> web.StreamResponse:
    """Show the tenant's alerts and rules, to those who may read them."""
    person = person_of(request)
    names = await console_of(request).people.names(api_of(request), person.tenant, {person.party})
    _, done = ACTIONS.get(request.query.get("done", ""), (None, ""))
    shows_all = "all" in request.query
    try:
        read = await read_alerts(api_of(request), resolved=shows_all, with_songs=True)
    except PermissionDenied as refused:
        return page(request, "alerts", read=None, refusal=refused.message, names=names, done="")
    return page(
        request, "alerts", read=read, refusal="", names=names, done=done, shows_all=shows_all, presets=PRESETS,
        hours=HOURS,
    )  # fmt: skip


async def _snooze(api: Tapelog, form: Form) -> None:
    hours = form.number("hours")
    if hours not in HOURS:
        raise BadForm(f"Silent for {hours} h is not one of the choices.")
    until = datetime.now(UTC) + timedelta(hours=hours)
    await api.alerts.snooze(_alert(form), until, form.text("text", required=False), request_id=form.request_id)


async def _resolve(api: Tapelog, form: Form) -> None:
    await api.alerts.resolve(_alert(form), form.text("text", required=False), request_id=form.request_id)


async def _add(api: Tapelog, form: Form) -> None:
    preset = PRESETS.get(form.text("preset"))
    if preset is None:
        raise BadForm("There is no such rule to make.")
    number = form.number("number", default=preset.number)
    if preset.unit and not 1 <= number <= (most := WAIT_MAX // preset.unit_time):
        raise BadForm(f"{number} {preset.unit} is not between 1 and {most}.")
    await api.alerts.create_rule(preset.rule(number), request_id=form.request_id)


async def _remove(api: Tapelog, form: Form) -> None:
    await api.alerts.delete_rule(f"alertRules/{form.text('rule')}", request_id=form.request_id)


def _alert(form: Form) -> str:
    return f"alerts/{form.text('alert')}"


ACTIONS: Final[Mapping[str, tuple[Callable[[Tapelog, Form], Awaitable[None]], str]]] = {
    "snooze": (_snooze, "The alert is silent for a while."),
    "resolve": (_resolve, "The alert is over. What its rule finds next raises it anew."),
    "add-rule": (_add, "The rule looks at what happens from now on."),
    "remove-rule": (_remove, "The rule is removed."),
}
"""Every action: what it does, and what is said when it is done."""


async def act(request: web.Request) -> web.StreamResponse:
    """Do one action, then show the alerts again."""
    name = request.match_info["action"]
    if name not in ACTIONS:
        raise NoSuchPage("There is no such action.")
    form = Form(await request.post())
    await ACTIONS[name][0](api_of(request), form)
    shown = "&all" if form.text("show_all", required=False) else ""
    raise web.HTTPSeeOther(f"/alerts?done={name}{shown}")
