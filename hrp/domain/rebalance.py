"""The decision of a night: target less held less working, clipped by limits and judged by rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from hrp.domain.clip import Name, Waterfall
from hrp.domain.lineage import plain
from hrp.domain.orders import Order, OrderSide, OrderType, TimeInForce, order_ref
from hrp.domain.plan import Plan, PlanLine
from hrp.domain.portfolio import Limits, whole_shares
from hrp.domain.risk import MaxOrders, MaxOrderValue, RiskContext, Rule, judge, no_duplicate, no_new_risk
from hrp.errors import DataError

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything that a night's decision depends on, keyed by symbol where it is about one.

    Args:
        weights: target fraction of equity; a symbol that is absent is not wanted.
        predictions: the model's numbers, for the record.
        prices: USD closes of `session`; a symbol that is absent is unpriced.
        held, working: shares owned and signed shares still on order; `buying` are the purchases among the latter.
        frozen: symbols that must stay as they are, with the coded reason (`QUARANTINED: check=...`).
        no_buys: symbols (or `*`) that may only be reduced, with the coded reason.
        collar_pct: None for market-on-open orders, else the limit's distance from the close, a fraction.
    """

    session: date
    for_session: date
    account: str
    strategy: str
    equity: Decimal
    cash: Decimal
    weights: Mapping[str, Decimal]
    predictions: Mapping[str, float]
    prices: Mapping[str, Decimal]
    held: Mapping[str, Decimal]
    working: Mapping[str, Decimal] = field(default_factory=dict)
    buying: Mapping[str, Decimal] = field(default_factory=dict)
    frozen: Mapping[str, str] = field(default_factory=dict)
    no_buys: Mapping[str, str] = field(default_factory=dict)
    model_versions: Mapping[str, int] = field(default_factory=dict)
    sent_refs: frozenset[str] = frozenset()
    sent_today: int = 0
    generation: int = 1
    collar_pct: Decimal | None = None


def default_rules(limits: Limits) -> tuple[Rule, ...]:
    """The rules of the account in the order in which they are asked."""
    return (no_new_risk, no_duplicate, MaxOrderValue(limits.max_order_value_usd), MaxOrders(limits.max_orders))


def build_plan(inputs: PlanInputs, limits: Limits) -> Plan:
    """The one decision of a night, for dry run, real run and backtest alike.

    Raises:
        DataError: equity is not positive and finite, cash or a number of shares is not finite, or a weight is NaN
            or negative.
    """
    _check(inputs)
    names = {symbol: _name(symbol, inputs) for symbol in _universe(inputs)}
    waterfall = Waterfall(names, inputs.equity, limits, _unpriced_usd(names, inputs)).run()
    drafts = [_order(name, waterfall.target[name.symbol], inputs) for name in names.values()]
    context = RiskContext(inputs.prices, inputs.no_buys, inputs.sent_refs, inputs.sent_today)
    judged = judge([order for order in drafts if order is not None], context, default_rules(limits))
    orders = {order.symbol: order for order in judged}
    lines = tuple(_line(name, waterfall, inputs, orders.get(symbol)) for symbol, name in sorted(names.items()))
    return Plan(
        session=inputs.session,
        for_session=inputs.for_session,
        account=inputs.account,
        equity=inputs.equity,
        cash=inputs.cash,
        model_versions=inputs.model_versions,
        limits=limits.as_record(),
        lines=lines,
    )


def _check(inputs: PlanInputs) -> None:
    if not inputs.equity.is_finite() or inputs.equity <= 0:
        raise DataError(f"equity of {inputs.account} must be positive, got {inputs.equity}")
    if not inputs.cash.is_finite():
        raise DataError(f"cash of {inputs.account} must be a number, got {inputs.cash}")
    for symbol, weight in inputs.weights.items():
        if not weight.is_finite() or weight < 0:
            raise DataError(f"target weight of {symbol} must be a number of at least 0, got {weight}")
    for symbol, shares in (*inputs.held.items(), *inputs.working.items(), *inputs.buying.items()):
        if not shares.is_finite():
            raise DataError(f"shares of {symbol} held or on order must be a number, got {shares}")


def _universe(inputs: PlanInputs) -> Sequence[str]:
    """Every name that is wanted, held or working."""
    names = {symbol for symbol, weight in inputs.weights.items() if weight > 0}
    names |= {symbol for book in (inputs.held, inputs.working) for symbol, shares in book.items() if shares}
    return sorted(names)


def _name(symbol: str, inputs: PlanInputs) -> Name:
    weight = inputs.weights.get(symbol, Decimal(0))
    price = _usable(inputs.prices.get(symbol))
    held = inputs.held.get(symbol, Decimal(0))
    base = held + inputs.working.get(symbol, Decimal(0))
    frozen = _frozen(symbol, inputs, price, held, base)
    desired = int(base) if price is None else whole_shares(weight, inputs.equity, price)
    return Name(symbol, weight, price, int(base), desired, frozen, int(inputs.buying.get(symbol, Decimal(0))))


def _usable(price: Decimal | None) -> Decimal | None:
    """The price if it can size a position, else None."""
    return price if price is not None and price.is_finite() and price > 0 else None


def _unpriced_usd(names: Mapping[str, Name], inputs: PlanInputs) -> Decimal:
    """What the holdings without a price are worth: the part of equity that cash and priced holdings leave open."""
    if all(name.price is not None or not inputs.held.get(name.symbol) for name in names.values()):
        return Decimal(0)
    priced = (inputs.held.get(name.symbol, Decimal(0)) * (name.price or 0) for name in names.values())
    return abs(inputs.equity - inputs.cash - sum(priced, Decimal(0)))


def _frozen(symbol: str, inputs: PlanInputs, price: Decimal | None, held: Decimal, base: Decimal) -> str:
    """The first reason to leave a name alone, or an empty text."""
    if symbol in inputs.frozen:
        return inputs.frozen[symbol]
    if price is None:
        return f"UNPRICED: session={inputs.session}, price={inputs.prices.get(symbol)}"
    if held < 0:
        return f"SHORT_HELD: held={plain(held)}"
    if base != int(base):
        return f"FRACTIONAL_HELD: held={plain(held)}"
    if held and symbol not in inputs.predictions:
        return f"NO_PREDICTION: held={plain(held)}"
    return ""


def _order(name: Name, target: int, inputs: PlanInputs) -> Order | None:
    """The order that brings the name from what is held and working to `target`, or None."""
    delta = target - name.base
    if delta == 0:
        return None
    side = OrderSide.BUY if delta > 0 else OrderSide.SELL
    limit = None if inputs.collar_pct is None or name.price is None else _collar(name.price, side, inputs.collar_pct)
    return Order(
        symbol=name.symbol,
        side=side,
        quantity=abs(delta),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=limit,
        tif=TimeInForce.OPG,
        order_ref=order_ref(inputs.session, inputs.account, inputs.strategy, name.symbol, side, inputs.generation),
        session=inputs.session,
        for_session=inputs.for_session,
        account=inputs.account,
        strategy=inputs.strategy,
    )


def _collar(price: Decimal, side: OrderSide, pct: Decimal) -> Decimal:
    """The worst acceptable price in USD, to the cent."""
    factor = 1 + pct if side is OrderSide.BUY else 1 - pct
    return max((price * factor).quantize(CENT, rounding=ROUND_HALF_UP), CENT)


def _line(name: Name, waterfall: Waterfall, inputs: PlanInputs, order: Order | None) -> PlanLine:
    symbol = name.symbol
    return PlanLine(
        symbol=symbol,
        prediction=inputs.predictions.get(symbol),
        weight=name.weight,
        price=name.price,
        desired=name.desired,
        clips=tuple(waterfall.clips[symbol]),
        target=waterfall.target[symbol],
        held=inputs.held.get(symbol, Decimal(0)),
        working=inputs.working.get(symbol, Decimal(0)),
        order=order,
    )
