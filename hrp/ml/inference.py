"""A loaded model and one session's features to predictions, joined by key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import pandas as pd

from hrp.errors import DataError, FeatureMismatchError, ModelError, RequirementNotMetError
from hrp.ml.dataset import MAX_MISSING_PCT, complete_enough
from hrp.ports import LoadedModel

NAMED = 5


def predict(loaded: LoadedModel, features: pd.DataFrame, session: date | None = None) -> pd.Series[float]:
    """Predictions, index symbol, name `prediction`, sorted by symbol.

    Args:
        loaded: the version, pinned by the caller for the night.
        features: index symbol, one column per feature in any order; further columns are ignored. A symbol that
            lacks more than half of the features gets no prediction (`too_incomplete` names it); fewer are
            imputed as in training.
        session: only for the messages.

    Raises:
        FeatureMismatchError: a feature of the model has no column.
        DataError: a symbol comes twice or is not text, or a feature is infinite.
        ModelError: a prediction is not finite.
    """
    asked = _asked(loaded, features, session)
    usable = asked[complete_enough(asked)]
    values = loaded.estimator.predict(usable) if len(usable) else np.empty(0)
    predictions = pd.Series(values, index=usable.index, name="prediction", dtype=np.float64)
    if not np.isfinite(predictions).all():
        odd = predictions.index[~np.isfinite(predictions)]
        raise ModelError(f"{loaded.version.label} predicts no finite number for {_some(list(odd))}{_of(session)}")
    return predictions


def predict_history(loaded: LoadedModel, features: pd.DataFrame) -> pd.DataFrame:
    """Many sessions at once: session, symbol, the model's features, `prediction`.

    Args:
        features: index (session, symbol), one column per feature. Rows that lack more than half of the model's
            features are kept, with a missing prediction, so that a drift check sees the hole.
    """
    names = list(loaded.version.features)
    asked = features[names].astype(np.float64)
    usable = complete_enough(asked)
    predictions = pd.Series(np.nan, index=asked.index)
    if usable.any():
        predictions[usable] = loaded.estimator.predict(asked[usable])
    return asked.assign(prediction=predictions).reset_index()


def too_incomplete(loaded: LoadedModel, features: pd.DataFrame) -> dict[str, str]:
    """The symbols that `predict` leaves out, each with its reason, by symbol."""
    asked = _asked(loaded, features, None)
    missing = asked.isna().sum(axis="columns")[~complete_enough(asked)]
    return {
        str(symbol): f"{count} of {asked.shape[1]} features missing, at most {MAX_MISSING_PCT:.0%} may be"
        for symbol, count in missing.items()
    }


def _asked(loaded: LoadedModel, features: pd.DataFrame, session: date | None) -> pd.DataFrame:
    names = list(loaded.version.features)
    if missing := [name for name in names if name not in features.columns]:
        command = "hrp run features" + (f" --session {session}" if session else "")
        raise FeatureMismatchError(
            f"{loaded.version.label} was trained on {len(names)} features of the set {loaded.version.feature_set}; "
            f"{len(missing)} are not offered{_of(session)}: {_some(missing)}; run: {command}"
        )
    odd = [symbol for symbol in features.index if not isinstance(symbol, str)]
    if odd:
        raise DataError(f"features must be keyed by symbols of text, they hold {odd[0]!r}{_of(session)}")
    if not features.index.is_unique:
        repeated = sorted(set(features.index[features.index.duplicated()]))
        raise DataError(f"features hold {_some(repeated)} more than once{_of(session)}")
    # One layout in memory, whoever made the frame: a library adds up in another order for another layout.
    asked = features[names].sort_index()
    asked = pd.DataFrame(np.ascontiguousarray(asked.to_numpy(np.float64)), index=asked.index, columns=asked.columns)
    infinite = np.isinf(asked.to_numpy()).any(axis=1)
    if infinite.any():
        raise DataError(f"features of {_some(list(asked.index[infinite]))} are infinite{_of(session)}")
    return asked


def require_coverage(
    predicted: Collection[str] | pd.Series[float], universe: Collection[str], floor_pct: float, *, session: date
) -> None:
    """Nothing, if at least `floor_pct`, a fraction in (0, 1], of `universe` has a prediction.

    Raises:
        RequirementNotMetError: fewer have one (an empty universe has none); the message counts and names them.
    """
    wanted = set(universe)
    covered = wanted & set(predicted.index if isinstance(predicted, pd.Series) else predicted)
    share = len(covered) / len(wanted) if wanted else 0.0
    if share < floor_pct:
        raise RequirementNotMetError(
            f"predictions for session {session} cover {len(covered)} of {len(wanted)} symbols ({share:.1%}), "
            f"{floor_pct * 100:g}% is required; without one: {_some(sorted(wanted - covered))}; "
            f"run: hrp run features --session {session}"
        )


def _of(session: date | None) -> str:
    return f" for session {session}" if session else ""


def _some(names: Sequence[object]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(map(str, names[:NAMED])) or "none") + more
