"""Profit and loss from fills, at average cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

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


def profit(fills: Iterable[Fill], prices: Mapping[str, Decimal], opening: Sequence[Position] = ()) -> Profit:
    """Profit of `fills` (oldest first) on top of the `opening` holdings, marked at `prices`.

    Average-cost method: a purchase moves the average, a sale realises price less average. A holding without a
    price counts as unrealised zero.
    """
    shares = {p.symbol: p.quantity for p in opening}
    cost = {p.symbol: p.cost_basis for p in opening}
    realized = commissions = Decimal(0)
    for fill in fills:
        commissions += fill.commission or Decimal(0)
        gain, shares[fill.symbol], cost[fill.symbol] = _book(
            fill, shares.get(fill.symbol, Decimal(0)), cost.get(fill.symbol, Decimal(0))
        )
        realized += gain
    unrealized = sum((shares[s] * prices[s] - cost[s] for s in shares if s in prices), Decimal(0))
    return Profit(realized, commissions, unrealized)


def _book(fill: Fill, held: Decimal, cost: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """(realised USD, shares, cost basis) after one fill; the part that crosses zero opens at the fill's price."""
    change = fill.signed_quantity
    if held * change >= 0:
        return Decimal(0), held + change, cost + change * fill.price
    closing = -change if abs(change) <= abs(held) else held
    released = cost * closing / held
    opened = change + closing
    return closing * fill.price - released, held + change, cost - released + opened * fill.price


def drawdowns(equity: Sequence[Decimal]) -> list[Decimal]:
    """How far each value lies below the highest one so far, a fraction of that peak (0 at a peak)."""
    peak = Decimal(0)
    result = []
    for value in equity:
        peak = max(peak, value)
        result.append((peak - value) / peak if peak > 0 else Decimal(0))
    return result
