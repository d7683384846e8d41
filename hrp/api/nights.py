"""The steps of a night over the store: bars, quality, features, and the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from hrp.api import delivery, inference
from hrp.api.decision import Night, held_back
from hrp.api.deployments import ledger
from hrp.api.told import Brought, Told, decide, load_told
from hrp.data import adjustments as store_adjustments
from hrp.data import features as store_features
from hrp.data import market
from hrp.data import models as store_models
from hrp.data import orders as store_orders
from hrp.domain.breaks import Lock, LockScope
from hrp.domain.deployment import Strategy, is_frozen
from hrp.domain.lost import Bounds
from hrp.domain.orders import OrderSide
from hrp.domain.plan import Plan
from hrp.domain.positions import BrokerState, Instrument, WorkingOrder
from hrp.domain.quality import Finding, check_session, look_back, quarantined
from hrp.domain.rebalance import PlanInputs
from hrp.domain.sessions import FIRST_SESSION, next_session
from hrp.errors import BrokerError
from hrp.wiring import App

__all__ = [
    "Night", "check_quality", "compute_features", "fetch_bars", "load_nights", "make_plan",
    "store_actions", "store_bars",
]  # fmt: skip

_NEWS_OF_ACTIONS = timedelta(days=30)  # before a session: what was restated; after it: what is announced


def fetch_bars(app: App, session: date) -> pd.DataFrame:
    """Bars of the source from the newest stored session to `session`; all of its history for an empty store.

    The universe of the session is asked for, or everything the source has while there is no universe.
    """
    with app.store().read() as con:
        members = market.load_universe(con, app.settings.universe, session)
        newest = market.newest_session(con)
    first = min(newest, session) if newest else FIRST_SESSION
    return delivery.fetch_bars(app, app.source(), members or None, first, session).bars


def store_bars(app: App, bars: pd.DataFrame, run_id: str) -> int:
    """Keep the bars; the first ones found the universe."""
    with app.store().write() as con:
        known_at = app.clock.now()  # inside the section: whoever reads after it asks for a later instant
        written = market.save_prices(con, bars, known_at, run_id, delivery.left_in(app.source().adjustment))
        if not market.load_universe(con, app.settings.universe, bars["session"].max()):
            firsts = bars.groupby("symbol")["session"].min()
            members = pd.DataFrame({"symbol": firsts.index, "start_session": firsts.to_numpy(), "end_session": None})
            market.save_universe(con, app.settings.universe, members, known_at)
    return written


def store_actions(app: App, session: date) -> int:
    """Keep the source's corporate actions around `session` that are new or say something new; how many."""
    with app.store().read() as con:
        members = market.load_universe(con, app.settings.universe, session)
    actions = app.source().fetch_actions(members, session - _NEWS_OF_ACTIONS, session + _NEWS_OF_ACTIONS)
    if actions.empty:
        return 0
    with app.store().write() as con:
        return market.save_corporate_actions(con, actions, app.clock.now())


def check_quality(app: App, session: date, run_id: str) -> list[Finding]:
    """Judge the session's bars against those before it and a second vendor's, if there is one; keep the findings."""
    first, other = look_back(session)[0], app.settings.second_price_source
    with app.store().read() as con:
        members = market.load_universe(con, app.settings.universe, session)
        bars = market.load_prices(con, members, first, session)
        actions = market.load_corporate_actions(con, members, first, session)
    second = delivery.fetch_bars(app, app.source(other), members, first, session).bars if other else None
    floor = float(app.settings.coverage_floor_pct)
    findings = check_session(bars, members, session, floor, second=second, actions=actions)
    with app.store().write() as con:
        market.save_findings(con, session, findings, run_id)
    return findings


def compute_features(app: App, session: date) -> pd.DataFrame:
    """Compute the session's features and keep them: index symbol, one column per feature.

    Of a session that has its plan, again from what was known when that was made.
    """
    with app.store().read() as con:
        known_by, told = app.clock.now(), load_told(con, session, app.settings.ibkr_account)
    left_out = None
    if told is not None:
        known_by, left_out = told.features_known_by, told.quarantined
    features = inference.features_of(app, session, known_by, left_out)
    with app.store().write() as con:
        store_features.save_features(con, app.settings.feature_set, session, features, known_by)
    return features


def load_nights(app: App, session: date, strategies: Sequence[Strategy]) -> list[Night]:
    """What each strategy that has predictions brings to the plan, with the reason why it may not buy, if any."""
    nights = []
    for strategy in strategies:
        name = strategy.hypothesis_id
        with app.store().read() as con:
            version = store_models.predicted_version(con, session, name)
            if version is None:
                continue
            rows = store_models.load_predictions(con, session, name, version)
            report = store_models.load_drift(con, session, name, version)
        frozen = is_frozen(ledger(app, strategy.model_name))
        predictions = dict(zip(rows["symbol"], rows["prediction"].astype(float), strict=True))
        nights.append(Night(strategy, version, predictions, held_back(report, frozen, session, version)))
    return nights


def make_plan(app: App, session: date, nights: Sequence[Night], state: BrokerState) -> Plan:
    """The decision of a session from stored predictions and closes and the broker's `state`."""
    account = state.account.account
    with app.store().read() as con:
        known_by = app.clock.now()
        bad = quarantined(market.load_findings(con, session))
        locks = store_adjustments.load_locks(con, account)
        orders = [order for order in store_orders.load_orders(con, account=account) if order.session == session]
        computed_at = store_features.features_known_at(con, app.settings.feature_set, session)
    given = PlanInputs(
        session=session,
        for_session=next_session(session),
        account=account,
        strategy="+".join(sorted(night.strategy.hypothesis_id for night in nights)),
        equity=state.account.net_liquidation,
        cash=state.account.cash,
        weights={},
        predictions={},
        prices={},
        held=state.held(),
        working=_shares(state.working),
        buying=_shares(state.working, OrderSide.BUY),
        frozen=_frozen_by(locks) | bad,
        no_buys=_held_back_by(locks),
        model_versions={night.strategy.hypothesis_id: night.model_version for night in nights},
        sent_refs=frozenset(order.order_ref for order in orders),
        sent_today=len(orders),
        collar_pct=app.settings.collar_pct,
    )
    told = Told(
        known_by=known_by,
        features_known_by=computed_at or known_by,
        universe=app.settings.universe,
        feature_set=app.settings.feature_set,
        top_pct=app.settings.top_pct,
        limits=app.settings.limits(),
        strategies={night.strategy.hypothesis_id: _brought(night) for night in nights},
        quarantined=bad,
        given=given,
    )
    with app.store().read() as con:
        return decide(con, told, nights, app.settings, known_by)


def _brought(night: Night) -> Brought:
    strategy = night.strategy
    return Brought(strategy.model_name, night.model_version, strategy.allocation, night.held_back)


def _frozen_by(locks: Sequence[Lock]) -> dict[str, str]:
    """Names whose holding is in doubt: they stay as they are until a person has resolved it."""
    return {lock.subject: _locked(lock) for lock in locks if lock.scope is LockScope.INSTRUMENT}


def _held_back_by(locks: Sequence[Lock]) -> dict[str, str]:
    """A lock that is not about one name forbids every purchase."""
    others = [lock for lock in locks if lock.scope is LockScope.ACCOUNT]
    return {"*": _locked(others[0])} if others else {}


def _locked(lock: Lock) -> str:
    return f"BREAK: kind={lock.kind}, since={lock.session}, {lock.reason}"


def plan_bounds(app: App, session: date, account: str) -> Bounds:
    """What the stored plan of a session lets be sent, out of the text that was hashed."""
    with app.store().read() as con:
        record = store_orders.load_plan_record(con, session, account)
    lines = [line for line in (record or {}).get("lines", []) if line["order"]]
    return Bounds(
        sends=app.settings.max_orders,
        shares={line["symbol"]: _signed(line["order"]) for line in lines},
        prices={line["symbol"]: Decimal(line["price"]) for line in lines},
    )


def _signed(order: Mapping[str, str]) -> Decimal:
    return Decimal(order["quantity"]) * (1 if order["side"] == OrderSide.BUY else -1)


def require_known_instruments(app: App, found: Mapping[str, Instrument]) -> None:
    """Keep the broker's instruments; a symbol that now names another one is not traded.

    Raises:
        BrokerError: the broker's id of a symbol is not the one that was stored.
    """
    with app.store().write() as con:
        known = market.load_instruments(con)
        changed = [
            f"{symbol}: {known[symbol].con_id} is now {news.con_id}"
            for symbol, news in found.items()
            if news.con_id != known.get(symbol, news).con_id
        ]
        if changed:
            raise BrokerError(
                f"instrument ids have changed ({'; '.join(changed)}): a ticker was renamed or reused; nothing was "
                "sent, find out which company is held before trading it"
            )
        market.save_instruments(con, found.values(), app.clock.now())


def _shares(working: Sequence[WorkingOrder], side: OrderSide | None = None) -> dict[str, Decimal]:
    """Signed shares still on order by symbol, of one side or of both."""
    shares: dict[str, Decimal] = {}
    for order in working:
        if side in (None, order.side):
            shares[order.symbol] = shares.get(order.symbol, Decimal(0)) + order.signed_remaining
    return shares
