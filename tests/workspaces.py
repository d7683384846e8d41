"""A finished workspace, small enough to know every number of it by heart: for the tests of what people look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd

from hrp.data import journal, market, models, trading
from hrp.data import orders as store_orders
from hrp.data.rows import Connection
from hrp.domain.deployment import Deployment, DeploymentAction, DeploymentState, HypothesisStatus, Strategy
from hrp.domain.drift import DriftCheck, DriftFamily, DriftReport, DriftVerdict
from hrp.domain.orders import Order, OrderSide, order_ref
from hrp.domain.plan import Plan, PlanLine
from hrp.domain.positions import Break, Fill, Position
from hrp.wiring import App, build, make_home

D = Decimal
ACCOUNT = "DU1234567"
HYPOTHESIS, MODEL = "HYP-2022-001", "core-ridge"
SESSIONS = tuple(date(2022, 12, day) for day in (20, 21, 22, 23, 27, 28))
EVE, LAST = SESSIONS[-2:]
NOW = datetime(2022, 12, 28, 23, 30, tzinfo=UTC)
FILLED_AT = datetime(2022, 12, 28, 14, 30, tzinfo=UTC)

# Every stock opens at 100 USD and gains the same number of USD each session, so that the ranking never changes.
DAILY_GAIN_USD = {"AAPL": 4, "MSFT": 3, "NA": 2, "TRUE": 1, "XOM": -1}
HORIZON = 2
# The rank correlation of each session whose two-session returns are known: right, right, the wrong way round, and
# 1 - 6 * 8 / (5 * 24) for squared differences of rank that add up to 8.
RANK_IC = {SESSIONS[0]: 1.0, SESSIONS[1]: 1.0, SESSIONS[2]: -1.0, SESSIONS[3]: 0.6}
RANKING = {1.0: (5, 4, 3, 2, 1), -1.0: (1, 2, 3, 4, 5), 0.6: (4, 5, 1, 3, 2)}
# 50 AAPL at 120 and 70 NA at 110, a dollar of commission each; they close at 124 and 112.
CASH = {EVE: D("100000.00"), LAST: D("86298.00")}
EQUITY = {EVE: D("100000.00"), LAST: D("100338.00")}
BACKTEST = {EVE: D("100000.00"), LAST: D("100339.00")}
UNREALIZED = {EVE: D("0.00"), LAST: D("340.00")}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder, its settings file, and the app of both."""

    home: Path
    env_file: Path
    app: App


def empty_workspace(home: Path, **settings: object) -> Workspace:
    """A workspace whose store is fresh and published, on the evening of the last session."""
    values = {
        "HRP_HOME": home,
        "HRP_CLOCK": NOW.isoformat(),
        "IBKR_ACCOUNT": ACCOUNT,
        "HRP_LABEL_HORIZON_SESSIONS": HORIZON,
        **settings,
    }
    make_home(home)
    env_file = home / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    app = build(env_file)
    app.store().migrate()
    app.store().publish()
    return Workspace(home, env_file, app)


def finished_workspace(home: Path, **settings: object) -> Workspace:
    """A workspace after a night and its sync: 50 AAPL and 70 NA are held, one order was denied, one break is open."""
    workspace = empty_workspace(home, **settings)
    with workspace.app.store().write(publish=True) as con:
        market.save_prices(con, bars(), NOW, "prices")
        _save_models(con)
        _save_trading(con)
        journal.start_run(con, "a1", "position-sync", LAST, NOW, dry_run=False)
        journal.finish_run(con, "a1", "breaks", NOW, 1.5, rows=2, error="1 break")
    return workspace


def bars() -> pd.DataFrame:
    """Bars of every stock and session; the day's open is the close of the day before."""
    rows = [
        (symbol, session, 100.0 + gain * day, 100.0 + gain * (day + 1))
        for symbol, gain in DAILY_GAIN_USD.items()
        for day, session in enumerate(SESSIONS)
    ]
    frame = pd.DataFrame(rows, columns=["symbol", "session", "open", "close"])
    return frame.assign(
        high=frame[["open", "close"]].max(axis=1), low=frame[["open", "close"]].min(axis=1), volume=1000, source="test"
    )


def _save_models(con: Connection) -> None:
    models.save_strategy(
        con, Strategy(HYPOTHESIS, "Ridge over *price* features", MODEL, HypothesisStatus.DEPLOYED, D(1), "core")
    )
    promoted = Deployment(
        MODEL, DeploymentAction.PROMOTE, DeploymentState.DONE, None, 1, "ab" * 32, SESSIONS[0], "me", "first", NOW, {}
    )
    models.append_deployment(con, promoted)
    for session in SESSIONS[:-1]:
        ranks = RANKING[RANK_IC.get(session, 1.0)]
        scores = pd.Series([rank / 100 for rank in ranks], index=list(DAILY_GAIN_USD))
        models.save_predictions(con, session, HYPOTHESIS, MODEL, 1, scores, "predict", NOW)
    checks = (
        DriftCheck(DriftFamily.FEATURE, "momentum", "psi", 0.41, 0.2, DriftVerdict.DRIFT),
        DriftCheck(DriftFamily.PREDICTION, "prediction", "psi", 0.05, 0.2, DriftVerdict.OK),
    )
    models.save_drift(con, DriftReport(EVE, HYPOTHESIS, MODEL, 1, checks), "drift", NOW)


def _save_trading(con: Connection) -> None:
    bought = [_order("AAPL", 50), _order("NA", 70)]
    denied = _order("TRUE", 10).denied("MAX_ORDERS: orders=3, limit=2")
    lines = tuple(
        PlanLine(order.symbol, 0.01, D("0.1"), D(100), order.quantity, (), order.quantity, D(0), D(0), order)
        for order in [*bought, denied]
    )
    plan = Plan(EVE, LAST, ACCOUNT, EQUITY[EVE], CASH[EVE], {MODEL: 1}, {}, lines)
    store_orders.save_plan(con, plan, "trade", NOW)
    fills = [
        Fill(f"ex{number}.01", order.order_ref, number, ACCOUNT, number, order.symbol, OrderSide.BUY,
             D(order.quantity), D(price), FILLED_AT, D("1.00"))
        for number, (order, price) in enumerate(zip(bought, (120, 110), strict=True))
    ]  # fmt: skip
    trading.save_fills(con, fills, NOW)
    held = [Position("AAPL", D(50), D(120), D(124), 1), Position("NA", D(70), D(110), D(112), 2)]
    trading.save_positions(con, LAST, ACCOUNT, held, NOW)
    for session in (EVE, LAST):
        money = trading.Equity(session, ACCOUNT, EQUITY[session], CASH[session], NOW, D(0), UNREALIZED[session], D(2))
        trading.save_equity(con, money)
        trading.save_tracking(con, session, ACCOUNT, EQUITY[session], BACKTEST[session], 3800.0)
    trading.save_breaks(con, LAST, ACCOUNT, [Break(LAST, ACCOUNT, "position", "TRUE", "0", "5", "bought by hand")])


def _order(symbol: str, quantity: int) -> Order:
    return Order(
        symbol, OrderSide.BUY, quantity, order_ref=order_ref(EVE, ACCOUNT, HYPOTHESIS, symbol, OrderSide.BUY),
        session=EVE, for_session=LAST, account=ACCOUNT, strategy=HYPOTHESIS,
    )  # fmt: skip
