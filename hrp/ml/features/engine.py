"""Features of a panel: one evaluation for the whole history and for its last session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import UsageError
from hrp.ml.features.definition import Feature, FeatureSet
from hrp.ml.features.operations import store
from hrp.ml.features.panel import Matrix, Panel

TILE_CELLS = 1 << 16  # half a megabyte a matrix: what a formula makes on its way stays in the processor's cache


def compute(feature_set: FeatureSet, panel: Panel, last_only: bool = False) -> pd.DataFrame:
    """Feature values, index (session, symbol), one float64 column per feature.

    There is a row for every session and symbol with a close, and NaN for a feature that has no value there.
    `last_only` computes the last session alone, from its look-back alone, with the same result.

    Raises:
        UsageError: a formula returns a matrix of another shape than the panel's.
    """
    rows = slice(-1, None) if last_only else slice(None)
    present = np.isfinite(panel.close[rows])
    # One piece of memory, feature by feature, which is how a frame holds its columns: nothing is copied again.
    values = np.empty((len(feature_set.features), np.count_nonzero(present)))
    for part in _parts(panel, present):
        for feature, column in zip(feature_set.features, values, strict=True):
            if feature.cross_section is part.cross_section:
                seen = part.panel.tail(feature.lookback_sessions) if last_only else part.panel
                store(evaluate(feature, seen)[rows], part.present, part.starts, column)
    keys = pd.MultiIndex.from_product([panel.sessions[rows], panel.symbols], names=["session", "symbol"])
    index = keys if present.all() else keys[present.ravel()]
    return pd.DataFrame(values.T, index=index, columns=list(feature_set.names), copy=False)


def evaluate(feature: Feature, panel: Panel) -> Matrix:
    """The formula's matrix [session × symbol], which may hold infinities where it divided by zero.

    Raises:
        UsageError: it has another shape.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = feature.formula(*(getattr(panel, field) for field in feature.inputs))
    if values.shape != panel.close.shape:
        raise UsageError(f"feature {feature.name} returns a matrix {values.shape} for a panel {panel.close.shape}")
    return values


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some symbols, in which rows they are present, and where in a column their part of each row starts."""

    panel: Panel
    present: NDArray[np.bool_]
    starts: NDArray[np.int64]
    cross_section: bool


def _parts(panel: Panel, present: NDArray[np.bool_]) -> Iterator[_Part]:
    """The panel whole, for the features that need all names of a session at once, then in tiles of symbols."""
    counts = np.count_nonzero(present, axis=1)
    starts = np.cumsum(counts) - counts
    yield _Part(panel, present, starts, cross_section=True)
    width = max(TILE_CELLS // max(len(panel.sessions), 1) // 8, 2) * 8
    for left in range(0, len(panel.symbols), width):
        symbols = slice(left, left + width)
        tile = np.ascontiguousarray(present[:, symbols])
        yield _Part(panel.columns(symbols), tile, starts, cross_section=False)
        starts = starts + np.count_nonzero(tile, axis=1)
