"""Rate cards and invoices: money by hand against money by code."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tapelog.render.v1 import resources_pb2 as res
from tapelog_client.rates import RateCardError, invoice_as_csv, invoice_as_json, load_rate_cards, parse_rate_card, price

CARDS = sorted((Path(__file__).parents[3] / "examples" / "billing").glob("rate-card-*.yaml"))


def line(
    kind: str, ms: int, settled: str, *, class_: str = "STANDARD", adjusted: str = "", job: str = "job-1"
) -> res.StatementLine:
    """Return a line; an adjustment where a time of it is given."""
    made = res.StatementLine(
        kind="STATEMENT_LINE_KIND_ADJUSTMENT" if adjusted else "STATEMENT_LINE_KIND_RENDER",
        render_kind=f"RENDER_KIND_{kind}",
        priority_class=f"PRIORITY_CLASS_{class_}",
        quantity_ms=ms,
        job=job,
        song="sng-1",
        event_ids=["evt-a", "evt-b"],
    )
    made.settle_time.FromDatetime(datetime.fromisoformat(settled))
    made.time.FromDatetime(datetime.fromisoformat(adjusted or settled))
    return made


def statement(*lines: res.StatementLine) -> res.Statement:
    """Return a statement of 2026."""
    made = res.Statement(account="prj-1", lines=lines, is_final=True, account_sequence=9)
    made.start_time.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    made.end_time.FromDatetime(datetime(2027, 1, 1, tzinfo=UTC))
    return made


def test_each_line_has_the_price_of_when_it_was_settled() -> None:
    """A master of June costs the old price, one of July the new; an August correction of June's takes the old one."""
    invoice = price(
        statement(
            line("MASTER", 210_000, "2026-06-30T23:59:59+00:00"),
            line("MASTER", 210_000, "2026-07-01T00:00:00+00:00"),
            line("MASTER", -60_000, "2026-06-30T23:59:59+00:00", adjusted="2026-08-02T00:00:00+00:00"),
            line("MIX", 90_000, "2026-07-02T00:00:00+00:00", class_="INTERACTIVE"),
            line("ALTERNATE", 100, "2026-07-02T00:00:00+00:00", class_="BULK"),
        ),
        load_rate_cards(CARDS),
    )
    # 3.5 min x 1.20; 3.5 min x 1.50; -1 min x 1.20; 1.5 min x 0.80 x 1.5; 0.1 s x 0.40 x 0.5 / 60 = 0.0003.
    assert [str(item.amount) for item in invoice.lines] == ["4.20", "5.25", "-1.20", "1.80", "0.00"]
    assert invoice.total == Decimal("10.05")


def test_halves_are_rounded_to_even_and_lines_add_up() -> None:
    """Half a cent goes to the even cent, so that many of them even out; the total is the sum of what is shown."""
    card = parse_rate_card("{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: '0.30'}}")
    invoice = price(statement(*(line("MIX", ms, "2026-02-01T00:00:00+00:00") for ms in (1000, 3000, 5000))), [card])
    assert [str(item.amount) for item in invoice.lines] == ["0.00", "0.02", "0.02"]
    assert invoice.total == Decimal("0.04")


def test_exports_say_the_same_and_name_the_events() -> None:
    """CSV and JSON have the same rows; amounts are text; a cell may hold anything."""
    odd = line("MIX", 60_000, "2026-02-01T00:00:00+00:00")
    odd.external_ref = 'PO "7",\nsecond line'
    invoice = price(statement(odd), load_rate_cards(CARDS))
    (row,) = csv.DictReader(io.StringIO(invoice_as_csv(invoice), newline=""))
    found = json.loads(invoice_as_json(invoice))
    assert row["external_ref"] == found["lines"][0]["external_ref"] == 'PO "7",\nsecond line'
    assert (row["amount"], found["lines"][0]["amount"], found["total"]) == ("0.80", "0.80", "0.80")
    assert row["event_ids"].split() == found["lines"][0]["event_ids"] == ["evt-a", "evt-b"]
    assert row["rate_card"] == "example-studio-2026-1"


def test_a_line_without_a_price_is_refused_not_guessed() -> None:
    """Before the first card, and for a kind that the card lacks, there is no invoice."""
    cards = load_rate_cards(CARDS)
    with pytest.raises(RateCardError, match="no rate card is valid at 2025-12-31"):
        price(statement(line("MIX", 1, "2025-12-31T23:59:59+00:00")), cards)
    card = parse_rate_card("{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: '1'}}")
    with pytest.raises(RateCardError, match="no price for master"):
        price(statement(line("MASTER", 1, "2026-02-01T00:00:00+00:00")), [card])


@pytest.mark.parametrize(
    "text",
    [
        "just words",
        "{id: a}",
        "{id: a, currency: EUR, valid_from: soon, per_minute: {mix: '1'}}",
        "{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: '-1'}}",
        "{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mxi: '1'}}",
        "{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: NaN}}",
        "{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: x}}",
        "{id: a, currency: EUR, valid_from: 2026-01-01, per_minute: {mix: 1}, rounding: 0}",
    ],
)
def test_a_wrong_card_is_refused(text: str) -> None:
    """A card that could price wrongly prices nothing."""
    with pytest.raises(RateCardError):
        parse_rate_card(text)
