"""`tapelog subscription …`: who gets which events, and what became of them."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, JsonLines
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.filters import Chosen

if TYPE_CHECKING:
    from tapelog.notify.v1 import resources_pb2 as res

ROLES = ("ADMIN",)
Name = Annotated[str, Parameter(help="subscriptions/{subscription}, or its id.")]
_NOBODY = Connection()
_ALL = Chosen()


async def list_(*, connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the tenant's subscriptions, oldest first."""
    from tapelog_cli.printed.output import out, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open(default_roles=ROLES) as api:
        found = [subscription async for subscription in api.subscriptions.list()]
    if json:
        print_json([as_dict(subscription) for subscription in found])
        return ExitCode.OK
    rows = table("name", "title", "state", "to", "delivered", "last error")
    for item in found:
        position = str(item.delivered_position)
        rows.add_row(item.name, item.title, _state(item), _target(item), position, item.last_error)
    out().print(rows)
    return ExitCode.OK


async def create(
    title: Annotated[str, Parameter(help="Title to show.")] = "",
    *,
    url: Annotated[str, Parameter(help="Webhook: where to POST. Without it, a NATS consumer is made.")] = "",
    secret: Annotated[
        str, Parameter(env_var="TAPELOG_WEBHOOK_SECRET", help="Webhook: your own signing secret, whsec_…")
    ] = "",
    unordered: Annotated[bool, Parameter(negative="", help="Webhook: deliver each event by itself.")] = False,
    from_: Annotated[
        int | None, Parameter(name="--from", help="Begin after this position; 0 is from the first event.")
    ] = None,
    request_id: Annotated[str, Parameter(help="UUID that makes a repeat the same request.")] = "",
    chosen: Chosen = _ALL,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Create a webhook or a NATS consumer; its secret or credentials are printed now and never again."""
    from tapelog.notify.v1 import resources_pb2 as res

    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    start = None if from_ is None else res.StartPosition(after_position=from_)
    events = chosen.as_filter()
    async with connection.open(default_roles=ROLES) as api:
        made = (
            await api.subscriptions.create_webhook(
                title, url, events=events, start=start, secret=secret, unordered=unordered, request_id=request_id
            )
            if url
            else await api.subscriptions.create_nats(title, events=events, start=start, request_id=request_id)
        )
    if json:
        print_json(as_dict(made))
        return ExitCode.OK
    console = out()
    console.print(f"{made.subscription.name}: {_target(made.subscription)}", markup=False)
    for shown in (made.secret, made.nats_url, made.nats_inbox_prefix, made.nats_credentials):
        if shown:
            console.print(shown, markup=False, soft_wrap=True)
    return ExitCode.OK


async def pause(
    name: Name,
    *,
    reason: Annotated[str, Parameter(help="Why.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Pause delivery; nothing is lost."""
    async with connection.open(default_roles=ROLES) as api:
        return _tell(await api.subscriptions.pause(_full(name), reason), json=json)


async def resume(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Go on where delivery stopped."""
    async with connection.open(default_roles=ROLES) as api:
        return _tell(await api.subscriptions.resume(_full(name)), json=json)


async def delete(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Remove a subscription and its consumer."""
    from tapelog_cli.printed.output import tell_removed

    async with connection.open(default_roles=ROLES) as api:
        await api.subscriptions.delete(_full(name))
    return tell_removed(_full(name), json=json)


async def rotate(
    name: Name,
    *,
    overlap_s: Annotated[float, Parameter(help="Seconds for which the old secret signs too.")] = 86_400.0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Replace a webhook's signing secret; the new one is printed now and never again."""
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open(default_roles=ROLES) as api:
        made = await api.subscriptions.rotate_secret(_full(name), overlap_s=overlap_s)
    if json:
        print_json(as_dict(made))
    else:
        out().print(made.secret, markup=False)
    return ExitCode.OK


async def post_test(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Post a test delivery and say what became of it; ends with 1 where it was not accepted."""
    async with connection.open(default_roles=ROLES) as api:
        return _tell_deliveries([await api.subscriptions.test(_full(name))], json=json)


async def redeliver(
    name: Name,
    position: Annotated[int, Parameter(help="Position of the event.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Post one event again and say what became of it; ends with 1 where it was not accepted."""
    async with connection.open(default_roles=ROLES) as api:
        return _tell_deliveries([await api.subscriptions.redeliver(_full(name), position)], json=json)


async def replay(
    name: Name,
    *,
    from_: Annotated[int, Parameter(name="--from", help="Begin after this position; 0 is from the first event.")],
    to: Annotated[
        int | None, Parameter(name="--to", help="End with this position. Default: the last there is.")
    ] = None,
    chosen: Chosen = _ALL,
    connection: Connection = _NOBODY,
    json: JsonLines = False,  # noqa: ARG001 - said on the command line alone
) -> int:
    """Post a range of events again; prints each as a JSON line, ends with 1 at one that failed for good."""
    from tapelog_cli.printed.output import print_json_line
    from tapelog_cli.printed.shapes import as_dict

    is_whole = False
    async with connection.open(default_roles=ROLES) as api:
        answers = api.subscriptions.replay(
            _full(name), after_position=from_, end_position=to, events=chosen.as_filter()
        )
        async with aclosing(answers) as stream:
            async for answer in stream:
                is_whole = not answer.HasField("delivery")
                if not is_whole:
                    print_json_line(as_dict(answer.delivery))
    return ExitCode.OK if is_whole else ExitCode.FAILURE


async def deliveries(
    name: Name,
    *,
    count: Annotated[int, Parameter(help="At most this many.")] = 20,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List the newest delivery attempts of a webhook, newest first."""
    found = []
    async with connection.open(default_roles=ROLES) as api:
        async for delivery in api.subscriptions.deliveries(_full(name)):
            found.append(delivery)
            if len(found) >= count:
                break
    _tell_deliveries(found, json=json, is_list=True)
    return ExitCode.OK


def _tell(subscription: "res.Subscription", *, json: bool) -> int:
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    if json:
        print_json(as_dict(subscription))
    else:
        out().print(f"{subscription.name}: {_state(subscription)}", markup=False)
    return ExitCode.OK


def _tell_deliveries(found: "list[res.Delivery]", *, json: bool, is_list: bool = False) -> int:
    from tapelog_cli.printed.output import out, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    if json:
        shown: Any = [as_dict(delivery) for delivery in found]
        print_json(shown if is_list else shown[0])
    else:
        rows = table("at", "position", "type", "attempt", "status", "ms", "error")
        for item in found:
            at = item.time.ToJsonString()
            status, ms = str(item.response_status or "-"), f"{item.latency_ms:.1f}"
            rows.add_row(at, str(item.position), item.event_type, str(item.attempt), status, ms, item.error)
        out().print(rows)
    return ExitCode.FAILURE if any(delivery.error for delivery in found) else ExitCode.OK


def _full(name: str) -> str:
    return name if "/" in name else f"subscriptions/{name}"


def _state(subscription: "res.Subscription") -> str:
    from tapelog.notify.v1 import resources_pb2 as res

    return word_of(res.SubscriptionState, subscription.state)


def _target(subscription: "res.Subscription") -> str:
    match subscription.WhichOneof("channel"):
        case "webhook":
            return subscription.webhook.url
        case "slack":
            return f"slack at {subscription.slack.host}"
        case "email":
            return f"e-mail to {subscription.email.recipients}"
    return f"NATS consumer {subscription.nats.consumer}"
