"""`tapelog usage …`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Party, Tenant, data_dir_or_default


async def statement(
    account: Annotated[str, Parameter(help="Usage account: the project id.")],
    *,
    party: Party,
    start: Annotated[datetime, Parameter(help="The period begins with this time (UTC).")],
    end: Annotated[datetime, Parameter(help="The period ends before this time (UTC).")],
    rates: Annotated[list[Path], Parameter(help="Rate card (YAML); may be given again.", negative=())],
    format: Annotated[  # noqa: A002 - the option's name
        Literal["csv", "json"], Parameter(help="Form of the invoice.")
    ] = "json",
    tenant_role: Annotated[
        tuple[str, ...], Parameter(help="Role in the whole tenant under which to read.", negative=())
    ] = ("BILLING_READER",),
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> int:
    """Price what an account used in a period and print it; each line names the events behind it."""
    from tapelog_client import Tapelog
    from tapelog_client.rates import invoice_as_csv, invoice_as_json, load_rate_cards, price

    cards = load_rate_cards(rates)
    folder = data_dir_or_default(data_dir)
    async with Tapelog.local(folder, party=party, tenant=tenant, tenant_roles=tenant_role) as api:
        found = await api.usage.statement(account, _utc(start), _utc(end))
    invoice = price(found, cards)
    sys.stdout.write(invoice_as_csv(invoice) if format == "csv" else invoice_as_json(invoice))
    return ExitCode.OK


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
