"""The seams: what the core asks of the outside, each with more than one possible answer behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pandas as pd

from hrp.domain.deployment import ModelVersion
from hrp.domain.drift import DriftCheck
from hrp.domain.orders import Order, OrderStatus
from hrp.domain.positions import Acknowledgement, BrokerState, Instrument, WorkingOrder
from hrp.domain.rebased import Adjustment


class Clock(Protocol):
    """Read in one place, handed to whoever needs it."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""

    def elapsed(self) -> float:
        """Seconds of a clock that only moves forward, for measuring durations."""


class PriceSource(Protocol):
    """Where daily bars come from."""

    @property
    def name(self) -> str:
        """What the `source` column of the stored bars says."""

    @property
    def adjustment(self) -> Adjustment:
        """What was done to the bars before they are handed over; `hrp.api.delivery` undoes splits."""

    def fetch_symbols(self) -> list[str]:
        """Every symbol that the source has. Raises UsageError if they must be named instead."""

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Daily bars: symbol, session (datetime64), open, high, low, close (USD), volume (shares), source.

        Nothing is repaired: holes and errors arrive as they are, and a name that the source does not know has no row.
        None asks for every name, which a vendor refuses with UsageError. Raises DataError or BrokerError if the source
        cannot be read, or what it says is not whole.
        """

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Corporate actions: symbol, ex_session, kind, value, source; a missing value withdraws one.

        At least those of `symbols` ex `first` to `last` that it knows, announced ones included; a source that has more
        at hand may give more. Raises as `fetch_bars` does.
        """


class Broker(Protocol):
    """One account at one broker. Every method raises BrokerError rather than give a partial answer."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def client_id(self) -> int:
        """The number under which orders are sent; they belong to it."""

    def reopen(self) -> None:
        """Close, let the time of grace pass, and open afresh: nothing that one connection learnt is carried over."""

    def server_time(self) -> datetime:
        """The broker's clock, aware, UTC."""

    def state(self) -> BrokerState:
        """Account, positions, working and completed orders and executions, asked for afresh, all complete."""

    def qualify(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """The instrument of each symbol that the broker knows; unknown symbols are left out."""

    def next_order_id(self, above: int = 0) -> int:
        """An order id that this client has never used, greater than `above`."""

    def place(self, order: Order, instrument: Instrument, order_id: int) -> Acknowledgement:
        """Send one order and wait for the broker's word, `UNKNOWN` at the deadline."""

    def cancel(self, working: WorkingOrder) -> Acknowledgement:
        """Ask for a cancellation and wait for the broker's word, `UNKNOWN` at the deadline."""


class Ledger(Protocol):
    """Where the life of an order is written down; each call is committed when it returns, unless it says `later`."""

    def record_status(
        self,
        order_ref: str,
        status: OrderStatus,
        evidence: str,
        *,
        broker_order_id: int | None = None,
        perm_id: int | None = None,
        client_id: int | None = None,
        sending_at: datetime | None = None,
        later: bool = False,
    ) -> None:
        """With `later`, inside a batch, it is committed together with the next step, which is sure to come."""

    def record_note(self, order_ref: str, note: str) -> None:
        """Add to the order's history what does not change its status, such as a request to cancel it."""

    def batch(self) -> AbstractContextManager[None]:
        """Keep the store open between calls, which makes them cheap; nobody else can open it meanwhile."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version with everything that inference and the drift check need.

    `reference` has one row per (session, symbol) of the out-of-sample history: the features and `prediction`.
    """

    version: ModelVersion
    estimator: Any
    reference: pd.DataFrame


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What training hands to the registry: a fitted estimator and everything that must travel with it.

    `trials` has a row for each trial of the search that chose its parameters; None if nothing was searched.
    """

    model_name: str
    estimator: Any
    feature_set: str
    features: tuple[str, ...]
    trained_through: date
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    thresholds: Mapping[str, float]
    reference: pd.DataFrame
    sample: pd.DataFrame
    trials: pd.DataFrame | None = None


class ModelRegistry(Protocol):
    """Versions and aliases. Aliases keep no history: the deployments ledger does."""

    def register(self, model: TrainedModel) -> ModelVersion: ...

    def versions(self, model_name: str) -> list[ModelVersion]:
        """Oldest first; empty if the registry has no such model."""

    def version(self, model_name: str, version: int) -> ModelVersion:
        """Raises ModelNotFoundError."""

    def alias(self, model_name: str, alias: str) -> int | None:
        """The version number that `alias` points to, or None."""

    def set_alias(self, model_name: str, alias: str, version: int) -> None: ...

    def load(self, version: ModelVersion) -> LoadedModel:
        """Raises ModelError if the files no longer have the hash that `version` states."""


class DriftDetector(Protocol):
    """Compares a current window with a reference."""

    def calibrate(
        self, reference: pd.DataFrame, columns: Sequence[str], window_sessions: int, floor: float
    ) -> dict[str, float]:
        """The threshold of each column out of the version's own history, none below `floor`."""

    def measure(
        self, current: pd.DataFrame, reference: pd.DataFrame, thresholds: Mapping[str, float]
    ) -> list[DriftCheck]:
        """One check per column of `thresholds`; a column that cannot be compared is `COULD_NOT_CHECK`."""

    def write_report(self, current: pd.DataFrame, reference: pd.DataFrame, path: Path) -> Path:
        """A page for a person to read."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know. `severity` is `info`, `warning` or `critical`."""

    severity: str
    title: str
    body: str


class Notifier(Protocol):
    def notify(self, alert: Alert) -> None:
        """Raises NotificationError if the alert could not be delivered."""
