"""`tapelog usage …`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode

_NOBODY = Connection()


async def statement(
    account: Annotated[str, Parameter(help="Usage account: the project id.")],
    *,
    start: Annotated[datetime, Parameter(help="The period begins with this time (UTC).")],
    end: Annotated[datetime, Parameter(help="The period ends before this time (UTC).")],
    rates: Annotated[list[Path], Parameter(help="Rate card (YAML); may be given again.", negative=())],
    format: Annotated[  # noqa: A002 - the option's name
        Literal["csv", "json"], Parameter(help="Form of the invoice.")
    ] = "json",
    connection: Connection = _NOBODY,
    json: Annotated[bool, Parameter(name="--json", negative="", help="The same as --format json.")] = False,
) -> int:
    """Price what an account used in a period and print it; each line names the events behind it."""
    from tapelog_client.rates import invoice_as_csv, invoice_as_json, load_rate_cards, price

    cards = load_rate_cards(rates)
    async with connection.open(default_roles=("BILLING_READER",)) as api:
        found = await api.usage.statement(account, _utc(start), _utc(end))
    invoice = price(found, cards)
    sys.stdout.write(invoice_as_csv(invoice) if format == "csv" and not json else invoice_as_json(invoice))
    return ExitCode.OK


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
