"""One door to the stores: every method hands on to the room that owns the matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hrp.api import books, breaks, deployments, hypotheses, inference, nights, research, strategies
from hrp.data import features as store_features
from hrp.data import journal, market, trading
from hrp.data import models as store_models
from hrp.data import orders as store_orders
from hrp.data.db import published_copy
from hrp.data.ledger import StoreLedger
from hrp.domain.book import AdjustmentKind
from hrp.domain.breaks import Lock
from hrp.domain.deployment import Deployment, ModelVersion, Strategy
from hrp.domain.drift import DriftReport
from hrp.domain.flatten import Left
from hrp.domain.lineage import Event
from hrp.domain.lost import Bounds
from hrp.domain.orders import Order, OrderStatus
from hrp.domain.plan import Plan
from hrp.domain.positions import Break, BrokerState, Fill, Instrument
from hrp.domain.promotion import GateCheck
from hrp.domain.quality import Finding
from hrp.domain.sessions import FIRST_SESSION, last_closed
from hrp.wiring import App

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult

BACKTEST_CASH = Decimal("1000000.00")


@dataclass(frozen=True, slots=True)
class PlatformAPI:
    """Reads and writes of one workspace. It holds no SQL, no arithmetic and no method that takes SQL to write."""

    app: App

    # Market data

    def get_universe(self, as_of_date: date) -> list[str]:
        """Members of the configured universe on a session."""
        with self.app.store().read() as con:
            return market.load_universe(con, self.app.settings.universe, as_of_date)

    def get_prices(self, symbols: Sequence[str], start_date: date, end_date: date) -> pd.DataFrame:
        """Raw bars: see `hrp.data.market.load_prices`."""
        with self.app.store().read() as con:
            return market.load_prices(con, symbols, start_date, end_date)

    def get_features(self, as_of_date: date) -> pd.DataFrame:
        """Stored features of a session: index symbol, one column per feature."""
        with self.app.store().read() as con:
            return store_features.load_features(con, self.app.settings.feature_set, as_of_date)

    def fetch_bars(self, session: date) -> pd.DataFrame:
        """What the source has from the first session that the store lacks up to `session`."""
        return nights.fetch_bars(self.app, session)

    def store_bars(self, bars: pd.DataFrame, run_id: str) -> int:
        """Keep bars that are new or say something new, and the universe if there is none yet."""
        return nights.store_bars(self.app, bars, run_id)

    def store_actions(self, session: date) -> int:
        """Keep the source's corporate actions around a session that are new or say something new; how many."""
        return nights.store_actions(self.app, session)

    def run_quality_checks(self, as_of_date: date, run_id: str = "by-hand") -> list[Finding]:
        """Judge a session's bars and keep the findings."""
        return nights.check_quality(self.app, as_of_date, run_id)

    def compute_features(self, session: date) -> pd.DataFrame:
        """Compute and keep the session's features."""
        return nights.compute_features(self.app, session)

    # Models

    def create_hypothesis(
        self, title: str, model_name: str, test: Sequence[str], *, actor: str, allocation: Decimal = Decimal(1)
    ) -> Strategy:
        """A new draft hypothesis that names its model and what would refute it."""
        return hypotheses.write(self.app, title, model_name, test, actor=actor, allocation=allocation)

    def get_deployed_strategies(self) -> list[Strategy]:
        """The strategies that trade."""
        return strategies.deployed(self.app)

    def train_model(
        self,
        model_name: str,
        through: date,
        first: date | None = None,
        space: Mapping[str, Sequence[Any]] | None = None,
        draws: int | None = None,
    ) -> ModelVersion:
        """Train with walk-forward validation, after a search if one is asked for, log and register.

        No alias of the night moves.
        """
        return research.train_model(self.app, model_name, through, first, space, draws)

    def deploy_model(self, model_name: str, version: int, actor: str, reason: str) -> Deployment:
        """Promote a version through the gate."""
        return deployments.promote(
            self.app, model_name, version,
            session=self.today(), actor=actor, reason=reason, backtest=self.backtest_record,
        )  # fmt: skip

    def judge_version(self, model_name: str, version: int) -> list[GateCheck]:
        """What the gate would say of a version, the champion beside it; nothing is written."""
        return deployments.judge(self.app, model_name, version, self.backtest_record)

    def backtest_record(self, version: ModelVersion) -> BacktestResult:
        """Backtest everything that a version predicted out of sample and that travels with it."""
        return self.run_backtest(version.model_name, version.version, FIRST_SESSION, self.today(), BACKTEST_CASH)

    def rollback_deployment(
        self, model_name: str, to_version: int | None = None, *, actor: str, reason: str
    ) -> Deployment | None:
        """Move the champion back; None if there was nothing to go back to and the model is frozen instead."""
        session = self.today()
        return deployments.rollback(
            self.app, model_name, to_version=to_version, session=session, actor=actor, reason=reason
        )

    def roll_back_once(self, model_name: str, from_version: int, session: date, reason: str) -> str:
        """What drift does when it may: roll `from_version` back unless that was done; the act in words."""
        return deployments.roll_back_once(self.app, model_name, from_version, session, reason)

    def resolve_champion(self, strategy: Strategy, session: date) -> deployments.Champion:
        """The version for a session, pinned by what was predicted before."""
        return deployments.pinned_champion(self.app, strategy, session)

    def predict_model(
        self, model_name: str, symbols: Sequence[str], as_of_date: date, model_version: int | None = None
    ) -> pd.Series[float]:
        """Predictions from the stored features of a session, by symbol; by default with the champion."""
        return inference.predict_model(self.app, model_name, symbols, as_of_date, model_version)

    def predict_session(
        self, strategy: Strategy, version: ModelVersion, session: date, run_id: str
    ) -> tuple[pd.Series[float], dict[str, str]]:
        """Predict the universe and keep the predictions; with them the names left out, each with its reason."""
        return inference.predict_session(self.app, strategy, version, session, run_id)

    def get_model_predictions(
        self,
        model_name: str,
        as_of_date: date | None = None,
        *,
        start_date: date | None = None,
        end_date: date | None = None,
    ) -> pd.DataFrame:
        """Stored predictions of one session or a range: session, strategy, symbol, model_version, prediction."""
        first, last = (as_of_date, as_of_date) if as_of_date else (start_date, end_date)
        with self.app.store().read() as con:
            return store_models.load_prediction_history(con, None, first, last, model_name=model_name)

    def check_model_drift(self, strategy: Strategy, session: date, run_id: str = "by-hand") -> DriftReport:
        """Measure drift of the version that predicted a session and keep the verdict."""
        return inference.check_drift(self.app, strategy, session, run_id)

    def run_backtest(
        self, model_name: str, version: int | None, first: date, last: date, cash: Decimal
    ) -> BacktestResult:
        """Backtest a version's out-of-sample predictions by the night's own decision function."""
        return research.backtest_version(self.app, model_name, version, first, last, cash)

    # Trading

    def get_nights(self, session: date) -> list[nights.Night]:
        """What each strategy that predicted a session brings to its plan."""
        return nights.load_nights(self.app, session, self.get_deployed_strategies())

    def make_plan(self, session: date, brought: Sequence[nights.Night], state: BrokerState) -> Plan:
        """The decision of a session."""
        return nights.make_plan(self.app, session, brought, state)

    def store_plan(self, plan: Plan, run_id: str, kind: str = store_orders.NIGHT) -> None:
        """Keep a plan with its orders, before any is sent."""
        with self.app.store().write() as con:
            store_orders.save_plan(con, plan, run_id, self.app.clock.now(), kind)

    def get_plan(self, session: date, account: str) -> dict[str, object] | None:
        """Figures of the stored plan of a session, or None."""
        return books.plan_facts(self.app, session, account)

    def get_orders(
        self, *, account: str, session: date | None = None, statuses: frozenset[OrderStatus] | None = None
    ) -> list[Order]:
        """Orders of the ledger."""
        with self.app.store().read() as con:
            return store_orders.load_orders(con, session=session, account=account, statuses=statuses)

    def get_plan_bounds(self, session: date, account: str) -> Bounds:
        """What the stored plan of a session lets be sent."""
        return nights.plan_bounds(self.app, session, account)

    def require_known_instruments(self, found: Mapping[str, Instrument]) -> None:
        """Keep the broker's instruments; refuse a symbol that now names another one."""
        nights.require_known_instruments(self.app, found)

    def order_ledger(self) -> StoreLedger:
        """Where the life of an order is written down."""
        return StoreLedger(self.app.store(), self.app.clock.now)

    def get_fills(self, account: str) -> list[Fill]:
        """Executions that are stored, oldest first."""
        with self.app.store().read() as con:
            return trading.load_fills(con, account)

    def keep_executions(self, state: BrokerState) -> Mapping[str, Decimal]:
        """Keep the executions of a state; the shares that the account must then hold by the ledger."""
        return breaks.keep_executions(self.app, state)

    def store_snapshot(self, session: date, state: BrokerState) -> list[Break]:
        """Keep positions, equity and profit of a session; every difference from the broker, explained or locked."""
        return books.store_snapshot(self.app, session, state)

    def get_locks(self, account: str) -> list[Lock]:
        """What must not be traded until a person has resolved it."""
        return breaks.load_locks(self.app, account)

    def get_strategy_names(
        self, account: str, strategy: str, held: Mapping[str, Decimal]
    ) -> tuple[list[str], list[Left]]:
        """The names that only one strategy's orders are about, and those that it shares."""
        return breaks.strategy_names(self.app, account, strategy, held)

    def get_open_subjects(self, account: str) -> list[str]:
        """Everything that a person may have to resolve: locked subjects and orders without an answer."""
        return breaks.open_subjects(self.app, account)

    def resolve_break(
        self, session: date, state: BrokerState, subject: str, kind: AdjustmentKind, reason: str
    ) -> breaks.Resolution:
        """Take the broker's word for one subject, on a person's word, and lift its locks."""
        return breaks.resolve(self.app, session, state, subject, kind, reason)

    def get_orders_across_splits(self, session: date, state: BrokerState) -> list[str]:
        """The working orders whose size a split makes wrong, in words."""
        return breaks.across_splits(self.app, session, state)

    def get_live_positions(self, as_of_date: date | None = None) -> pd.DataFrame:
        """Holdings of the last sync at or before a session."""
        return books.live_positions(self.app, as_of_date)

    def get_executed_trades(
        self,
        symbol: str | None = None,
        start_date: date | None = None,
        end_date: date | None = None,
        limit: int = 100,
    ) -> pd.DataFrame:
        """Executions, the newest first, with the documented columns."""
        return books.executed_trades(self.app, symbol, start_date, end_date, limit)

    def get_portfolio_value(self) -> Decimal | None:
        """Net liquidation in USD at the last sync; None before the first."""
        return books.portfolio_value(self.app)

    # Runs and events

    def start_run(self, run_id: str, job: str, session: date, requires: Sequence[str] = ()) -> list[str]:
        """Write down that a job has begun; which of the jobs that it requires have not succeeded for the session."""
        with self.app.store().write() as con:
            journal.mark_killed(con)
            journal.start_run(con, run_id, job, session, self.app.clock.now(), dry_run=self.app.dry)
            return [name for name in requires if journal.last_status(con, name, session) not in GOOD]

    def finish_run(
        self,
        run_id: str,
        job: str,
        session: date,
        status: str,
        seconds: float,
        rows: int,
        facts: Mapping[str, object],
        alert: str = "",
    ) -> None:
        """Write down how a job ended, in the journal and as an event, and publish a copy of the store."""
        now = self.app.clock.now()
        details = {"status": status, "rows": rows, "alert": alert}
        with self.app.store().write(publish=True) as con:
            journal.finish_run(con, run_id, status, now, seconds, rows, facts, alert or None)
            journal.append_event(con, Event("job_finished", now, "hrp", job, session, run_id, details))

    def log_event(
        self,
        event_type: str,
        actor: str,
        hypothesis_id: str | None = None,
        details: Mapping[str, object] | None = None,
        *,
        subject: str | None = None,
    ) -> None:
        """Add an event to the lineage; its subject is the hypothesis unless another is named."""
        event = Event(event_type, self.app.clock.now(), actor, subject or hypothesis_id or "", details=details)
        with self.app.store().write() as con:
            journal.append_event(con, event)

    def session_report(self, session: date) -> str:
        """One page of text about a session."""
        return books.session_report(self.app, session)

    def query_readonly(self, sql: str, params: Sequence[object] = ()) -> pd.DataFrame:
        """Any query over the published copy, which cannot be written."""
        with published_copy(self.app.settings.published_dir) as con:
            return con.execute(sql, list(params)).df()

    def publish(self) -> Path:
        """Publish a read-only copy of the store."""
        return self.app.store().publish()

    def today(self) -> date:
        """The last closed session."""
        return last_closed(self.now())

    def now(self) -> datetime:
        """The instant of the app's clock."""
        return self.app.clock.now()


GOOD = frozenset({"success", "ok", "drift_detected", "explained", "breaks", "nothing_to_do", "dry_run"})
