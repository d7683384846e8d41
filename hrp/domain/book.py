"""Cash and shares, and what changes them: executions, and adjustments that no order of HRP made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from hrp.domain.commission import to_cents
from hrp.domain.lineage import digest
from hrp.domain.positions import Fill
from hrp.errors import MissingPriceError


class AdjustmentKind(StrEnum):
    """What moved the account without an order of HRP; the last two are a person's word."""

    SPLIT = "split"
    DIVIDEND = "dividend"
    MANUAL = "manual"
    OTHER_CLIENT = "other_client"
    TRANSFER = "transfer"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change of shares and cash (USD) that is explained, and by what.

    `about` names what it accounts for (`fill:ID`, `split:AAPL:2022-12-28`, ...): several with the same one add up.
    `symbol` is empty for cash alone. `price` is USD a share at which the shares came or went, None for a split.
    """

    account: str
    session: date
    happened_at: datetime
    kind: AdjustmentKind
    about: str
    evidence: str
    symbol: str = ""
    con_id: int = 0
    shares: Decimal = Decimal(0)
    cash: Decimal = Decimal(0)
    price: Decimal | None = None
    part: int = 1
    actor: str = "position-sync"
    reason: str = ""

    @property
    def adjustment_id(self) -> str:
        """Equal for equal causes, so that a repeated sync writes an adjustment once."""
        return digest([self.account, self.about, self.part])[:16]

    @property
    def signed_quantity(self) -> Decimal:
        """Shares added to the position."""
        return self.shares

    @property
    def cash_flow(self) -> Decimal:
        """USD brought in."""
        return self.cash


Change = Fill | Adjustment


def when(change: Change) -> datetime:
    """The instant from which a change counts."""
    return change.executed_at if isinstance(change, Fill) else change.happened_at


@dataclass(frozen=True, slots=True)
class Book:
    """Cash in USD and shares by symbol; a symbol that is not held is absent."""

    cash: Decimal
    held: Mapping[str, Decimal]

    def after(self, changes: Iterable[Change]) -> Book:
        """The book once `changes` have settled, known commissions paid."""
        cash, held = self.cash, dict(self.held)
        for change in changes:
            cash += change.cash_flow
            held[change.symbol] = held.get(change.symbol, Decimal(0)) + change.signed_quantity
        return Book(cash, {symbol: shares for symbol, shares in sorted(held.items()) if shares})

    def equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Cash plus market value in USD, each holding in whole cents.

        Raises:
            MissingPriceError: a held name has no price.
        """
        missing = sorted(symbol for symbol in self.held if symbol not in prices)
        if missing:
            raise MissingPriceError(f"no price for held {', '.join(missing)}; run: hrp run prices")
        return self.cash + sum((to_cents(shares * prices[symbol]) for symbol, shares in self.held.items()), Decimal(0))
