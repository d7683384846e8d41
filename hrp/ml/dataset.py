"""From features and prices to what a model is fitted and judged on (pure)."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.ml.features import FIELDS, Panel
from hrp.ml.labels import Label

LABEL, EARNED, WEIGHT = "label", "earned", "weight"
MAX_MISSING_PCT = 0.5


def training_frame(features: pd.DataFrame, panel: Panel, label: Label) -> pd.DataFrame:
    """Features, `label`, `earned` and `weight` for every key that has a label and enough features.

    Args:
        features: index (session, symbol), one column per feature.
        panel: a label needs the prices up to `label.reach` sessions on: what is cut off here matures in no label.

    Returns:
        Index (session, symbol) ascending; `label` is what to fit, `earned` what the position returned (both as
        `hrp.ml.labels` defines them), `weight` the average uniqueness of the label, 1 in the mean of the frame.
    """
    earned = label.earned(panel)
    target = label.target(panel, earned)
    labelled = target.notna().to_numpy() & earned.notna().to_numpy()
    weights = average_uniqueness(labelled, label.horizon)
    columns = {LABEL: target.to_numpy(), EARNED: earned.to_numpy(), WEIGHT: weights}
    rows, names = labelled.nonzero()
    keys = pd.MultiIndex.from_arrays([panel.sessions[rows], panel.symbols[names]], names=["session", "symbol"])
    labels = pd.DataFrame({name: values[labelled] for name, values in columns.items()}, index=keys)
    frame = features[complete_enough(features)].join(labels, how="inner").sort_index()
    frame[WEIGHT] /= frame[WEIGHT].mean()
    return frame


def average_uniqueness(labelled: NDArray[np.bool_], horizon: int) -> NDArray[np.float64]:
    """How much of each label is its own: the mean over its `horizon` sessions of 1 over the labels open there.

    López de Prado (2018), ch. 4.3; the labels of one name count against each other, those of other names do not.

    Args:
        labelled: [session × symbol], whether the name has a label there. Its return spans the `horizon` sessions after.

    Returns:
        The same shape, in (0, 1]; NaN where there is no label.
    """
    open_there = _window_sums(np.vstack([labelled, np.zeros((horizon, labelled.shape[1]))]), horizon)
    share = np.divide(1.0, open_there, out=np.zeros_like(open_there), where=open_there > 0)
    mean = _window_sums(share, horizon)[horizon - 1 :][: len(labelled)] / horizon
    return np.where(labelled, mean, np.nan)


def _window_sums(x: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The sum of each row and the `window - 1` before it."""
    padded = np.vstack([np.zeros((window, x.shape[1])), np.cumsum(x, axis=0)])
    return padded[window:] - padded[:-window]


def complete_enough(features: pd.DataFrame) -> pd.Series[bool]:
    """True for each row in which at most `MAX_MISSING_PCT` of the columns are missing: the rule of fit and night."""
    return features.isna().mean(axis="columns") <= MAX_MISSING_PCT


def data_sha256(panel: Panel, members: pd.DataFrame | None = None) -> str:
    """sha256 (hex) over sessions, symbols, bars and memberships: equal content, equal hash, in whatever order it came.

    Args:
        members: symbol, start_session, end_session.
    """
    digest = hashlib.sha256("\n".join(panel.symbols).encode())
    digest.update(panel.sessions.to_numpy(dtype="datetime64[D]").astype(np.int64).tobytes())
    for field in FIELDS:
        values = getattr(panel, field)
        digest.update(np.where(np.isnan(values), np.nan, values).tobytes())  # one NaN: they have many bit patterns
    if members is not None:
        terms = (pd.to_datetime(members[name]) for name in ("start_session", "end_session"))
        digest.update("\n".join(sorted(map(str, zip(members["symbol"], *terms, strict=True)))).encode())
    return digest.hexdigest()
