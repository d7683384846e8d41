"""Fitting a model and judging it on sessions that it has not seen. Knows no registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from hrp.errors import DataError, ModelError, StaleDataError
from hrp.ml.dataset import LABEL, Split, training_frame, walk_forward_splits
from hrp.ml.features import FeatureSet, Panel, compute
from hrp.ml.scoring import score
from hrp.ports import TrainedModel

PREDICTION = "prediction"
REFERENCE_SESSIONS = 504
SAMPLE_ROWS = 200

Calibrate = Callable[[pd.DataFrame], Mapping[str, float]]


def ridge(seed: int) -> Any:
    """An unfitted ridge regression on standardised features, medians for what is missing; equal data, equal fit."""
    return Pipeline([
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("ridge", Ridge(alpha=10.0, solver="cholesky", random_state=seed)),
    ])  # fmt: skip


def train(
    panel: Panel,
    *,
    model_name: str,
    feature_set: FeatureSet,
    through: date,
    first: date | None = None,
    horizon: int = 5,
    folds: int = 5,
    embargo: int = 5,
    seed: int = 7,
    build: Callable[[int], Any] = ridge,
    calibrate: Calibrate | None = None,
) -> TrainedModel:
    """A model fitted on everything known at the close of `through`, with its walk-forward record.

    Args:
        panel: bars; sessions after `through` are not looked at, so no label matures after it.
        first: the earliest session to fit on; features may look further back. None takes all.
        horizon: sessions from prediction to outcome.
        folds: walk-forward test blocks, each predicted by a model fitted on what lies before it.
        embargo: sessions left out before each test block, beyond the purge of `horizon`.
        seed: feeds the estimator and the draw of the sample.
        build: seed to an unfitted scikit-learn estimator.
        calibrate: reference frame to the drift threshold of each column; None gives no thresholds.

    Returns:
        `metrics` as `hrp.ml.scoring.score` names them; `reference`, the last two years of out-of-sample rows:
        session, symbol, the features and `prediction`; `sample`, up to 200 rows in the same columns that the final
        model predicted, by which a registered copy proves that it is the same model.

    Raises:
        StaleDataError: the panel does not reach `through`.
        DataError: too few sessions.
        ModelError: the predictions out of sample are not finite.
    """
    known = _known_at(panel, through)
    frame = training_frame(compute(feature_set, known), known.wide("close"), horizon)
    frame = frame if first is None else frame.loc[pd.Timestamp(first) :]
    if frame.empty:
        raise DataError(
            f"no row to train {model_name} on from {first or 'the start'} through {through}: {feature_set.name} looks "
            f"back {feature_set.lookback_sessions} sessions and the panel has {len(known.sessions)}"
        )
    names = list(feature_set.names)
    unfitted = build(seed)
    splits = walk_forward_splits(_sessions(frame), folds, horizon, embargo)
    scored = _out_of_sample(unfitted, frame, names, splits)
    reference = _reference(scored, names)
    final = _fitted(unfitted, frame, names)
    return TrainedModel(
        model_name=model_name,
        estimator=final,
        feature_set=feature_set.name,
        features=feature_set.names,
        trained_through=through,
        params={
            "horizon": horizon, "folds": folds, "embargo": embargo, "seed": seed, "feature_set": feature_set.name,
            "first": frame.index[0][0].date().isoformat(), "through": through.isoformat(), "rows": len(frame),
            "symbols": frame.index.get_level_values("symbol").nunique(), "estimator": _one_line(unfitted),
        },
        metrics=score(scored, horizon),
        thresholds=dict(calibrate(reference)) if calibrate else {},
        reference=reference,
        sample=_sample(final, frame, names, seed),
    )  # fmt: skip


def _known_at(panel: Panel, through: date) -> Panel:
    known = panel.through(through)
    newest = known.sessions[-1].date() if len(known.sessions) else None
    if newest != through:
        raise StaleDataError(
            f"training through {through} needs its prices, the newest are of {newest}; "
            f"run: hrp run prices --session {through}"
        )
    return known


def _sessions(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index.get_level_values("session").unique())


def _fitted(unfitted: Any, frame: pd.DataFrame, names: list[str]) -> Any:
    return clone(unfitted).fit(frame[names], frame[LABEL])


def _out_of_sample(unfitted: Any, frame: pd.DataFrame, names: list[str], splits: list[Split]) -> pd.DataFrame:
    # Parallel runs in this process unless joblib was told of a cluster: the folds know nothing of each other.
    parts = Parallel()(delayed(_fold)(unfitted, *split.select(frame), names) for split in splits)
    scored: pd.DataFrame = pd.concat([part.assign(fold=number) for number, part in enumerate(parts, start=1)])
    if not np.isfinite(scored[PREDICTION]).all():
        raise ModelError(f"{int((~np.isfinite(scored[PREDICTION])).sum())} out-of-sample predictions are not finite")
    return scored


def _fold(unfitted: Any, train_rows: pd.DataFrame, test_rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    predictions = _fitted(unfitted, train_rows, names).predict(test_rows[names])
    return test_rows.assign(**{PREDICTION: predictions})


def _reference(scored: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    start = _sessions(scored)[-REFERENCE_SESSIONS:][0]
    recent: pd.DataFrame = scored.loc[start:, [*names, PREDICTION]]
    return recent.reset_index()


def _sample(final: Any, frame: pd.DataFrame, names: list[str], seed: int) -> pd.DataFrame:
    drawn = frame[names].sample(min(SAMPLE_ROWS, len(frame)), random_state=seed).sort_index()
    return drawn.assign(**{PREDICTION: final.predict(drawn)}).reset_index()


def _one_line(estimator: Any) -> str:
    return " ".join(repr(estimator).split())
