"""Does a feature read the future, or more of the past than it says? Asked by changing what it must not read (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.ml.features import FIELDS, Feature, Matrix, Panel, evaluate

CUTS = 5
HOLED_PCT = 0.3


class Reads(StrEnum):
    """What a feature was found to read."""

    DECLARED = "its look-back and nothing else"
    FUTURE = "the future"
    MORE_PAST = "more of the past than its look-back"
    NOTHING = "nothing that could be compared: it has no value on this panel"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`session` and `symbol` are the first that changed, `before` and `after` its values; None if none changed.

    `change` says what was done to the bars that the feature must not read. `compared` counts the values that were held
    against their first evaluation.
    """

    feature: str
    reads: Reads
    compared: int
    change: str | None = None
    session: date | None = None
    symbol: str | None = None
    before: float | None = None
    after: float | None = None

    @property
    def honest(self) -> bool:
        return self.reads is Reads.DECLARED

    def __str__(self) -> str:
        """One line: what it reads, and the evidence."""
        line = f"{self.feature} reads {self.reads}"
        if self.session is None:
            return f"{line} ({self.compared} values compared)"
        return f"{line}: {self.symbol} in {self.session} was {self.before} and is {self.after} when {self.change}"


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """A panel on which the feature's rows of `sessions` must come out as they did on the first."""

    breaks: Reads
    change: str
    panel: Panel
    sessions: pd.DatetimeIndex


def examine(feature: Feature, panel: Panel, seed: int = 7) -> Verdict:
    """Evaluate a feature again with other futures and other pasts: every value must stay, to the last bit.

    At several sessions t, on the panel as it is and with the newest bars of some names taken out: the bars after t
    become others or do not exist (no row up to t may change), the bars before the look-back of t become others or do
    not exist (row t may not change). A panel that is not longer than the look-back shows nothing.

    Args:
        seed: draws the changes; equal seeds, equal verdicts.
    """
    compared = 0
    oldest, newest = feature.lookback_sessions - 1, len(panel.sessions) - 2
    cuts = np.unique(np.linspace(oldest, max(oldest, newest), CUTS).astype(np.int64))
    cuts = cuts[cuts <= newest]
    for whole in (panel, _with_holes(panel, cuts, seed)):
        values = evaluate(feature, whole)
        for probe in _probes(feature, whole, cuts, seed):
            before = values[whole.sessions.get_indexer(probe.sessions)]
            after = evaluate(feature, probe.panel)[probe.panel.sessions.get_indexer(probe.sessions)]
            compared += int(np.isfinite(before).sum())
            changed = (before != after) & (np.isfinite(before) | np.isfinite(after))
            if changed.any():
                t, s = np.argwhere(changed)[0]
                return Verdict(
                    feature.name, probe.breaks, compared, probe.change, probe.sessions[t].date(),
                    str(whole.symbols[s]), float(before[t, s]), float(after[t, s]),
                )  # fmt: skip
    return Verdict(feature.name, Reads.DECLARED if compared else Reads.NOTHING, compared)


def made_panel(sessions: int, symbols: int = 12, seed: int = 7) -> Panel:
    """Bars of names that never were: random walks with gaps, ranges, volumes and a few missing bars."""
    rng = np.random.default_rng(seed)
    shape = (sessions, symbols)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    opens = close * np.exp(rng.normal(0.0, 0.01, shape))
    matrices: dict[str, Matrix] = {
        "open": opens,
        "high": np.maximum(opens, close) * (1.0 + rng.uniform(0.0, 0.01, shape)),
        "low": np.minimum(opens, close) * (1.0 - rng.uniform(0.0, 0.01, shape)),
        "close": close,
        "volume": rng.integers(100_000, 1_000_000, shape).astype(np.float64),
    }
    missing = np.where(np.arange(symbols) < symbols // 4, 0.02, 0.0) > rng.random(shape)
    for matrix in matrices.values():
        matrix[missing] = np.nan
    names = pd.Index([f"MADE{number:04d}" for number in range(symbols)], name="symbol", dtype="str")
    return Panel(pd.bdate_range("2020-01-02", periods=sessions, name="session"), names, **matrices)


def _probes(feature: Feature, panel: Panel, cuts: NDArray[np.int64], seed: int) -> Iterator[_Probe]:
    for cut in cuts:
        known, now = panel.sessions[: cut + 1], panel.sessions[cut]
        others = _changed(panel, slice(cut + 1, None), seed)
        yield _Probe(Reads.FUTURE, f"the bars after {now:%F} were others", others, known)
        yield _Probe(Reads.FUTURE, f"there were no bars after {now:%F}", panel.rows(slice(0, cut + 1)), known)
    for cut in cuts:
        first, now = cut - feature.lookback_sessions + 1, panel.sessions[cut : cut + 1]
        start = panel.sessions[first]
        others = _changed(panel, slice(0, first), seed)
        yield _Probe(Reads.MORE_PAST, f"the bars before {start:%F} were others", others, now)
        yield _Probe(Reads.MORE_PAST, f"there were no bars before {start:%F}", panel.rows(slice(first, None)), now)


def _changed(panel: Panel, rows: slice, seed: int) -> Panel:
    """Every bar in `rows` another one."""
    rng = np.random.default_rng(seed)
    matrices = {field: getattr(panel, field).copy() for field in FIELDS}
    for matrix in matrices.values():
        matrix[rows] *= rng.uniform(0.1, 10.0, matrix[rows].shape)
    return replace(panel, **matrices)


def _with_holes(panel: Panel, cuts: NDArray[np.int64], seed: int) -> Panel:
    """No bars of some names in the last sessions up to each cut: what fills holes from behind is seen there."""
    names = np.random.default_rng(seed).random(len(panel.symbols)) < HOLED_PCT
    matrices = {field: getattr(panel, field).copy() for field in FIELDS}
    for matrix in matrices.values():
        for cut in cuts:
            matrix[max(cut - 1, 0) : cut + 1, names] = np.nan
    return replace(panel, **matrices)
