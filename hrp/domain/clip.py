"""The waterfall of limits: desired shares in, final shares out, every change a row that adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hrp.domain.lineage import plain
from hrp.domain.plan import Clip
from hrp.domain.portfolio import Limits, whole_shares
from hrp.errors import MissingPriceError


@dataclass(frozen=True, slots=True)
class Name:
    """One symbol on its way through the waterfall. `base` is what is held and working together, in shares.

    `frozen` is the coded reason why the name must stay as it is, or empty. `bought` are shares of purchases that
    still work: until they fill they cannot be sold, and only a cancellation takes them back.
    """

    symbol: str
    weight: Decimal
    price: Decimal | None
    base: int
    desired: int
    frozen: str = ""
    bought: int = 0


class Waterfall:
    """Runs the limits in their stated order; the result does not depend on the order of the names.

    The smallest order comes last, so that planning again on top of the orders just placed changes nothing. Every
    limit holds for the free names afterwards; frozen names and `unpriced_usd`, the part of equity in holdings
    without a price, use up their share of it first.
    """

    def __init__(
        self, names: Mapping[str, Name], equity: Decimal, limits: Limits, unpriced_usd: Decimal = Decimal(0)
    ) -> None:
        self._names = dict(sorted(names.items()))
        self._equity = equity
        self._limits = limits
        self._unpriced_usd = unpriced_usd
        self.target = {symbol: name.desired for symbol, name in self._names.items()}
        self.clips: dict[str, list[Clip]] = {symbol: [] for symbol in self._names}

    def run(self) -> Waterfall:
        """Apply every limit: freeze, per name, number of positions, gross, cash, working purchases, smallest order."""
        self._freeze()
        self._cap_weight()
        self._cap_positions()
        self._cap_gross("MAX_GROSS", self._limits.max_gross_pct)
        self._cap_gross("MIN_CASH", 1 - self._limits.min_cash_pct)
        self._keep_working_buys()
        self._drop_small_orders()
        return self

    def _set(self, symbol: str, limit: str, after: int, detail: str) -> None:
        self.clips[symbol].append(Clip(limit, self.target[symbol], after, detail))
        self.target[symbol] = after

    def _free(self) -> list[Name]:
        return [name for name in self._names.values() if not name.frozen]

    def _freeze(self) -> None:
        for name in self._names.values():
            if name.frozen:
                code, _, detail = name.frozen.partition(": ")
                self._set(name.symbol, code, name.base, detail)

    def _cap_weight(self) -> None:
        for name in self._free():
            most = self._most(name)
            if self.target[name.symbol] > most:
                self._set(name.symbol, "MAX_POSITION_WEIGHT", most, f"limit={plain(self._limits.max_position_pct)}")

    def _most(self, name: Name) -> int:
        return whole_shares(self._limits.max_position_pct, self._equity, _price(name))

    def _cap_positions(self) -> None:
        """Keep the heaviest names; what is frozen takes its places first."""
        limit = self._limits.max_positions
        places = limit - sum(1 for n in self._names.values() if n.frozen and self.target[n.symbol] != 0)
        wanted = [n for n in self._free() if self.target[n.symbol] > 0]
        ranked = sorted(wanted, key=lambda n: (-n.weight, n.symbol))
        for name in ranked[max(places, 0) :]:
            self._set(name.symbol, "MAX_POSITIONS", 0, f"limit={limit}")

    def _cap_gross(self, code: str, fraction: Decimal) -> None:
        """Scale the free names alike until the sum of market values fits into `fraction` of equity."""
        free = [n for n in self._free() if self.target[n.symbol] > 0]
        wanted = sum((_value(n, self.target[n.symbol]) for n in free), Decimal(0))
        room = max(fraction * self._equity - (self._invested() - wanted), Decimal(0))
        if wanted <= room:
            return
        detail = f"scale={room / wanted:.6f}, limit={plain(fraction)}"
        for name in free:  # multiplied first: 300 shares scaled by 5/6 are 250, not 249.99...
            self._set(name.symbol, code, int(self.target[name.symbol] * room / wanted), detail)

    def _invested(self) -> Decimal:
        """USD in the targets as they stand, with what the unpriced holdings are worth."""
        return self._unpriced_usd + sum((_value(n, self.target[n.symbol]) for n in self._names.values()), Decimal(0))

    def _keep_working_buys(self) -> None:
        """Never sell what is not owned yet: a purchase that fills later than the sale would leave a short between."""
        for name in self._free():
            if self.target[name.symbol] < name.bought:
                self._set(name.symbol, "WORKING_BUY", name.bought, f"working={name.bought}")

    def _drop_small_orders(self) -> None:
        """Leave a name alone if the trade is not worth it; an exit, or a sale that a limit needs, always is."""
        limit = self._limits.min_order_value_usd
        for name in self._free():
            target = self.target[name.symbol]
            value = abs(target - name.base) * _price(name)
            if 0 < value < limit and target != 0 and (target > name.base or self._may_stay(name)):
                self._set(name.symbol, "MIN_ORDER_VALUE", name.base, f"value_usd={value:.2f}, limit={plain(limit)}")

    def _may_stay(self, name: Name) -> bool:
        """True if no limit is broken by keeping what is held instead of selling down to the target."""
        fraction = min(self._limits.max_gross_pct, 1 - self._limits.min_cash_pct)
        more = _value(name, name.base) - _value(name, self.target[name.symbol])
        return name.base <= self._most(name) and self._invested() + more <= fraction * self._equity


def _price(name: Name) -> Decimal:
    if name.price is None:
        raise MissingPriceError(f"{name.symbol} has no price and must be frozen")
    return name.price


def _value(name: Name, shares: int) -> Decimal:
    return abs(shares) * (name.price or Decimal(0))
