"""`tapelog alert …`: rules, and what they raised."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json

if TYPE_CHECKING:
    from tapelog.notify.v1 import alerts_pb2

ROLES = ("ADMIN",)
Name = Annotated[str, Parameter(help="alerts/{alert}, or its id.")]
Reason = Annotated[str, Parameter(help="Why, in words.")]
_NOBODY = Connection()


async def list_(
    *,
    resolved: Annotated[bool, Parameter(negative="", help="Resolved ones too.")] = False,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List the open alerts, newest first."""
    from tapelog_cli.printed.output import out, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open(default_roles=ROLES) as api:
        found = await api.alerts.open_alerts(show_resolved=resolved)
    if json:
        print_json([as_dict(alert) for alert in found])
        return ExitCode.OK
    rows = table("name", "state", "severity", "title", "about", "raised", "text")
    for alert in found:
        severity = _word("AlertSeverity", alert.severity, "ALERT_SEVERITY_")
        state = _word("AlertState", alert.state, "ALERT_STATE_")
        rows.add_row(alert.name, state, severity, alert.title, alert.key, str(alert.raised), alert.text)
    out().print(rows)
    return ExitCode.OK


async def rules(*, connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the alert rules, oldest first."""
    from tapelog_cli.printed.output import out, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open(default_roles=ROLES) as api:
        found = await api.alerts.rules()
    if json:
        print_json([as_dict(rule) for rule in found])
        return ExitCode.OK
    rows = table("name", "severity", "title", "events")
    for rule in found:
        severity = _word("AlertSeverity", rule.severity, "ALERT_SEVERITY_")
        rows.add_row(rule.name, severity, rule.title, ", ".join(rule.filter.types))
    out().print(rows)
    return ExitCode.OK


async def add(
    file: Annotated[Path, Parameter(help="YAML list of rules, such as examples/alerts/rules.yaml.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Create the rules of a file; events from now on count."""
    from tapelog_client.alerts import load_rules

    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    wanted = load_rules(file)
    async with connection.open(default_roles=ROLES) as api:
        made = [await api.alerts.create_rule(rule) for rule in wanted]
    if json:
        print_json([as_dict(rule) for rule in made])
    else:
        for rule in made:
            out().print(f"{rule.name}: {rule.title}", markup=False)
    return ExitCode.OK


async def remove(
    name: Annotated[str, Parameter(help="alertRules/{rule}, or its id.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Remove an alert rule."""
    from tapelog_cli.printed.output import tell_removed

    rule = name if "/" in name else f"alertRules/{name}"
    async with connection.open(default_roles=ROLES) as api:
        await api.alerts.delete_rule(rule)
    return tell_removed(rule, json=json)


async def send(
    title: Annotated[str, Parameter(help="Title to show.")] = "",
    *,
    slack: Annotated[str, Parameter(env_var="TAPELOG_SLACK_URL", help="Incoming webhook of a channel.")] = "",
    email: Annotated[
        list[str] | None, Parameter(negative=(), help="Who gets mail; may be given again. Notify needs a mail server.")
    ] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Have alerts sent to a Slack-compatible channel, or by e-mail; `tapelog subscription` pauses and removes it."""
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    if bool(slack) == bool(email):
        raise UsageError("it is not plain where alerts go", hint="give --slack URL, or --email ADDRESS")
    async with connection.open(default_roles=ROLES) as api:
        made = await api.alerts.to_slack(title, slack) if slack else await api.alerts.to_email(title, email or ())
    if json:
        print_json(as_dict(made))
    else:
        out().print(f"{made.name}: alerts go to {made.slack.host or ', '.join(email or ())}", markup=False)
    return ExitCode.OK


async def snooze(
    name: Name,
    *,
    hours: Annotated[float, Parameter(help="For how long.")] = 24.0,
    reason: Reason = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Make an open alert silent for a while."""
    until = datetime.now(UTC) + timedelta(hours=hours)
    async with connection.open(default_roles=ROLES) as api:
        return _tell(await api.alerts.snooze(_full(name), until, reason), json=json)


async def resolve(name: Name, *, reason: Reason = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """Say that an alert is over; the next matching event raises it anew."""
    async with connection.open(default_roles=ROLES) as api:
        return _tell(await api.alerts.resolve(_full(name), reason), json=json)


def _tell(alert: "alerts_pb2.Alert", *, json: bool) -> int:
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    if json:
        print_json(as_dict(alert))
    else:
        out().print(f"{alert.name}: {_word('AlertState', alert.state, 'ALERT_STATE_')}", markup=False)
    return ExitCode.OK


def _full(name: str) -> str:
    return name if "/" in name else f"alerts/{name}"


def _word(enum: str, value: int, prefix: str) -> str:
    from tapelog.notify.v1 import alerts_pb2

    name: str = getattr(alerts_pb2, enum).Name(value)
    return name.removeprefix(prefix)
