"""Cash and shares, and how fills change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.commission import to_cents
from hrp.domain.positions import Fill
from hrp.errors import MissingPriceError


@dataclass(frozen=True, slots=True)
class Book:
    """Cash in USD and shares by symbol; a symbol that is not held is absent."""

    cash: Decimal
    held: Mapping[str, Decimal]

    def after(self, fills: Iterable[Fill]) -> Book:
        """The book once `fills` have settled, known commissions paid."""
        cash, held = self.cash, dict(self.held)
        for fill in fills:
            cash += fill.cash_flow
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + fill.signed_quantity
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
