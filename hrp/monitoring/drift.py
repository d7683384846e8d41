"""Drift of features and predictions, measured with Evidently.

The statistic is Evidently's `wasserstein`: the mean distance that a value has to move for the current window to look
like the reference, in standard deviations of the reference. It is named because Evidently's default changes with the
number of rows, and chosen over PSI because PSI's equal bins span both samples: one absurd value puts everything else
in a single bin and hides any shift, and one bad session among 63 stays below 0.2. Calling the statistic itself
takes milliseconds where a report takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from hrp.domain.drift import DriftCheck, DriftFamily, DriftVerdict, judge
from hrp.errors import DataError
from hrp.monitoring.faults import KEYS, fault_checks, finite_values, require_panel

with warnings.catch_warnings():
    # Evidently 0.7 touches numpy.core and deprecated parts of litestar while it is imported; nothing we could change.
    warnings.simplefilter("ignore", DeprecationWarning)
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import wasserstein_stat_test
    from evidently.legacy.core import ColumnType
    from evidently.presets import DataDriftPreset

METHOD = "wasserstein"
DRIFT_THRESHOLD = 0.2
PREDICTION = "prediction"
WINDOW_SESSIONS = 63
MIN_ROWS = 100
# A long reference is represented by this many evenly spaced order statistics of itself.
REFERENCE_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class EvidentlyDetector:
    """Compares a current window with the reference that travels with a model version.

    `min_rows` is how many finite values a column needs in the window and in the reference to be compared at all.
    """

    min_rows: int = MIN_ROWS

    def measure(
        self, current: pd.DataFrame, reference: pd.DataFrame, thresholds: Mapping[str, float]
    ) -> list[DriftCheck]:
        """The distance of each column of `thresholds`, then its data faults.

        Both frames have columns session, symbol and the columns of `thresholds`; `current` is a window of sessions,
        pooled over symbols, as long as the one the thresholds were calibrated for. The distance of `prediction` is
        of family PREDICTION, that of every other column FEATURE, faults are DATA (see `faults.fault_checks`).
        A column that is absent, not numeric, nearly empty or constant in the reference, or whose threshold is no
        positive number, is `COULD_NOT_CHECK` and says why.

        What is claimed: OK means that the window is no farther from the reference than the threshold. No rate of
        false alarms is claimed: rows of one session move together and windows of neighbouring nights share most of
        their rows, so these are not independent draws (see `calibrate`).

        Raises:
            DataError: a frame is not keyed by session and symbol.
        """
        require_panel(current, "current window")
        require_panel(reference, "reference")
        distances = [self._distance_check(current, reference, column, limit) for column, limit in thresholds.items()]
        return distances + fault_checks(current, reference, list(thresholds))

    def calibrate(
        self, reference: pd.DataFrame, columns: Sequence[str], window_sessions: int, floor: float
    ) -> dict[str, float]:
        """The threshold of each column for windows of `window_sessions` sessions: see the function `calibrate`."""
        return calibrate(reference, columns, window_sessions, floor=floor)

    def write_report(self, current: pd.DataFrame, reference: pd.DataFrame, path: Path) -> Path:
        """`path`, now holding Evidently's page on every column of the reference that can be compared.

        Values are shown in standard deviations of the reference around its mean, so that the page states the
        distances that `measure` states. The page is complete or not there.

        Raises:
            DataError: a frame is not keyed by session and symbol, or no column can be compared.
        """
        require_panel(current, "current window")
        require_panel(reference, "reference")
        then, now, reasons = {}, {}, []
        for column in reference.columns.drop(KEYS):
            try:
                yardstick, values = self._pair(current, reference, column)
            except DataError as error:
                reasons.append(f"{column}: {error}")
            else:
                then[column], now[column] = yardstick.points, values.reset_index(drop=True)
        if not now:
            raise DataError(
                f"there is nothing to draw in {path}: {'; '.join(reasons) or 'the reference has no column'}"
            )
        _save_page(pd.DataFrame(now), pd.DataFrame(then), path)
        return path

    def _distance_check(
        self, current: pd.DataFrame, reference: pd.DataFrame, column: str, threshold: float
    ) -> DriftCheck:
        family = DriftFamily.PREDICTION if column == PREDICTION else DriftFamily.FEATURE
        try:
            if not (isfinite(threshold) and threshold > 0):
                raise DataError(f"the threshold is {threshold}, not a positive number")
            yardstick, values = self._pair(current, reference, column)
            value = yardstick.distance(values)
        except DataError as error:
            return DriftCheck(family, column, METHOD, None, threshold, DriftVerdict.COULD_NOT_CHECK, str(error))
        median = values.quantile(interpolation="lower")
        detail = f"{len(values)} values, median {median:+.3g} standard deviations from the reference's mean"
        return DriftCheck(family, column, METHOD, value, threshold, judge(value, threshold), detail)

    def _pair(self, current: pd.DataFrame, reference: pd.DataFrame, column: str) -> tuple[_Yardstick, pd.Series[float]]:
        yardstick = _Yardstick.of(finite_values(reference, column, "reference", self.min_rows))
        return yardstick, yardstick.scaled(finite_values(current, column, "current window", self.min_rows))


def calibrate(
    reference: pd.DataFrame,
    columns: Sequence[str],
    window_sessions: int = WINDOW_SESSIONS,
    *,
    step_sessions: int = 7,
    floor: float = DRIFT_THRESHOLD,
    margin: float = 2.0,
) -> dict[str, float]:
    """The drift threshold of each column, out of what normal windows of the version's own history looked like.

    Windows of `window_sessions` sessions slide over the out-of-sample history `reference` (columns session, symbol
    and `columns`) in steps of `step_sessions`; each is held against the sessions outside it by the statistic that
    `measure` uses. The threshold is the largest distance seen, times `margin`, and never below `floor`, the
    documented `drift_threshold`. Windows with fewer than `MIN_ROWS` finite values are passed over.

    What is claimed: no window of the history would alarm. What is not: a rate of false alarms. Two years hold eight
    windows that do not overlap, so the largest distance seen is far from the largest there is. The margin makes up
    for that and for fifteen columns that may each alarm: in simulated panels (15 independent columns, a market-wide
    part with a half-life of 14 sessions, two years) a later window alarms in any column with a margin of 1 in 68 %,
    1.5 in 14 %, 2 in 3 % of the cases. A rate for the version at hand needs resampling of its own history.

    Raises:
        DataError: the history is shorter than two windows, or a column cannot be compared with itself.
    """
    require_panel(reference, "reference")
    ordered = reference.sort_values("session", kind="stable")
    windows = _windows(ordered, window_sessions, step_sessions)
    return {column: max(floor, margin * _farthest(ordered, column, windows)) for column in columns}


def _windows(ordered: pd.DataFrame, window_sessions: int, step_sessions: int) -> list[slice]:
    """The rows of each window of `ordered`, which is sorted by session; the newest window is among them."""
    sessions = ordered["session"].to_numpy()
    starts = np.flatnonzero(np.append(True, sessions[1:] != sessions[:-1])) if len(sessions) else np.empty(0, int)
    if len(starts) < 2 * window_sessions:
        raise DataError(
            f"the reference covers {len(starts)} sessions and thresholds for windows of {window_sessions} sessions "
            f"need {2 * window_sessions}; train with a longer out-of-sample history or a shorter window"
        )
    bounds, last = [*starts.tolist(), len(sessions)], len(starts) - window_sessions
    return [slice(bounds[i], bounds[i + window_sessions]) for i in sorted({*range(0, last, step_sessions), last})]


def _farthest(ordered: pd.DataFrame, column: str, windows: Sequence[slice]) -> float:
    """The largest distance between one of `windows` and the rows outside it."""
    try:
        everything = finite_values(ordered, column, "reference", MIN_ROWS)
        yardstick = _Yardstick.of(everything)
    except DataError as error:
        raise DataError(f"no drift threshold for {column}: {error}; leave it out of the features") from error
    distances = []
    for window in windows:
        values = finite_values(ordered[[column]].iloc[window], column, "window", 0)
        outside = len(everything) - len(values)
        if min(len(values), outside) >= MIN_ROWS:
            # The window is part of the reference. This distance is linear in mixtures, so what the window holds
            # against itself comes out exactly: d(window, outside) = d(window, everything) / (share of outside).
            distances.append(yardstick.distance(yardstick.scaled(values)) * len(everything) / outside)
    if not distances:
        raise DataError(f"no drift threshold for {column}: no window of the reference has {MIN_ROWS} finite values")
    return max(distances)


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """One column of the reference, in standard deviations around its mean.

    The scaling is done here because Evidently takes no standard deviation to be below 0.001, which would shrink the
    distances of predicted returns, and hide them.
    """

    mean: float
    spread: float
    points: pd.Series[float]

    @classmethod
    def of(cls, values: pd.Series[float]) -> Self:
        low, high = values.min(), values.max()
        if low == high:
            raise DataError(f"the reference is constant at {low}")
        mean, spread = float(values.mean()), float(values.std(ddof=0))
        return cls(mean, spread, (_thinned(values) - mean) / spread)

    def scaled(self, values: pd.Series[float]) -> pd.Series[float]:
        return (values - self.mean) / self.spread

    def distance(self, scaled: pd.Series[float]) -> float:
        """How far `scaled` lies from the reference; infinite or NaN where the numbers overflow."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                result = wasserstein_stat_test(self.points, scaled, ColumnType.Numerical, DRIFT_THRESHOLD)
        except (ValueError, TypeError) as error:
            raise DataError(f"Evidently refused: {error}") from error
        return float(result.drift_score)


def _thinned(values: pd.Series[float]) -> pd.Series[float]:
    ordered = np.sort(values.to_numpy())
    if len(ordered) > REFERENCE_POINTS:
        ordered = ordered[((np.arange(REFERENCE_POINTS) + 0.5) * (len(ordered) / REFERENCE_POINTS)).astype(int)]
    return pd.Series(ordered)


def _save_page(current: pd.DataFrame, reference: pd.DataFrame, path: Path) -> None:
    columns = list(current.columns)
    definition = DataDefinition(numerical_columns=columns)
    now, then = (Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference))
    preset = DataDriftPreset(columns=columns, num_method=METHOD, num_threshold=DRIFT_THRESHOLD)
    page = Report([preset]).run(now, then)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    page.save_html(str(unfinished))
    unfinished.replace(path)
