"""From predictions to signals: 1 long, 0 flat (pure)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hrp.errors import DataError, UsageError

METHODS = ("rank", "threshold", "zscore")
DEFAULT_THRESHOLD = {"threshold": 0.0, "zscore": 1.0}


def predictions_to_signals(
    predictions: pd.Series[float] | pd.DataFrame,
    method: str = "rank",
    top_pct: float = 0.1,
    threshold: float | None = None,
) -> pd.Series[int]:
    """Signals of one session, index symbol as given, name `signal`, values 1 and 0.

    Args:
        predictions: index symbol; or a frame with the columns symbol and prediction.
        method: `rank` takes the best `top_pct` of the names, ties by symbol; `threshold` every name predicted above
            `threshold`; `zscore` every name more than `threshold` standard deviations above the mean of the session.
        top_pct: a fraction in [0, 1]; the number of names is rounded down, and is at least 1 unless it is 0.
        threshold: in units of the prediction (`threshold`, default 0) or of standard deviations (`zscore`, default 1).

    Raises:
        UsageError: an unknown method, or `top_pct` outside [0, 1].
        DataError: a prediction is not finite, or a symbol comes twice.
    """
    if method not in METHODS:
        raise UsageError(f"there is no signal method {method!r}; there are: {', '.join(METHODS)}")
    if not 0 <= top_pct <= 1:
        raise UsageError(f"top_pct must be a fraction between 0 and 1, got {top_pct}")
    values = _checked(predictions)
    if method == "rank":
        chosen = values.index.isin(_best(values, top_pct))
    else:
        limit = DEFAULT_THRESHOLD[method] if threshold is None else threshold
        chosen = (values if method == "threshold" else _standardised(values)).to_numpy() > limit
    return pd.Series(chosen, index=values.index, name="signal").astype(int)


def _checked(predictions: pd.Series[float] | pd.DataFrame) -> pd.Series[float]:
    values = predictions.set_index("symbol")["prediction"] if isinstance(predictions, pd.DataFrame) else predictions
    if not values.index.is_unique:
        raise DataError(f"{values.index[values.index.duplicated()][0]} has more than one prediction")
    finite = np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if not finite.all():
        raise DataError(f"the prediction of {values.index[~finite][0]} is not a finite number")
    return values.astype(np.float64)


def _best(values: pd.Series[float], top_pct: float) -> list[str]:
    # 1e-9 undoes what binary fractions lose: 0.29 of 100 names is 29, not 28.
    count = max(math.floor(len(values) * top_pct + 1e-9), 1 if top_pct > 0 else 0)
    by_symbol = values.sort_index()
    return list(by_symbol.sort_values(ascending=False, kind="stable").index[:count])


def _standardised(values: pd.Series[float]) -> pd.Series[float]:
    # Predictions that are all equal stand out nowhere: every score is 0.
    deviation = values.std(ddof=0)
    return (values - values.mean()) / deviation if deviation > 0 else values * 0.0
