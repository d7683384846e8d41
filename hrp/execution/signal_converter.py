"""Signals to orders in one call, for notebooks and first steps; the night itself plans against what is held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import fmean, pstdev

import pandas as pd

from hrp.domain.orders import Order, OrderSide, order_ref
from hrp.domain.portfolio import equal_weights, whole_shares
from hrp.domain.sessions import next_session
from hrp.errors import ConfigError, DataError, UsageError

METHODS = ("rank", "threshold", "zscore")
FULLY_INVESTED = Decimal(1)

Signals = Mapping[str, float] | pd.Series | pd.DataFrame


@dataclass(frozen=True, slots=True)
class ConversionConfig:
    """How much to invest: `portfolio_value` and `min_order_value` in USD, `max_position_pct` a fraction in (0, 1].

    Names share the portfolio equally, each at most `max_position_pct`, all together never more than the whole.

    Raises:
        ConfigError: a value is outside its range.
    """

    portfolio_value: Decimal | float
    max_positions: int = 20
    max_position_pct: Decimal | float = 0.10
    min_order_value: Decimal | float = 100

    def __post_init__(self) -> None:
        if not (math.isfinite(self.portfolio_value) and self.portfolio_value > 0):
            raise ConfigError(f"portfolio_value must be positive USD, got {self.portfolio_value}")
        if self.max_positions < 1:
            raise ConfigError(f"max_positions must be at least 1, got {self.max_positions}")
        if not 0 < self.max_position_pct <= 1:
            raise ConfigError(f"max_position_pct must be a fraction in (0, 1], got {self.max_position_pct}")
        if not self.min_order_value >= 0:
            raise ConfigError(f"min_order_value must be at least 0 USD, got {self.min_order_value}")


class SignalConverter:
    """Turns signals into purchases out of an all-cash portfolio.

    `skipped` holds, after each call, the chosen names that got no order, with the reason.
    """

    def __init__(self, config: ConversionConfig) -> None:
        self.config = config
        self.skipped: dict[str, str] = {}

    def signals_to_orders(
        self,
        signals: Signals,
        method: str = "rank",
        current_prices: Mapping[str, Decimal | float] | None = None,
        *,
        session: date | None = None,
        account: str = "",
        strategy: str = "",
    ) -> list[Order]:
        """Market-on-open purchases of the best names, by symbol.

        Args:
            signals: a number by symbol, or a frame with the columns symbol and signal (or prediction).
            method: `rank` takes the highest positive signals, `threshold` every positive one, `zscore` every positive
                one more than a standard deviation above the mean; all of them at most `max_positions`, best first.
            current_prices: USD a share; a name without a positive, finite price gets no order.
            session: the closed session that decides; with it orders carry a reference and can be sent.

        Raises:
            UsageError: an unknown method.
            DataError: a symbol comes twice or is no text, or a signal is not finite.
        """
        chosen = self._chosen(_by_symbol(signals), method)
        weights = equal_weights(chosen, FULLY_INVESTED, _decimal(self.config.max_position_pct))
        prices, self.skipped = current_prices or {}, {}
        orders = []
        for symbol, weight in weights.items():
            quantity = self._quantity(symbol, weight, prices.get(symbol))
            if quantity:
                orders.append(_purchase(symbol, quantity, session, account, strategy))
        return orders

    def _chosen(self, signals: Mapping[str, float], method: str) -> list[str]:
        if method not in METHODS:
            raise UsageError(f"there is no method {method!r}; there are: {', '.join(METHODS)}")
        standing_out = fmean(signals.values()) + pstdev(signals.values()) if method == "zscore" and signals else 0.0
        above = [(-value, symbol) for symbol, value in signals.items() if value > max(standing_out, 0.0)]
        return [symbol for _, symbol in sorted(above)[: self.config.max_positions]]

    def _quantity(self, symbol: str, weight: Decimal, price: Decimal | float | None) -> int:
        """Shares to buy; 0 with the reason noted."""
        if price is None or not math.isfinite(price) or price <= 0:
            self.skipped[symbol] = f"UNPRICED: price={price}"
            return 0
        usd, minimum = _decimal(price), _decimal(self.config.min_order_value)
        quantity = whole_shares(weight, _decimal(self.config.portfolio_value), usd)
        if quantity == 0 or quantity * usd < minimum:
            self.skipped[symbol] = f"MIN_ORDER_VALUE: value={quantity * usd:.2f}, minimum={minimum}"
            return 0
        return quantity


def _purchase(symbol: str, quantity: int, session: date | None, account: str, strategy: str) -> Order:
    return Order(
        symbol,
        OrderSide.BUY,
        quantity,
        order_ref=order_ref(session, account, strategy, symbol, OrderSide.BUY) if session else "",
        session=session,
        for_session=next_session(session) if session else None,
        account=account,
        strategy=strategy,
    )


def _by_symbol(signals: Signals) -> dict[str, float]:
    values: dict[str, float] = {}
    for symbol, value in _pairs(signals):
        if not isinstance(symbol, str):
            raise DataError(f"a symbol must be a text, got {symbol!r}")
        if symbol in values:
            raise DataError(f"{symbol} has more than one signal; aggregate per symbol first")
        if not math.isfinite(value):
            raise DataError(f"the signal of {symbol} is {value}")
        values[symbol] = float(value)
    return values


def _pairs(signals: Signals) -> list[tuple[object, float]]:
    if isinstance(signals, pd.DataFrame):
        column = "signal" if "signal" in signals else "prediction"
        return list(zip(signals["symbol"], signals[column], strict=True))
    return list(signals.items())


def _decimal(value: Decimal | float) -> Decimal:
    """`value` as its shortest text states it: 0.1 is 0.1."""
    return value if isinstance(value, Decimal) else Decimal(str(value))
