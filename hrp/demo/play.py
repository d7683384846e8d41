"""The demo's acts, in the order in which a newcomer would take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from hrp.agents.jobs import JobRun
from hrp.agents.runner import NIGHTLY, Options, execute
from hrp.api import research, strategies
from hrp.api.platform import PlatformAPI
from hrp.data import orders as store_orders
from hrp.data import trading
from hrp.demo.stage import ACCOUNT, CASH, Stage
from hrp.domain.deployment import ModelVersion
from hrp.domain.orders import Order
from hrp.domain.positions import Break, Fill, Position
from hrp.domain.sessions import previous_session
from hrp.errors import DataError
from hrp.gateway import client
from hrp.research.evaluation import compare_equity

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult

MODEL = "demo-ridge"
TITLE = "Ridge over price features, five sessions ahead"
TRAIN_FROM = date(2010, 1, 4)
PLACE_ORDER = 3
SEND = Options(trading_dry_run=False)
Say = Callable[[str], None]


@dataclass
class Playbill:
    """What the demo has to tell at the end."""

    version: ModelVersion
    long_backtest: BacktestResult
    runs: list[JobRun] = field(default_factory=list)
    rerun_sends: int = 0
    dry_run_hash: str = ""
    real_hash: str = ""
    preview: JobRun | None = None


@dataclass(frozen=True)
class Outcome:
    """The account after the last night, out of the ledger, and the backtest of the same nights."""

    equity: list[trading.Equity]
    positions: list[Position]
    fills: list[Fill]
    orders: list[Order]
    breaks: list[Break]
    nights_backtest: BacktestResult
    index: pd.Series[float]

    @property
    def parity_cents(self) -> int:
        """The largest difference between the account's equity and the backtest's in any session, in cents.

        Raises:
            DataError: a session stands in only one of the two.
        """
        paper = pd.Series({pd.Timestamp(row.session): row.net_liquidation_usd for row in self.equity})
        comparison = compare_equity(paper, self.nights_backtest.equity)
        if comparison.isna().any(axis=None):
            raise DataError(f"account and backtest do not have the same sessions:\n{comparison}")
        return int(comparison["difference_cents"].abs().max())


def research_act(stage: Stage, say: Say) -> Playbill:
    """Load, check, train, promote, backtest."""
    api = PlatformAPI(stage.app)
    say(f"prices of 20 US stocks through {stage.eve}, and their quality")
    run_jobs(stage, ("prices", "quality"), stage.eve)
    say("features, walk-forward training, registration")
    version = api.train_model(MODEL, stage.eve, TRAIN_FROM)
    say(f"promotion of {version.label} through the gate")
    api.deploy_model(MODEL, version.version, actor="demo", reason="first champion")
    strategies.deploy_strategy(stage.app, MODEL, TITLE)
    say("backtest of its out-of-sample predictions with vectorbt")
    two_years = previous_session(stage.eve, 500)
    return Playbill(version, api.run_backtest(MODEL, version.version, two_years, stage.eve, CASH))


def run_jobs(stage: Stage, names: tuple[str, ...], session: date, options: Options = SEND) -> list[JobRun]:
    """Run jobs for a session; all must end well."""
    runs = [run for name in names for run in execute(stage.app, name, session, options, lambda _: None)]
    bad = [f"{run.job} {run.session}: {run.result.status} {run.result.alert}" for run in runs if run.result.exit_code]
    if bad:
        raise DataError(f"the demo stops: {'; '.join(bad)}")
    return runs


def nights_act(stage: Stage, bill: Playbill, advance: Callable[[date], None]) -> None:
    """Every night, each followed by the next session at the gateway; in the middle one also a dry run first."""
    middle = stage.nights[len(stage.nights) // 2]
    run_jobs(stage, ("position-sync",), stage.eve)
    for session in stage.nights:
        advance(session)
        stage.evening_of(session)
        if session == middle:
            bill.dry_run_hash = _plan_hash(execute(stage.app, NIGHTLY, session, Options(dry_run=True), lambda _: None))
        runs = execute(stage.app, NIGHTLY, session, SEND, lambda _: None)
        bill.runs += runs
        if session == middle:
            bill.real_hash = _plan_hash(runs)
    stage.evening_of(stage.last)
    bill.runs += run_jobs(stage, ("prices", "quality", "position-sync"), stage.last)


def again_act(stage: Stage, bill: Playbill) -> None:
    """One night again, which must send nothing; and the next night as a dry run."""
    state = stage.app.settings.gateway_dir
    before = len(client.message_log(state, direction="in", message_id=PLACE_ORDER))
    execute(stage.app, NIGHTLY, stage.nights[len(stage.nights) // 2], SEND, lambda _: None)
    bill.rerun_sends = len(client.message_log(state, direction="in", message_id=PLACE_ORDER)) - before
    preview = execute(stage.app, NIGHTLY, stage.last, Options(dry_run=True), lambda _: None)
    bill.preview = next(run for run in preview if run.job == "live-trader")


def reckoning(stage: Stage) -> Outcome:
    """The account in the ledger, held against the gateway's and the backtest's.

    Raises:
        DataError: ledger and gateway differ in cash or net liquidation.
    """
    backtest = research.backtest_nights(stage.app, stage.nights, CASH)
    index = stage.source.load_index()
    with stage.app.store().read() as con:
        equity = [row for row in trading.load_equity(con, ACCOUNT) if row.session >= stage.nights[0]]
        outcome = Outcome(
            equity=equity,
            positions=trading.load_positions(con, ACCOUNT),
            fills=trading.load_fills(con, ACCOUNT),
            orders=store_orders.load_orders(con, account=ACCOUNT),
            breaks=[b for row in equity for b in trading.load_breaks(con, ACCOUNT, row.session)],
            nights_backtest=backtest,
            index=index,
        )
    _require_same_books(stage, outcome)
    _save_tracking(stage, outcome)
    return outcome


def _require_same_books(stage: Stage, outcome: Outcome) -> None:
    gateway, ledger = client.status(stage.app.settings.gateway_dir), outcome.equity[-1]
    pairs = {"cash": (gateway.cash, ledger.cash_usd), "equity": (gateway.net_liquidation, ledger.net_liquidation_usd)}
    for what, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise DataError(f"{what} in the gateway is {theirs} USD, in the ledger {ours} USD")


def _save_tracking(stage: Stage, outcome: Outcome) -> None:
    backtest = outcome.nights_backtest.equity
    with stage.app.store().write() as con:
        for row in outcome.equity:
            day = pd.Timestamp(row.session)
            usd = Decimal(f"{backtest[day]:.2f}")
            level = float(outcome.index[day])
            trading.save_tracking(con, row.session, ACCOUNT, row.net_liquidation_usd, usd, level)
    stage.app.store().publish()


def _plan_hash(runs: list[JobRun]) -> str:
    trader = next(run for run in runs if run.job == "live-trader")
    return str(trader.result.facts["plan_hash"])
