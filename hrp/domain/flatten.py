"""Closing what is held, by hand: which names, by which orders, and what has to be left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from hrp.domain.book import Adjustment, AdjustmentKind, when
from hrp.domain.breaks import Records
from hrp.domain.orders import Order, OrderSide, OrderType, TimeInForce, order_ref
from hrp.domain.plan import Plan, PlanLine
from hrp.domain.positions import BrokerState, WorkingOrder
from hrp.domain.sessions import last_closed, next_session, open_at

FLATTEN = "flatten"  # stands where an order of the night names its strategy
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Left:
    """Shares that are not sold, and why."""

    symbol: str
    shares: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Exits:
    """The plan that closes the names, and what it leaves."""

    plan: Plan
    left: tuple[Left, ...]


def plan_exits(
    names: Collection[str], state: BrokerState, orders: Sequence[Order], now: datetime, cutoff: timedelta
) -> Exits:
    """One sale at the market for every whole share of `names` that no working sale covers yet.

    Before the open less `cutoff` the orders are for the opening auction, then for the day. A repeated call while the
    sales still work plans nothing; once they have ended without a fill, it plans the next generation.

    Args:
        state: what the broker says after the other working orders were cancelled.
        orders: every order of the ledger, the earlier closings among them.
    """
    session = last_closed(now)
    lines, left = [], []
    for symbol, held in sorted(state.held().items()):
        if symbol not in names:
            continue
        working = [order for order in state.working if order.symbol == symbol]
        quantity, reason = _closable(held, working)
        if reason:
            left.append(Left(symbol, held - max(quantity, 0), reason))
        order = _exit(symbol, quantity, state.account.account, orders, now, cutoff) if quantity > 0 else None
        signed = sum((one.signed_remaining for one in working), _NOTHING)
        lines.append(PlanLine(symbol, None, _NOTHING, None, 0, (), 0, held, signed, order))
    money = state.account
    plan = Plan(session, next_session(session), money.account, money.net_liquidation, money.cash, {}, {}, tuple(lines))
    return Exits(plan, tuple(left))


def _closable(held: Decimal, working: Iterable[WorkingOrder]) -> tuple[int, str]:
    """(shares to sell now, why anything else stays)."""
    if held < 0:
        return 0, "a short holding: buy it back in TWS"
    whole = int(held.to_integral_value(rounding=ROUND_DOWN))
    waiting = [order for order in working if order.side is OrderSide.BUY]
    if waiting:
        return 0, f"purchase {waiting[0].order_ref or waiting[0].perm_id} still works: cancel it, then once more"
    selling = sum((order.remaining for order in working), _NOTHING)
    rest = max(whole - int(selling), 0)
    return rest, "a fraction of a share: sell it in TWS" if whole != held else ""


def _exit(symbol: str, quantity: int, account: str, orders: Sequence[Order], now: datetime, cutoff: timedelta) -> Order:
    session = last_closed(now)
    following = next_session(session)
    earlier = [o for o in orders if o.strategy == FLATTEN and o.symbol == symbol and o.session == session]
    generation = len(earlier) + 1
    return Order(
        symbol=symbol,
        side=OrderSide.SELL,
        quantity=quantity,
        order_type=OrderType.MARKET,
        tif=TimeInForce.OPG if now < open_at(following) - cutoff else TimeInForce.DAY,
        order_ref=order_ref(session, account, FLATTEN, symbol, OrderSide.SELL, generation),
        session=session,
        for_session=following,
        account=account,
        strategy=FLATTEN,
    )


def holders(records: Records) -> dict[str, frozenset[str]]:
    """Who brought in what the ledger's book holds, by symbol: strategies, `baseline`, or the kind of an adjustment.

    Once a name was sold out, whoever held it before no longer counts.
    """
    shares = dict(records.opening.held)
    brought: dict[str, set[str]] = {symbol: {"baseline"} for symbol in shares}
    for change in sorted(records.changes(), key=when):
        symbol = change.symbol
        shares[symbol] = shares.get(symbol, _NOTHING) + change.signed_quantity
        owners = brought.setdefault(symbol, set())
        if isinstance(change, Adjustment):
            owners |= {str(change.kind)} if change.shares and change.kind is not AdjustmentKind.SPLIT else set()
        elif (order := records.order_of(change)) and order.strategy != FLATTEN:
            owners |= set(order.strategy.split("+"))
        if not shares[symbol]:
            owners.clear()
    return {symbol: frozenset(owners) for symbol, owners in sorted(brought.items()) if shares[symbol]}


def split_by_owner(held_by: Mapping[str, frozenset[str]], strategy: str) -> tuple[list[str], dict[str, list[str]]]:
    """(names that only `strategy` brought in, names that it shares, each with the others)."""
    own = [symbol for symbol, owners in held_by.items() if owners == {strategy}]
    shared = {s: sorted(owners - {strategy}) for s, owners in held_by.items() if strategy in owners and len(owners) > 1}
    return own, shared


def shared_lefts(shared: Mapping[str, Sequence[str]], held: Mapping[str, Decimal]) -> list[Left]:
    """What stays because others brought it in too."""
    return [
        Left(
            symbol, held.get(symbol, _NOTHING), f"brought in by {', '.join(others)} too: hrp flatten --symbol {symbol}"
        )
        for symbol, others in shared.items()
    ]
