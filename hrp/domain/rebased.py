"""Bars that a vendor states in today's shares, back in the shares that were traded."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

_PRICE_DECIMALS = 4  # the finest price of a US stock


class Adjustment(StrEnum):
    """What a source has done to its bars before it hands them over."""

    RAW = "raw"
    SPLITS = "splits"
    TOTAL_RETURN = "splits and dividends"


def undo_splits(bars: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """`bars` as they were traded: prices times, volumes by the shares that one of them has become since.

    Args:
        bars: symbol, session (datetime64), open, high, low, close (USD), volume (shares), restated for every split
            up to now.
        splits: symbol, ex_session (datetime64) and value (new shares for one old) of every split since the first bar.

    Returns:
        The same rows; prices have 4 decimals and volumes are whole, so that what a vendor restates in its last digits
        is no news.
    """
    shares = np.ones(len(bars))
    for symbol, ex_session, value in zip(splits["symbol"], splits["ex_session"], splits["value"], strict=True):
        shares[((bars["symbol"] == symbol) & (bars["session"] < ex_session)).to_numpy()] *= value
    prices = bars[["open", "high", "low", "close"]].mul(shares, axis=0).round(_PRICE_DECIMALS)
    return bars.assign(**prices, volume=(bars["volume"] / shares).round())
