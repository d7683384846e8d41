"""Profit and loss from fills, at average cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.book import Change
from hrp.domain.positions import Fill, Position


@dataclass(frozen=True, slots=True)
class Profit:
    """USD: `realized` before commissions, `commissions` paid, `unrealized` at the marks given."""

    realized: Decimal
    commissions: Decimal
    unrealized: Decimal

    @property
    def net(self) -> Decimal:
        """Realised plus unrealised less commissions."""
        return self.realized + self.unrealized - self.commissions


def profit(changes: Iterable[Change], prices: Mapping[str, Decimal], opening: Sequence[Position] = ()) -> Profit:
    """Profit of `changes` (oldest first) on top of the `opening` holdings, marked at `prices`.

    Average-cost method: a purchase moves the average, a sale realises price less average; a split spreads the cost
    over other shares, cash without shares is no trading profit. A holding without a price counts as unrealised zero.
    """
    shares = {p.symbol: p.quantity for p in opening}
    cost = {p.symbol: p.cost_basis for p in opening}
    realized = commissions = Decimal(0)
    for change in changes:
        name, moved = change.symbol, change.signed_quantity
        held, basis = shares.get(name, Decimal(0)), cost.get(name, Decimal(0))
        if change.price is None:
            shares[name], cost[name] = held + moved, basis
            continue
        gain, shares[name], cost[name] = _book(moved, change.price, held, basis)
        realized += gain
        commissions += (change.commission or Decimal(0)) if isinstance(change, Fill) else Decimal(0)
    unrealized = sum((shares[s] * prices[s] - cost[s] for s in shares if s in prices), Decimal(0))
    return Profit(realized, commissions, unrealized)


def _book(change: Decimal, price: Decimal, held: Decimal, cost: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """(realised USD, shares, cost basis) after one trade; the part that crosses zero opens at its price."""
    if held * change >= 0:
        return Decimal(0), held + change, cost + change * price
    closing = -change if abs(change) <= abs(held) else held
    released = cost * closing / held
    opened = change + closing
    return closing * price - released, held + change, cost - released + opened * price


def drawdowns(equity: Sequence[Decimal]) -> list[Decimal]:
    """How far each value lies below the highest one so far, a fraction of that peak (0 at a peak)."""
    peak = Decimal(0)
    result = []
    for value in equity:
        peak = max(peak, value)
        result.append((peak - value) / peak if peak > 0 else Decimal(0))
    return result
