"""Concept drift: do the predictions still rank what came?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hrp.domain.drift import DriftCheck, DriftFamily, DriftVerdict, judge
from hrp.monitoring.faults import KEYS, require_panel

METHOD = "rank_ic_shortfall"
MIN_NAMES = 5  # fewer names in a session give no ranking worth the word


def concept_checks(
    predictions: pd.DataFrame,
    realised: pd.DataFrame,
    *,
    expected_ic: float = 0.0,
    horizon_sessions: int = 1,
    threshold: float = 3.0,
    min_sessions: int = 20,
) -> list[DriftCheck]:
    """One check of family CONCEPT: how far the mean rank IC lies below `expected_ic`, in standard errors.

    The rank IC of a session is Spearman's correlation between its predictions and the returns that followed. Only
    a shortfall alarms, a model that does better than expected does not. Returns over several sessions overlap, so
    `horizon_sessions` of them count as one when the standard error is computed, and that error is never taken to
    be smaller than the one of a model without skill.

    Args:
        predictions: columns session, symbol, prediction, of one model version.
        realised: columns session, symbol, return: what came after the prediction of that session. A session whose
            returns are not known yet has no rows.
        expected_ic: the mean rank IC of the version's walk-forward evaluation; 0 alarms only if the model ranks the
            wrong way round.
        horizon_sessions: how many sessions one return spans.
        threshold: how many standard errors short is drift.
        min_sessions: with fewer matured sessions there is nothing to say.

    Returns:
        Nothing while fewer than `min_sessions` sessions can have matured: a new version is neither stopped for being
        new nor called healthy, so append this to the checks of features and predictions. One check
        `COULD_NOT_CHECK` if enough sessions should have matured and their returns or rankings are not there.

    Raises:
        DataError: a frame is not keyed by session and symbol.
    """
    require_panel(predictions, "frame of predictions")
    require_panel(realised, "frame of realised returns")
    due = predictions["session"].nunique() - horizon_sessions
    if due < min_sessions:
        return []
    ics = _rank_ics(predictions, realised)
    if len(ics) < min_sessions:
        detail = f"{len(ics)} of {due} sessions can be ranked against returns, {min_sessions} are needed"
        return [_check(None, threshold, DriftVerdict.COULD_NOT_CHECK, detail)]
    mean, error = float(ics["ic"].mean()), _standard_error(ics, horizon_sessions)
    shortfall = (expected_ic - mean) / error
    detail = f"mean rank IC {mean:+.4f} over {len(ics)} sessions, {expected_ic:+.4f} expected, error {error:.4f}"
    return [_check(shortfall, threshold, judge(shortfall, threshold), detail)]


def _check(value: float | None, threshold: float, verdict: DriftVerdict, detail: str) -> DriftCheck:
    return DriftCheck(DriftFamily.CONCEPT, "prediction", METHOD, value, threshold, verdict, detail)


def _rank_ics(predictions: pd.DataFrame, realised: pd.DataFrame) -> pd.DataFrame:
    """One row per session that can be ranked: `ic` and `names`."""
    predicted, came = (
        frame[[*KEYS, column]].assign(session=pd.to_datetime(frame["session"]).astype("datetime64[s]"))
        for frame, column in ((predictions, "prediction"), (realised, "return"))
    )
    pairs = predicted.merge(came, on=KEYS, validate="one_to_one")
    pairs = pairs.loc[np.isfinite(pairs[["prediction", "return"]].to_numpy(float)).all(axis=1)]
    centred = pd.DataFrame({name: _centred_ranks(pairs, name) for name in ("prediction", "return")})
    products = pd.DataFrame(
        {
            "both": centred["prediction"] * centred["return"],
            "predicted": centred["prediction"] ** 2,
            "came": centred["return"] ** 2,
            "names": 1.0,
        }
    )
    sums = products.groupby(pairs["session"]).sum()
    sums = sums.loc[(sums["predicted"] > 0) & (sums["came"] > 0) & (sums["names"] >= MIN_NAMES)]
    return sums.assign(ic=sums["both"] / np.sqrt(sums["predicted"] * sums["came"]))[["ic", "names"]]


def _centred_ranks(pairs: pd.DataFrame, column: str) -> pd.Series[float]:
    ranks = pairs.groupby("session")[column].rank()
    return ranks - ranks.groupby(pairs["session"]).transform("mean")


def _standard_error(ics: pd.DataFrame, horizon_sessions: int) -> float:
    # Without skill the rank correlation of k names varies by 1 / (k - 1).
    unskilled = float(np.sqrt((1 / (ics["names"] - 1)).mean()))
    spread = max(float(ics["ic"].std()), unskilled)
    return spread / float(np.sqrt(len(ics) / horizon_sessions))
