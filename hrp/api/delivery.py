"""What a source gives, made ready for the store: bars of closed sessions, as traded, and when they were known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from hrp.data import market
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.rebased import Adjustment, undo_splits
from hrp.domain.sessions import exchange_day, require_closed
from hrp.ports import PriceSource
from hrp.wiring import App


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bars as the port `PriceSource` says, `session` a date, all known since `known_at`.

    `adjustment` is what is left in them: `RAW`, unless the source adjusts for dividends too, which cannot be undone.
    """

    bars: pd.DataFrame
    adjustment: Adjustment
    known_at: datetime


def fetch_bars(app: App, source: PriceSource, symbols: Sequence[str] | None, first: date, last: date) -> Delivery:
    """The bars of `symbols` (None: all that the source has) from `first` to session `last`.

    Raises:
        SessionError: `last` is no session, or has not closed: its bars would be unfinished.
        UsageError, DataError, BrokerError: as the port `PriceSource` says.
    """
    require_closed(last, app.clock.now())
    bars = source.fetch_bars(symbols, first, last)
    if source.adjustment is Adjustment.SPLITS:
        bars = undo_splits(bars, _stored_splits(app, symbols, first))
    dated = bars.assign(session=pd.to_datetime(bars["session"]).dt.date)
    return Delivery(dated, left_in(source.adjustment), app.clock.now())


def left_in(adjustment: Adjustment) -> Adjustment:
    """What remains of a source's `adjustment` in the bars that are delivered."""
    return Adjustment.RAW if adjustment is Adjustment.SPLITS else adjustment


def _stored_splits(app: App, symbols: Sequence[str] | None, first: date) -> pd.DataFrame:
    """The splits for which a source that tells of none has restated its bars: those ex up to now."""
    with app.store().read() as con:
        actions = market.load_corporate_actions(con, symbols, first, exchange_day(app.clock.now()))
    return actions[actions["kind"] == ActionKind.SPLIT]
