"""From signals to target weights to whole shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from hrp.domain.lineage import plain
from hrp.errors import ConfigError, DataError, MissingPriceError

WEIGHT_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the account may hold and do.

    `_pct` values are fractions of net liquidation in (0, 1]; `_usd` values US dollars; `max_orders` a count a session.
    """

    max_positions: int = 10
    max_position_pct: Decimal = Decimal("0.10")
    max_gross_pct: Decimal = Decimal("1.00")
    min_cash_pct: Decimal = Decimal("0.02")
    min_order_value_usd: Decimal = Decimal(100)
    max_order_value_usd: Decimal = Decimal(250_000)
    max_orders: int = 100

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if Decimal(getattr(self, name)).is_nan():
                raise ConfigError(f"{name} must be a number, got NaN")
        for name in ("max_position_pct", "max_gross_pct"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(f"{name}={value} must be a fraction in (0, 1]")
        if not 0 <= self.min_cash_pct < 1:
            raise ConfigError(f"min_cash_pct={self.min_cash_pct} must be a fraction in [0, 1)")
        if self.max_positions < 1 or self.max_orders < 1:
            raise ConfigError(
                f"max_positions={self.max_positions}, max_orders={self.max_orders}: both must be at least 1"
            )
        if not 0 <= self.min_order_value_usd < self.max_order_value_usd:
            raise ConfigError(
                f"min_order_value_usd={self.min_order_value_usd} must be at least 0 and below "
                f"max_order_value_usd={self.max_order_value_usd}"
            )
        full = self.max_positions * self.max_position_pct
        if full > self.max_gross_pct:
            raise ConfigError(
                f"{self.max_positions} positions × {_percent(self.max_position_pct)} = {_percent(full)} > "
                f"gross {_percent(self.max_gross_pct)}: lower max_positions or max_position_pct"
            )

    def as_record(self) -> dict[str, str]:
        """Every limit as text, the form that a plan keeps."""
        return {name: plain(Decimal(getattr(self, name))) for name in self.__slots__}


def _percent(fraction: Decimal) -> str:
    """Every digit that there is, so that the arithmetic of a message holds."""
    return f"{fraction.normalize():%}"


def equal_weights(longs: Sequence[str], gross: Decimal, cap: Decimal) -> dict[str, Decimal]:
    """The same weight for each of `longs`: `gross` shared among them, at most `cap` each (fractions of equity).

    Raises:
        DataError: a symbol stands twice.
    """
    repeated = sorted(symbol for symbol, count in Counter(longs).items() if count > 1)
    if repeated:
        raise DataError(f"symbols given twice: {', '.join(repeated)}; aggregate per symbol first")
    if not longs:
        return {}
    weight = min(gross / len(longs), cap).quantize(WEIGHT_STEP, rounding=ROUND_DOWN)
    return dict.fromkeys(sorted(longs), weight)


def blend(strategies: Mapping[str, Mapping[str, Decimal]], allocations: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """One account target out of several strategies: per symbol the sum of allocation times weight.

    Args:
        strategies: target weights by symbol, by strategy.
        allocations: fraction of net liquidation of each strategy, in (0, 1], together at most 1.
    """
    total = sum((allocations[name] for name in strategies), Decimal(0))
    if total > 1:
        raise ConfigError(
            f"strategy allocations sum to {plain(total)}, at most 1 is possible; lower one of {sorted(strategies)}"
        )
    target: dict[str, Decimal] = {}
    for name, weights in sorted(strategies.items()):
        for symbol, weight in weights.items():
            target[symbol] = target.get(symbol, Decimal(0)) + allocations[name] * weight
    return dict(sorted(target.items()))


def whole_shares(weight: Decimal, equity: Decimal, price: Decimal) -> int:
    """Shares, rounded towards zero, worth `weight` of `equity` USD at `price` USD.

    Raises:
        MissingPriceError: the price is not positive and finite.
    """
    if not price.is_finite() or price <= 0:
        raise MissingPriceError(f"a price of {price} cannot size a position")
    return int((weight * equity / price).to_integral_value(rounding=ROUND_DOWN))
