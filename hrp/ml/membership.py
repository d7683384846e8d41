"""Features over a universe that changes: each session is compared with those who were members then."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.domain.membership import is_member
from hrp.ml.features import FIELDS, FeatureSet, Panel, compute


def compute_for_members(feature_set: FeatureSet, panel: Panel, members: pd.DataFrame) -> pd.DataFrame:
    """As `compute` gives, each row out of a panel of the members of its session, as the night of that session had it.

    A name has rows for the sessions of its membership alone, and they look back on its bars from before it.

    Args:
        members: symbol, start_session, end_session (missing: still a member), both included.
    """
    member = is_member(panel.sessions, panel.symbols, members)
    ever_outside = (np.isfinite(panel.close) & ~member).any(axis=0)
    if not ever_outside.any():
        return compute(feature_set, panel)
    left_out = ~member & ever_outside
    changes = np.flatnonzero((left_out[1:] != left_out[:-1]).any(axis=1)) + 1
    parts = []
    for start, stop in pairwise([0, *changes, len(panel.sessions)]):
        seen = _part(panel, slice(max(start - feature_set.lookback_sessions + 1, 0), stop), ~left_out[start])
        values = compute(feature_set, seen)
        parts.append(values.loc[panel.sessions[start] :])
    return pd.concat(parts)


def _part(panel: Panel, rows: slice, columns: NDArray[np.bool_]) -> Panel:
    fields = (np.ascontiguousarray(getattr(panel, field)[rows][:, columns]) for field in FIELDS)
    return Panel(panel.sessions[rows], panel.symbols[columns], *fields)
