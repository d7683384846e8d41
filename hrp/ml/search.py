"""Hyperparameter search that counts: every trial is judged out of sample and held against the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils.parallel import Parallel, delayed

from hrp.errors import UsageError
from hrp.ml.features import FeatureSet, Panel
from hrp.ml.labels import label_named
from hrp.ml.scoring import rank_ic, sharpe, top_minus_bottom
from hrp.ml.splits import Split, combinatorial_splits, walk_forward_splits
from hrp.ml.training import known_at, predicted, ridge, rows_to_fit, sessions_of
from hrp.ml.trials import Search, Trial

Space = Mapping[str, Sequence[Any]]


def search(
    panel: Panel,
    space: Space,
    *,
    feature_set: FeatureSet,
    through: date,
    first: date | None = None,
    members: pd.DataFrame | None = None,
    draws: int | None = None,
    label: str = "forward_return",
    horizon: int = 5,
    folds: int = 5,
    test_folds: int | None = None,
    embargo: int = 5,
    seed: int = 7,
    build: Callable[[int], Any] = ridge,
) -> Search:
    """Every combination of `space`, or a random draw of them, judged on sessions that its models have not seen.

    Trials and folds go through joblib: in this process, or on the cluster that joblib was told of, with the same
    result. By walk-forward, the best trial's figures are those of the model that `hrp.ml.training.train` makes of it.

    Args:
        panel, feature_set, through, first, members, label, horizon, folds, embargo, seed, build: as in `train`.
        space: name of a parameter of the estimator to the values to try.
        draws: how many combinations, drawn by `seed` without repetition; None tries all.
        test_folds: None judges by walk-forward; a number by combinatorial purged cross-validation, that many of `folds`
            blocks at a time, a session's figures being the mean over the models that predicted it.

    Raises:
        UsageError: the space is empty or names a parameter that the estimator does not have, or `draws` is below 1.
        StaleDataError, DataError, ModelError: as in `train`.
    """
    if unknown := sorted(set(space) - set(build(seed).get_params())):
        raise UsageError(f"the estimator has no parameter {unknown[0]!r}; it has {', '.join(build(seed).get_params())}")
    chosen = _draw(space, draws, seed)
    kind = label_named(label, horizon)
    frame = rows_to_fit(known_at(panel, through), feature_set, kind, first, members)
    sessions, names = sessions_of(frame), list(feature_set.names)
    if test_folds is None:
        splits = walk_forward_splits(sessions, folds, kind.reach, embargo)
    else:
        splits = combinatorial_splits(sessions, folds, test_folds, kind.reach, embargo)
    parts = Parallel()(
        delayed(_judged)(build(seed).set_params(**params), frame, names, split) for params in chosen for split in splits
    )
    daily = [
        pd.concat(parts[start : start + len(splits)]).groupby(level="session").mean()
        for start in range(0, len(parts), len(splits))
    ]
    trials = tuple(
        Trial(number, params, seed, float(days["rank_ic"].mean()), sharpe(days["spread"].to_numpy(), horizon).ratio)
        for number, (params, days) in enumerate(zip(chosen, daily, strict=True), start=1)
    )
    return Search(
        trials, pd.concat({trial.number: days["spread"] for trial, days in zip(trials, daily, strict=True)}, axis=1)
    )


def _draw(space: Space, draws: int | None, seed: int) -> list[dict[str, Any]]:
    if not space or not all(len(values) for values in space.values()):
        raise UsageError(f"a search needs at least one parameter with at least one value each, got {dict(space)}")
    grid = ParameterGrid(dict(space))
    if draws is None or draws >= len(grid):
        return list(grid)
    if draws < 1:
        raise UsageError(f"a search makes at least 1 draw, got {draws}")
    return list(ParameterSampler(dict(space), draws, random_state=seed))


def _judged(unfitted: Any, frame: pd.DataFrame, names: Sequence[str], split: Split) -> pd.DataFrame:
    """Rank correlation and spread of each test session; few numbers, so that a cluster sends few back."""
    rows = predicted(unfitted, frame, names, split)
    predictions, earned = rows["prediction"], rows["earned"]
    return pd.DataFrame({"rank_ic": rank_ic(predictions, earned), "spread": top_minus_bottom(predictions, earned)})
