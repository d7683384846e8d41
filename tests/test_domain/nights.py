"""Nights to plan: one small night whose numbers fit in the head, and arbitrary ones for properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from hrp.domain.orders import Order, OrderSide
from hrp.domain.plan import Plan
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs

D = Decimal
SESSION, FOR_SESSION = date(2022, 3, 11), date(2022, 3, 14)
FROZEN_CODES = {"UNPRICED", "SHORT_HELD", "FRACTIONAL_HELD", "NO_PREDICTION", "QUARANTINED"}

# Ten thousand of 100,000 USD in each of at most ten names, nothing kept back, no trade too small.
OPEN_LIMITS = Limits(min_cash_pct=D(0), min_order_value_usd=D(0))


def night(**changes: object) -> PlanInputs:
    """An account of 100,000 USD in cash, to which `changes` bring weights, prices and holdings."""
    empty = PlanInputs(
        session=SESSION,
        for_session=FOR_SESSION,
        account="DU123",
        strategy="HYP-2022-001",
        equity=D(100_000),
        cash=D(100_000),
        weights={},
        predictions={},
        prices={},
        held={},
    )
    return replace(empty, **changes)


def trades(plan: Plan) -> dict[str, int]:
    """Signed shares to send, by symbol."""
    return {order.symbol: order.signed_quantity for order in plan.orders}


def reason(plan: Plan, symbol: str) -> str:
    """What the first clip of a name says, as `CODE: detail`."""
    (line,) = [line for line in plan.lines if line.symbol == symbol]
    return f"{line.clips[0].limit}: {line.clips[0].detail}"


def while_working(inputs: PlanInputs, orders: tuple[Order, ...]) -> PlanInputs:
    """The same night with `orders` at the broker."""
    working, buying = dict(inputs.working), dict(inputs.buying)
    for order in orders:
        working[order.symbol] = working.get(order.symbol, D(0)) + order.signed_quantity
        if order.side is OrderSide.BUY:
            buying[order.symbol] = buying.get(order.symbol, D(0)) + order.quantity
    return replace(inputs, working=working, buying=buying)


def once_filled(inputs: PlanInputs, orders: tuple[Order, ...]) -> PlanInputs:
    """The same night with `orders` filled at the close, free of charge: equity is what it was."""
    held, cash = dict(inputs.held), inputs.cash
    for order in orders:
        held[order.symbol] = held.get(order.symbol, D(0)) + order.signed_quantity
        cash -= order.signed_quantity * inputs.prices[order.symbol]
    return replace(inputs, held=held, cash=cash)


SYMBOLS = ["AAPL", "BRK B", "INF", "NA", "NAN", "ON", "TRUE", "XOM"]
_prices = st.decimals(1, 300, places=2)
_fractions = st.integers(0, 40).map(lambda percent: D(percent) / 100)
_shares = st.integers(0, 500).map(D)
_odd_shares = st.sampled_from([D(-30), D("10.5"), D(0)])


def rarely(draw: st.DrawFn) -> bool:
    """True in about one case of ten."""
    return draw(st.integers(0, 9)) == 9


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Any limits that are consistent, with no rule that denies an order."""
    positions = draw(st.integers(1, 8))
    return Limits(
        max_positions=positions,
        max_position_pct=D(draw(st.integers(1, 100 // positions))) / 100,
        max_gross_pct=D(1),
        min_cash_pct=draw(_fractions),
        min_order_value_usd=draw(st.sampled_from([D(0), D(300), D(1000), D(5000)])),
        max_order_value_usd=D(1_000_000_000),
    )


@st.composite
def nights(draw: st.DrawFn) -> PlanInputs:
    """Any night of an account whose equity is its cash and its holdings.

    A few names are unpriced, short, fractional, quarantined or without prediction; whatever has a weight was
    predicted, and nothing works in a name without a price.
    """
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
    true_prices = {symbol: draw(_prices) for symbol in symbols}
    unpriced = {symbol for symbol in symbols if rarely(draw)}
    held = {symbol: draw(_odd_shares if rarely(draw) else _shares) for symbol in symbols}
    weights = {symbol: draw(_fractions) for symbol in symbols}
    cash = draw(st.decimals(10_000, 200_000, places=2))
    working = {
        symbol: D(draw(st.integers(-int(max(held[symbol], 0)), 50)))
        for symbol in symbols
        if symbol not in unpriced and rarely(draw)
    }
    return night(
        cash=cash,
        equity=cash + sum((held[symbol] * true_prices[symbol] for symbol in symbols), D(0)),
        weights=weights,
        predictions={symbol: 0.01 for symbol, weight in weights.items() if weight or not rarely(draw)},
        prices={symbol: price for symbol, price in true_prices.items() if symbol not in unpriced},
        held=held,
        working=working,
        buying={symbol: shares for symbol, shares in working.items() if shares > 0},
        frozen={symbol: "QUARANTINED: check=REPEATED_BAR" for symbol in symbols if rarely(draw)},
    )


def sold(plan: Plan) -> list[str]:
    """The symbols of the sales that will be sent."""
    return [order.symbol for order in plan.orders if order.side is OrderSide.SELL]
