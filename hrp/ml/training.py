"""Fitting a model and judging it on sessions that it has not seen. Knows no registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from sklearn.utils.validation import has_fit_parameter

from hrp.errors import DataError, ModelError, StaleDataError
from hrp.ml.dataset import EARNED, LABEL, WEIGHT, data_sha256, training_frame
from hrp.ml.features import FeatureSet, Panel, compute
from hrp.ml.labels import Label, label_named, require_honest
from hrp.ml.membership import compute_for_members
from hrp.ml.scoring import ONE_TRIAL, score
from hrp.ml.splits import Split, walk_forward_splits
from hrp.ml.trials import Search
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
    members: pd.DataFrame | None = None,
    label: str = "forward_return",
    horizon: int = 5,
    folds: int = 5,
    embargo: int = 5,
    seed: int = 7,
    build: Callable[[int], Any] = ridge,
    found: Search | None = None,
    calibrate: Calibrate | None = None,
) -> TrainedModel:
    """A model fitted on everything known at the close of `through`, with its walk-forward record.

    Equal bars, code, versions of the libraries and seed give the same model and figures, byte for byte.

    Args:
        panel: bars; sessions after `through` are not looked at, so no label matures after it.
        first: the earliest session to fit on; features may look further back. None takes all.
        members: who belonged to the universe when, as `hrp.ml.membership` takes it; None: everyone, always.
        label: a kind of `hrp.ml.labels`.
        horizon: sessions from prediction to outcome.
        folds: walk-forward test blocks, each predicted by a model fitted on what lies before it.
        embargo: sessions left out before each test block, beyond the purge of what the label reads.
        seed: feeds the estimator, the draw of the sample and the bootstrap.
        build: seed to an unfitted scikit-learn estimator. It gets sample weights if it takes them.
        found: a search over the same rows; its best parameters are set, its trials count against the result.
        calibrate: reference frame to the drift threshold of each column; None gives no thresholds.

    Returns:
        `metrics` as `hrp.ml.scoring.score` names them; `reference`, the last two years of out-of-sample rows:
        session, symbol, the features and `prediction`; `sample`, up to 200 rows in the same columns that the final
        model predicted, by which a registered copy proves that it is the same model; `trials`, what was searched.

    Raises:
        StaleDataError: the panel does not reach `through`.
        DataError: too few sessions, or a label that reads what it must not.
        ModelError: the predictions out of sample are not finite.
    """
    kind = label_named(label, horizon)
    known = known_at(panel, through)
    frame = rows_to_fit(known, feature_set, kind, first, members)
    names = list(feature_set.names)
    unfitted = build(seed) if found is None else found.best_of(build)
    splits = walk_forward_splits(sessions_of(frame), folds, kind.reach, embargo)
    scored = _out_of_sample(unfitted, frame, names, splits)
    reference = _reference(scored, names)
    final = fitted(unfitted, frame, names)
    return TrainedModel(
        model_name=model_name,
        estimator=final,
        feature_set=feature_set.name,
        features=feature_set.names,
        trained_through=through,
        params={
            "label": kind.name, "horizon": horizon, "folds": folds, "embargo": embargo, "seed": seed,
            "feature_set": feature_set.name, "first": frame.index[0][0].date().isoformat(),
            "through": through.isoformat(), "rows": len(frame),
            "symbols": frame.index.get_level_values("symbol").nunique(), "estimator": _one_line(unfitted),
            "data_sha256": data_sha256(known, members),
        },
        metrics=score(scored, horizon, tried=ONE_TRIAL if found is None else found.tried, seed=seed),
        thresholds=dict(calibrate(reference)) if calibrate else {},
        reference=reference,
        sample=_sample(final, frame, names, seed),
        trials=None if found is None else found.table(),
    )  # fmt: skip


def known_at(panel: Panel, through: date) -> Panel:
    """What `panel` knows at the close of `through`.

    Raises:
        StaleDataError: it does not reach that session.
    """
    known = panel.through(through)
    newest = known.sessions[-1].date() if len(known.sessions) else None
    if newest != through:
        raise StaleDataError(
            f"training through {through} needs its prices, the newest are of {newest}; "
            f"run: hrp run prices --session {through}"
        )
    return known


def rows_to_fit(
    known: Panel, feature_set: FeatureSet, label: Label, first: date | None, members: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The frame of `hrp.ml.dataset.training_frame` from `first` on.

    Raises:
        DataError: there is no row, or the label reads what it must not.
    """
    require_honest(label, known)
    computed = compute(feature_set, known) if members is None else compute_for_members(feature_set, known, members)
    frame = training_frame(computed, known, label)
    frame = frame if first is None else frame.loc[pd.Timestamp(first) :]
    if frame.empty:
        through = known.sessions[-1].date()
        raise DataError(
            f"no row to train on from {first or 'the start'} through {through}: {feature_set.name} looks "
            f"back {feature_set.lookback_sessions} sessions and the panel has {len(known.sessions)}"
        )
    return frame


def sessions_of(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """The sessions of a frame, index (session, symbol), each once."""
    return pd.DatetimeIndex(frame.index.get_level_values("session").unique())


def fitted(unfitted: Any, frame: pd.DataFrame, names: Sequence[str]) -> Any:
    """A fitted copy of an estimator, with the sample weights of `frame` if it takes them.

    Raises:
        ModelError: it refuses its parameters or the rows.
    """
    last, prefix = (unfitted[-1], f"{unfitted.steps[-1][0]}__") if isinstance(unfitted, Pipeline) else (unfitted, "")
    weights = {f"{prefix}sample_weight": frame[WEIGHT].to_numpy()} if has_fit_parameter(last, "sample_weight") else {}
    try:
        return clone(unfitted).fit(frame[names], frame[LABEL], **weights)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{_one_line(unfitted)} cannot be fitted to {len(frame)} rows: {reason}") from error


def predicted(unfitted: Any, frame: pd.DataFrame, names: Sequence[str], split: Split) -> pd.DataFrame:
    """The test rows of a split, `prediction` and `earned`, as a model says that was fitted on its training rows.

    Raises:
        ModelError: a prediction is not finite.
    """
    train_rows, test_rows = split.select(frame)
    predictions = fitted(unfitted, train_rows, names).predict(test_rows[names])
    if not np.isfinite(predictions).all():
        count = int((~np.isfinite(predictions)).sum())
        raise ModelError(f"{count} out-of-sample predictions of {_one_line(unfitted)} are not finite")
    return pd.DataFrame({PREDICTION: predictions, EARNED: test_rows[EARNED]}, index=test_rows.index)


def _out_of_sample(unfitted: Any, frame: pd.DataFrame, names: Sequence[str], splits: Sequence[Split]) -> pd.DataFrame:
    # Parallel runs in this process unless joblib was told of a cluster: the folds know nothing of each other.
    parts = Parallel()(delayed(predicted)(unfitted, frame, names, split) for split in splits)
    scored: pd.DataFrame = pd.concat([part.assign(fold=number) for number, part in enumerate(parts, start=1)])
    return scored.join(frame[list(names)])


def _reference(scored: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    start = sessions_of(scored)[-REFERENCE_SESSIONS:][0]
    recent: pd.DataFrame = scored.loc[start:, [*names, PREDICTION]]
    return recent.reset_index()


def _sample(final: Any, frame: pd.DataFrame, names: Sequence[str], seed: int) -> pd.DataFrame:
    drawn = frame[list(names)].sample(min(SAMPLE_ROWS, len(frame)), random_state=seed).sort_index()
    return drawn.assign(**{PREDICTION: final.predict(drawn)}).reset_index()


def _one_line(estimator: Any) -> str:
    return " ".join(repr(estimator).split())
