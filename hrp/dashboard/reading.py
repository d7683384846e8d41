"""What the pages show, read at once out of the newest published copy: a page never holds the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from hrp.config import Settings
from hrp.data import adjustments, looks, models, trading
from hrp.data.db import published_copy
from hrp.data.looks import Row
from hrp.data.rows import Connection
from hrp.data.trading import Equity
from hrp.domain.breaks import Lock
from hrp.domain.deployment import HypothesisStatus
from hrp.domain.positions import Break

RECENT = 50


@dataclass(frozen=True, slots=True)
class AccountBook:
    """One account: its money by session (oldest first, never empty), and what belongs to its last sync."""

    equity: list[Equity]
    positions: list[Row]
    breaks: list[Break]
    locks: list[Lock]
    tracking: pd.DataFrame


@dataclass(frozen=True, slots=True)
class TradingFacts:
    """What the Trading page shows. `books` by account, empty before the first sync; `predictions` by strategy."""

    books: dict[str, AccountBook]
    trades: list[Row]
    orders: list[Row]
    runs: list[Row]
    strategies: list[Row]
    predictions: dict[str, pd.DataFrame]
    alarms: list[Row]

    @property
    def predicted_session(self) -> date | None:
        """The newest session that a deployed strategy has predictions for."""
        return max((row["predicted_session"] for row in self.strategies if row["predicted_session"]), default=None)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the Models page shows: every strategy, the deployments ledger, the newest session's drift checks."""

    strategies: list[Row]
    ledger: list[Row]
    checks: list[Row]


def read_trading(settings: Settings) -> TradingFacts:
    """The facts of the Trading page.

    Raises:
        SchemaVersionError: nothing was published yet, or by another version of HRP.
    """
    with published_copy(settings.published_dir) as con:
        strategies = [row for row in looks.strategies(con) if row["status"] == HypothesisStatus.DEPLOYED]
        orders = looks.orders(con, None, None, RECENT)
        return TradingFacts(
            books={row["account"]: _book(con, row["account"]) for row in looks.newest_equity(con)},
            trades=looks.trades(con, None, None, None, RECENT),
            orders=[row for row in orders if row["session"] == orders[0]["session"]],
            runs=looks.newest_runs(con),
            strategies=strategies,
            predictions={
                row["hypothesis_id"]: models.load_predictions(con, row["predicted_session"], row["hypothesis_id"])
                for row in strategies
            },
            alarms=looks.drift(con, None, every=False),
        )


def read_models(settings: Settings) -> ModelFacts:
    """The facts of the Models page. Raises as `read_trading` does."""
    with published_copy(settings.published_dir) as con:
        return ModelFacts(looks.strategies(con), looks.ledger(con, None), looks.drift(con, None, every=True))


def _book(con: Connection, account: str) -> AccountBook:
    return AccountBook(
        equity=trading.load_equity(con, account),
        positions=[row for row in looks.positions(con) if row["account"] == account],
        breaks=trading.load_breaks(con, account),
        locks=adjustments.load_locks(con, account),
        tracking=trading.load_tracking(con, account),
    )
