"""A replay held against the backtest of the same models over the same sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.api import inference, research
from hrp.api.decision import Night
from hrp.api.nights import load_nights
from hrp.api.replay import Request, Stage
from hrp.api.strategies import deployed
from hrp.data import adjustments as store_adjustments
from hrp.data import market, trading
from hrp.data import orders as store_orders
from hrp.domain.book import Adjustment, AdjustmentKind
from hrp.domain.deployment import Strategy
from hrp.domain.orders import Order, OrderStatus
from hrp.domain.positions import Fill
from hrp.domain.sessions import exchange_day, sessions_between
from hrp.errors import RequirementNotMetError
from hrp.ml.features import compute, feature_set_named
from hrp.ml.inference import predict_history
from hrp.research.parity import Day, Difference, Paid, Traded, compare, days_of, lines_of
from hrp.wiring import App

_OF_ACTIONS = frozenset({AdjustmentKind.SPLIT, AdjustmentKind.DIVIDEND})
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Parity:
    """Both sides, every difference, how many nights there were and how many names could be traded."""

    backtest: Sequence[Day]
    replay: Sequence[Day]
    differences: Sequence[Difference]
    nights: int
    symbols: int


def parity(stage: Stage) -> Parity:
    """Compare the two. The backtest predicts anew: all of its sessions at once, from the bars as they are known now.

    Raises:
        RequirementNotMetError: the replay has not come to its end.
    """
    request = stage.request
    with stage.kept_open() as kept:
        app = kept.app
        replay = load_days(app, request)
        brought = predict_afresh(app, request.nights)
        backtest = days_of(research.backtest_nights(app, request.nights, request.cash, brought).history)
        with app.store().read() as con:
            members = {name for day in request.nights for name in market.load_universe(con, app.settings.universe, day)}
    return Parity(backtest, replay, compare(backtest, replay), len(request.nights), len(members))


def predict_afresh(app: App, sessions: Sequence[date]) -> dict[date, list[Night]]:
    """What the strategies brought to each session, predicted anew by the same versions over all sessions at once.

    Sessions in which the same names could be traded are computed together: a cross-section knows those names only.
    Which names the quality gate let through and whether a strategy was held back is as the nights found it.
    """
    strategies = deployed(app)
    nights = {session: load_nights(app, session, strategies) for session in sessions}
    together: dict[tuple[str, ...], list[date]] = {}
    for session in sessions:
        together.setdefault(tuple(inference.tradable(app, session)), []).append(session)
    predicted: dict[tuple[date, Strategy, int], dict[str, float]] = {}
    for names, days in together.items():
        for strategy, version in {(night.strategy, night.model_version) for day in days for night in nights[day]}:
            found = _predict(app, strategy, version, names, days)
            predicted |= {(day, strategy, version): scores for day, scores in found.items()}
    return {
        day: [replace(night, predictions=predicted[day, night.strategy, night.model_version]) for night in brought]
        for day, brought in nights.items()
    }


def _predict(
    app: App, strategy: Strategy, version: int, symbols: Collection[str], sessions: Collection[date]
) -> dict[date, dict[str, float]]:
    """What a version predicts for `symbols` in each of `sessions`, computed at once over all of them."""
    loaded = app.registry().load(app.registry().version(strategy.model_name, version))
    features = feature_set_named(loaded.version.feature_set)
    deep = features.lookback_sessions + len(sessions_between(min(sessions), max(sessions))) - 1
    values = compute(features, inference.panel(app, symbols, max(sessions), deep))
    wanted = values.index.get_level_values("session").isin([pd.Timestamp(session) for session in sessions])
    predicted = predict_history(loaded, values[wanted]).dropna(subset=["prediction"])
    found: dict[date, dict[str, float]] = {session: {} for session in sessions}
    for stamp, rows in predicted.groupby("session"):
        found[pd.Timestamp(str(stamp)).date()] = dict(zip(rows["symbol"], rows["prediction"], strict=True))
    return found


def load_days(app: App, request: Request) -> list[Day]:
    """The account of a replay out of its ledger: from the first night to the session in which the last orders fill.

    Raises:
        RequirementNotMetError: a session has no sync yet.
    """
    account = app.settings.require_account()
    days = [*request.nights, request.end]
    with app.store().read() as con:
        equity = {row.session: row for row in trading.load_equity(con, account, days[0], days[-1])}
        unsynced = [day for day in days if day not in equity]
        if unsynced:
            raise RequirementNotMetError(
                f"the replay has not come to session {unsynced[0]}; go on: hrp replay --from {request.first} "
                f"--to {request.last} --resume"
            )
        trades = _trades(store_orders.load_orders(con, account=account), trading.load_fills(con, account))
        paid = _paid(store_adjustments.load_adjustments(con, account))
        return [
            Day(
                session=day,
                cash=equity[day].cash_usd,
                equity=equity[day].net_liquidation_usd,
                shares={p.symbol: p.quantity for p in trading.load_positions(con, account, day) if p.quantity},
                lines=lines_of(store_orders.load_plan_record(con, day, account)),
                trades=trades.get(day, {}),
                paid=paid.get(day, {}),
            )
            for day in days
        ]


def _trades(orders: Iterable[Order], fills: Iterable[Fill]) -> dict[date, dict[str, Traded]]:
    """By session of the open and symbol: every order with its executions, and executions that no order asked for."""
    found: dict[date, dict[str, Traded]] = {}
    executed: dict[tuple[date, str], list[Fill]] = {}
    for fill in fills:
        executed.setdefault((exchange_day(fill.executed_at), fill.symbol), []).append(fill)
    for order in orders:
        if order.status is not OrderStatus.DENIED and order.for_session:
            at = order.for_session, order.symbol
            sent = order.perm_id is not None
            found.setdefault(at[0], {})[at[1]] = _traded(Decimal(order.signed_quantity), executed.pop(at, []), sent)
    for (session, symbol), foreign in executed.items():
        found.setdefault(session, {})[symbol] = _traded(None, foreign, sent=True)
    return found


def _traded(ordered: Decimal | None, fills: Sequence[Fill], sent: bool) -> Traded:
    prices = {fill.price for fill in fills}
    volume = sum((fill.quantity for fill in fills), _NOTHING)
    value = sum((fill.quantity * fill.price for fill in fills), _NOTHING)
    return Traded(
        ordered=ordered,
        shares=sum((fill.signed_quantity for fill in fills), _NOTHING),
        price=prices.pop() if len(prices) == 1 else value / volume if volume else None,
        commission=sum((fill.commission or _NOTHING for fill in fills), _NOTHING),
        sent=sent,
    )


def _paid(adjustments: Iterable[Adjustment]) -> dict[date, dict[str, Paid]]:
    """What explained splits and dividends came to, by ex-session and symbol."""
    found: dict[date, dict[str, Paid]] = {}
    for change in adjustments:
        if change.kind in _OF_ACTIONS:
            of_session = found.setdefault(change.session, {})
            of_session[change.symbol] = of_session.get(change.symbol, Paid()) + Paid(change.shares, change.cash)
    return found
