"""Features and predictions of a session out of the store."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import date, datetime

import pandas as pd

from hrp.data import features as store_features
from hrp.data import market
from hrp.data import models as store_models
from hrp.data.series import load_series
from hrp.domain.deployment import CHAMPION, ModelVersion, Strategy
from hrp.domain.drift import DriftReport
from hrp.domain.quality import quarantined
from hrp.domain.sessions import previous_session
from hrp.errors import DataError, ModelNotFoundError, RequirementNotMetError
from hrp.ml.features import Panel, compute, feature_set_named
from hrp.ml.inference import predict, predict_history, require_coverage, too_incomplete
from hrp.monitoring.concept import concept_checks
from hrp.ports import LoadedModel
from hrp.wiring import App


def tradable(
    app: App, session: date, known_by: datetime | None = None, left_out: Collection[str] | None = None
) -> list[str]:
    """The universe of `session`, as known by `known_by`, without `left_out`: by default what the gate quarantines."""
    with app.store().read() as con:
        members = market.load_universe(con, app.settings.universe, session, known_by)
        bad = quarantined(market.load_findings(con, session)) if left_out is None else left_out
    return [symbol for symbol in members if symbol not in bad]


def panel(app: App, symbols: Collection[str], session: date, sessions: int, known_by: datetime | None = None) -> Panel:
    """Bars of `symbols` for the `sessions` sessions that end with `session`, in the shares of `session`.

    Raises:
        RequirementNotMetError: the store has no bar of `session`, or had none by `known_by`.
    """
    with app.store().read() as con:
        bars = load_series(con, symbols, previous_session(session, sessions - 1), session, known_by)
    if bars.empty or pd.Timestamp(bars["session"].max()).date() != session:
        raise RequirementNotMetError(f"the store has no prices of {session}; run: hrp run prices --session {session}")
    return Panel.from_bars(bars)


def features_of(
    app: App, session: date, known_by: datetime | None = None, left_out: Collection[str] | None = None
) -> pd.DataFrame:
    """The features of every tradable name at the close of `session`: index symbol, one column per feature.

    `known_by` and `left_out` as in `tradable`.
    """
    features = feature_set_named(app.settings.feature_set)
    names = tradable(app, session, known_by, left_out)
    seen = panel(app, names, session, features.lookback_sessions, known_by)
    return compute(features, seen, last_only=True).droplevel("session")


def window(app: App, loaded: LoadedModel, session: date, sessions: int) -> pd.DataFrame:
    """What the drift gate looks at: session, symbol, the model's features and `prediction`, `sessions` deep."""
    features = feature_set_named(loaded.version.feature_set)
    seen = panel(app, tradable(app, session), session, features.lookback_sessions + sessions - 1)
    values = compute(features, seen)
    recent = values[values.index.get_level_values("session") >= seen.sessions[-sessions:][0]]
    return predict_history(loaded, recent)


def realised(app: App, predictions: pd.DataFrame, session: date, horizon: int) -> pd.DataFrame:
    """Close-to-close returns over `horizon` sessions that followed each prediction: session, symbol, return.

    In the shares of `session`, so that a split on the way is no loss.
    """
    first = pd.Timestamp(predictions["session"].min()).date()
    with app.store().read() as con:
        bars = load_series(con, set(predictions["symbol"]), first, session)
    closes = bars.pivot(index="session", columns="symbol", values="close")
    returns = (closes.shift(-horizon) / closes - 1).rename_axis(index="session", columns="symbol")
    long: pd.DataFrame = returns.melt(ignore_index=False, value_name="return").reset_index()
    return long.dropna()


def stored_predictions(app: App, strategy: str, version: int) -> pd.DataFrame:
    """Every stored prediction of one version: session, symbol, prediction."""
    with app.store().read() as con:
        history = store_models.load_prediction_history(con, strategy, model_version=version)
    return history[["session", "symbol", "prediction"]]


def predict_model(
    app: App, model_name: str, symbols: Collection[str], session: date, version: int | None = None
) -> pd.Series[float]:
    """Predictions of `symbols` from the stored features of `session`, with the champion unless a version is named.

    Raises:
        ModelNotFoundError: no such version, or no champion.
    """
    registry = app.registry()
    number = registry.alias(model_name, CHAMPION) if version is None else version
    if number is None:
        raise ModelNotFoundError(f"{model_name} has no champion; see: hrp models list {model_name}")
    stored = _stored_features(app, session)
    return predict(registry.load(registry.version(model_name, number)), stored[stored.index.isin(symbols)], session)


def predict_session(
    app: App, strategy: Strategy, version: ModelVersion, session: date, run_id: str
) -> tuple[pd.Series[float], dict[str, str]]:
    """Predict every tradable name for one strategy and keep the predictions, if enough of them can be predicted.

    Returns:
        The predictions by symbol, and the names that have too few features for one, each with its reason.
    """
    loaded, stored = app.registry().load(version), _stored_features(app, session)
    predictions = predict(loaded, stored, session)
    require_coverage(predictions, tradable(app, session), float(app.settings.coverage_floor_pct), session=session)
    with app.store().write() as con:
        store_models.save_predictions(
            con, session, strategy.hypothesis_id, version.model_name, version.version, predictions, run_id,
            app.clock.now(),
        )  # fmt: skip
    return predictions, too_incomplete(loaded, stored)


def check_drift(app: App, strategy: Strategy, session: date, run_id: str) -> DriftReport:
    """Measure the version that predicted `session` and keep the verdict.

    Raises:
        RequirementNotMetError: nothing was predicted for the session.
    """
    name, settings = strategy.hypothesis_id, app.settings
    with app.store().read() as con:
        number = store_models.predicted_version(con, session, name)
    if number is None:
        raise RequirementNotMetError(
            f"{name} has no predictions for {session}; run: hrp run predictions --session {session}"
        )
    loaded = app.registry().load(app.registry().version(strategy.model_name, number))
    current = window(app, loaded, session, settings.drift_window_sessions)
    checks = app.detector().measure(current, loaded.reference, loaded.version.thresholds)
    history = stored_predictions(app, name, number)
    horizon = settings.label_horizon_sessions
    expected = float(loaded.version.metrics.get("mean_rank_ic", 0.0))
    came = realised(app, history, session, horizon)
    checks += concept_checks(history, came, expected_ic=expected, horizon_sessions=horizon)
    report = DriftReport(session, name, strategy.model_name, number, tuple(checks))
    with app.store().write() as con:
        store_models.save_drift(con, report, run_id, app.clock.now())
    if not report.allows_new_risk:
        _write_page(app, report, current, loaded.reference)
    return report


def _write_page(app: App, report: DriftReport, current: pd.DataFrame, reference: pd.DataFrame) -> None:
    """A page to look at for a verdict that is not OK; without one column to compare the checks have said it all."""
    name = f"drift-{report.session}-{report.model_name}-v{report.model_version}.html"
    with suppress(DataError):
        app.detector().write_report(current, reference, app.settings.home / "reports" / name)


def _stored_features(app: App, session: date) -> pd.DataFrame:
    with app.store().read() as con:
        stored = store_features.load_features(con, app.settings.feature_set, session)
    if stored.empty:
        raise RequirementNotMetError(f"no features are stored for {session}; run: hrp run features --session {session}")
    return stored
