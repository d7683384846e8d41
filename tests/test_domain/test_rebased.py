"""Bars in today's shares, brought back into the shares that were traded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hrp.domain.rebased import undo_splits

DAYS = pd.to_datetime(["2020-08-28", "2020-08-31", "2020-09-01"])


def bars(symbol: str, closes: list[float], volumes: list[float]) -> pd.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    return pd.DataFrame({"symbol": symbol, "session": DAYS, **prices, "volume": volumes})


def splits(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "ex_session", "value"])
    return frame.assign(ex_session=pd.to_datetime(frame["ex_session"]))


@pytest.mark.parametrize(
    ("known", "closes", "volumes"),
    [
        ([("AAPL", "2020-08-31", 4.0)], [499.24, 129.04, 134.18], [100, 400, 400]),
        ([("AAPL", "2020-08-31", 4.0), ("AAPL", "2020-09-01", 0.5)], [249.62, 64.52, 134.18], [200, 800, 400]),
        ([("AAPL", "2020-08-28", 7.0), ("MSFT", "2020-08-31", 2.0)], [124.81, 129.04, 134.18], [400, 400, 400]),
        ([], [124.81, 129.04, 134.18], [400, 400, 400]),
    ],
)
def test_a_bar_is_in_the_shares_of_its_day_and_the_ex_day_is_a_new_one(known, closes, volumes):
    given = bars("AAPL", [124.81, 129.04, 134.18], [400, 400, 400])
    undone = undo_splits(given, splits(*known))
    assert undone["close"].tolist() == closes
    assert undone["volume"].tolist() == volumes
    assert undone[["symbol", "session"]].equals(given[["symbol", "session"]])


def test_what_a_vendor_writes_in_single_precision_is_a_price_and_a_hole_stays_one():
    given = bars("AAPL", [124.80750274658203, np.nan, 134.17999267578125], [400, np.nan, 401])
    undone = undo_splits(given, splits(("AAPL", "2020-08-31", 4.0)))
    assert undone["open"].fillna(-1).tolist() == [499.23, -1, 134.18]
    assert undone["volume"].fillna(-1).tolist() == [100, -1, 401]
