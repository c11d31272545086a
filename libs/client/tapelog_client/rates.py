"""Prices: versioned rate cards as data, and invoices made from statements. Money is in no event."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from tapelog.render.v1 import resources_pb2 as res

from tapelog_client.client_errors import ClientError

MS_PER_MINUTE: Final = 60_000
KINDS: Final = ("mix", "master", "alternate", "preview", "repair", "stems", "album")
CLASSES: Final = ("interactive", "standard", "bulk")
COLUMNS: Final = (
    "time", "line", "song", "render", "class", "cycle", "quantity_ms", "rate_card", "price_per_minute", "amount",
    "currency", "job", "external_ref", "reason", "event_ids",
)  # fmt: skip


class RateCardError(ClientError):
    """A rate card is wrong, or none covers a line."""

    hint = "examples/billing has rate cards to begin with"


@dataclass(frozen=True, slots=True)
class RateCard:
    """Prices from a time on.

    Attributes
    ----------
    id : str
        Names this version, such as `studio-2026-1`; a price that changes makes a new card.
    valid_from : datetime
        It prices what was settled from then until the next card's.
    per_minute : dict[str, Decimal]
        Price of a minute of output audio, by kind (`KINDS`); a kind without a price cannot be invoiced.
    class_factors : dict[str, Decimal]
        Multiplies the price, by priority class; 1 where none is given.
    rounding : Decimal
        Each line is rounded to this, halves to even.
    """

    id: str
    currency: str
    valid_from: datetime
    per_minute: dict[str, Decimal]
    class_factors: dict[str, Decimal]
    rounding: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A statement's line with its price."""

    line: res.StatementLine
    rate_card: str
    price_per_minute: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """A priced statement.

    Attributes
    ----------
    total : Decimal
        Sum of the lines as rounded: what is read adds up.
    """

    account: str
    start: datetime
    end: datetime
    currency: str
    lines: tuple[InvoiceLine, ...]
    total: Decimal
    is_final: bool
    account_sequence: int


def load_rate_cards(paths: Iterable[Path]) -> tuple[RateCard, ...]:
    """Read rate cards from YAML files, oldest first.

    Raises
    ------
    RateCardError
        A file is no rate card, two begin at the same time, or the currencies differ.
    """
    cards = sorted((parse_rate_card(path.read_text(), source=str(path)) for path in paths), key=lambda c: c.valid_from)
    if not cards:
        raise RateCardError("no rate card given")
    if len({card.valid_from for card in cards}) != len(cards):
        raise RateCardError("two rate cards are valid from the same time; give each its own")
    if len({card.currency for card in cards}) != 1:
        raise RateCardError("the rate cards have several currencies; price each currency by itself")
    return tuple(cards)


def parse_rate_card(text: str, *, source: str = "rate card") -> RateCard:
    """Read one rate card; raises `RateCardError`."""
    try:
        values: Any = yaml.safe_load(text)
        valid_from = values["valid_from"]
        time = valid_from if isinstance(valid_from, datetime) else datetime.fromisoformat(str(valid_from))
        card = RateCard(
            id=str(values["id"]),
            currency=str(values["currency"]),
            valid_from=time if time.tzinfo is not None else time.replace(tzinfo=UTC),
            per_minute={str(kind): Decimal(str(price)) for kind, price in values["per_minute"].items()},
            class_factors={str(name): Decimal(str(n)) for name, n in values.get("class_factors", {}).items()},
            rounding=Decimal(str(values.get("rounding", "0.01"))),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, InvalidOperation) as error:
        raise RateCardError(f"{source} is no rate card ({type(error).__name__}: {error})") from error
    unknown = [*(card.per_minute.keys() - set(KINDS)), *(card.class_factors.keys() - set(CLASSES))]
    numbers = {**card.per_minute, **card.class_factors}
    wrong = [name for name, number in numbers.items() if not number.is_finite() or number < 0]
    if unknown or wrong or not card.rounding.is_finite() or card.rounding <= 0:
        raise RateCardError(
            f"{source}: unknown names {unknown}, numbers that are no price {wrong}, rounding {card.rounding}"
        )
    return card


def price(statement: res.Statement, cards: Sequence[RateCard]) -> Invoice:
    """Price a whole statement: each line by the card that was valid when its intent was settled.

    An adjustment takes the price of what it adjusts. Raises `RateCardError` where no card covers a line.
    """
    lines = tuple(_priced(line, cards) for line in statement.lines)
    return Invoice(
        account=statement.account,
        start=_utc(statement.start_time),
        end=_utc(statement.end_time),
        currency=cards[0].currency,
        lines=lines,
        total=sum((line.amount for line in lines), Decimal(0)),
        is_final=statement.is_final,
        account_sequence=statement.account_sequence,
    )


def invoice_as_csv(invoice: Invoice) -> str:
    """Write an invoice as CSV (RFC 4180): a line of names, then one row a line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(invoice):
        writer.writerow({**row, "event_ids": " ".join(row["event_ids"])})
    return text.getvalue()


def invoice_as_json(invoice: Invoice) -> str:
    """Write an invoice as JSON; amounts are text, so that no reader rounds them."""
    found = {
        "account": invoice.account,
        "start_time": invoice.start.isoformat(),
        "end_time": invoice.end.isoformat(),
        "currency": invoice.currency,
        "total": str(invoice.total),
        "is_final": invoice.is_final,
        "account_sequence": invoice.account_sequence,
        "lines": list(_rows(invoice)),
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _priced(line: res.StatementLine, cards: Sequence[RateCard]) -> InvoiceLine:
    settled = _utc(line.settle_time)
    card = next((card for card in reversed(cards) if card.valid_from <= settled), None)
    if card is None:
        raise RateCardError(f"no rate card is valid at {settled:%Y-%m-%d %H:%M}, when job {line.job} was settled")
    kind = _word(res.RenderKind.Name(line.render_kind), "RENDER_KIND_")
    if kind not in card.per_minute:
        raise RateCardError(f"rate card {card.id} has no price for {kind}, the kind of job {line.job}")
    factor = card.class_factors.get(_word(res.PriorityClass.Name(line.priority_class), "PRIORITY_CLASS_"), Decimal(1))
    per_minute = card.per_minute[kind] * factor
    amount = (per_minute * line.quantity_ms / MS_PER_MINUTE).quantize(card.rounding, rounding=ROUND_HALF_EVEN)
    return InvoiceLine(line, card.id, per_minute, amount)


def _rows(invoice: Invoice) -> Iterable[dict[str, Any]]:
    for item in invoice.lines:
        line = item.line
        yield {
            "time": _utc(line.time).isoformat(),
            "line": _word(res.StatementLineKind.Name(line.kind), "STATEMENT_LINE_KIND_"),
            "song": line.song,
            "render": _word(res.RenderKind.Name(line.render_kind), "RENDER_KIND_"),
            "class": _word(res.PriorityClass.Name(line.priority_class), "PRIORITY_CLASS_"),
            "cycle": line.cycle,
            "quantity_ms": line.quantity_ms,
            "rate_card": item.rate_card,
            "price_per_minute": str(item.price_per_minute),
            "amount": str(item.amount),
            "currency": invoice.currency,
            "job": line.job,
            "external_ref": line.external_ref,
            "reason": line.reason,
            "event_ids": list(line.event_ids),
        }


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _utc(value: Timestamp) -> datetime:
    return value.ToDatetime(tzinfo=UTC)
