"""From features and closes to what a model is fitted and judged on (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrp.errors import DataError

LABEL = "label"
MAX_MISSING_PCT = 0.5


def forward_returns(closes: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return from the close of a session to the close `horizon` sessions later, less the mean of its section.

    Args:
        closes: index session (every exchange session, ascending), columns symbol, USD.
        horizon: sessions, at least 1.

    Returns:
        The same shape; NaN where either close is missing, so the last `horizon` rows are NaN.
    """
    if horizon < 1:
        raise DataError(f"the horizon of a label must be at least 1 session, got {horizon}")
    returns = closes.shift(-horizon) / closes - 1.0
    return returns.sub(returns.mean(axis="columns"), axis="index")


def training_frame(features: pd.DataFrame, closes: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Features and `label`, index (session, symbol) ascending, for every key that has a label and enough features.

    Args:
        features: index (session, symbol), one column per feature.
        closes: index session, columns symbol. A label needs a close `horizon` sessions on: what is cut off here
            matures in no label.
        horizon: sessions.
    """
    wide = forward_returns(closes, horizon).rename_axis(index="session", columns="symbol")
    labels = wide.melt(ignore_index=False, value_name=LABEL).set_index("symbol", append=True).dropna()
    return features[complete_enough(features)].join(labels, how="inner").sort_index()


def complete_enough(features: pd.DataFrame) -> pd.Series[bool]:
    """True for each row in which at most `MAX_MISSING_PCT` of the columns are missing: the rule of fit and night."""
    return features.isna().mean(axis="columns") <= MAX_MISSING_PCT


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Sessions to fit on and later ones to predict, both ascending and without a gap."""

    train: pd.DatetimeIndex
    test: pd.DatetimeIndex

    def select(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of `frame`, index (session, symbol) ascending, to fit on and to predict."""
        return frame.loc[self.train[0] : self.train[-1]], frame.loc[self.test[0] : self.test[-1]]


def walk_forward_splits(sessions: pd.DatetimeIndex, folds: int, horizon: int, embargo: int) -> list[Split]:
    """`folds` expanding training windows, each followed by the next equal block of test sessions.

    Between the two lie `horizon + embargo` unused sessions: a label that looks `horizon` sessions ahead ends before
    the first test session (purge), and `embargo` further ones keep slow features from reaching across.

    Raises:
        DataError: too few sessions for the first window; the message gives the number needed.
    """
    gap = horizon + embargo
    if folds < 1 or len(sessions) <= (folds + 1) * gap:
        raise DataError(
            f"{len(sessions)} sessions are too few for {folds} walk-forward folds with horizon {horizon} and embargo "
            f"{embargo}: at least 1 fold and more than {(folds + 1) * gap} sessions are needed; start earlier or ask "
            f"for fewer folds"
        )
    blocks = np.array_split(np.arange(len(sessions)), folds + 1)
    return [Split(sessions[: block[0] - gap], sessions[block]) for block in blocks[1:]]
