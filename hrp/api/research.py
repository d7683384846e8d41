"""Training a version and backtesting it, out of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from hrp.api.decision import blended, no_buys, predictions_of, target_weights
from hrp.api.deployments import CHALLENGER, CHAMPION
from hrp.api.nights import load_nights
from hrp.api.strategies import deployed
from hrp.data import market
from hrp.domain.deployment import ModelVersion
from hrp.domain.quality import quarantined
from hrp.domain.sessions import FIRST_SESSION, next_session
from hrp.errors import ModelNotFoundError
from hrp.ml.features import Panel, feature_set_named
from hrp.wiring import App

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult


def train_model(app: App, model_name: str, through: date, first: date | None) -> ModelVersion:
    """Train on every bar known at the close of `through`, register the version and make it the challenger.

    Raises:
        StaleDataError: the store does not reach `through`.
    """
    settings = app.settings
    with app.store().read() as con:
        members = market.load_universe(con, settings.universe, through)
        bars = market.load_prices(con, members, first or FIRST_SESSION, through)
    features = feature_set_named(settings.feature_set)
    trained = app.trainer()(
        Panel.from_bars(bars),
        model_name=model_name,
        feature_set=features,
        through=through,
        horizon=settings.label_horizon_sessions,
        folds=settings.walk_forward_folds,
        calibrate=partial(
            app.detector().calibrate,
            columns=[*features.names, "prediction"],
            window_sessions=settings.drift_window_sessions,
            floor=settings.drift_threshold,
        ),
    )
    version = app.registry().register(trained)
    app.registry().set_alias(model_name, CHALLENGER, version.version)
    return version


def backtest_version(
    app: App, model_name: str, version: int | None, first: date, last: date, cash: Decimal
) -> BacktestResult:
    """Backtest the out-of-sample predictions that travel with a version (default: the champion), `first` to `last`.

    Raises:
        ModelNotFoundError: no such version, or it has no predictions in that time.
    """
    registry = app.registry()
    number = registry.alias(model_name, CHAMPION) if version is None else version
    if number is None:
        raise ModelNotFoundError(f"{model_name} has no champion; name one: hrp backtest {model_name} --version N")
    loaded = registry.load(registry.version(model_name, number))
    reference = loaded.reference
    days = pd.to_datetime(reference["session"]).dt.date
    chosen = reference[(days >= first) & (days <= last)]
    if chosen.empty:
        raise ModelNotFoundError(
            f"{loaded.version.label} has out-of-sample predictions from {days.min()} to {days.max()}, "
            f"none from {first} to {last}; choose dates inside"
        )
    return backtest_predictions(app, chosen[["session", "symbol", "prediction"]], cash)


def backtest_predictions(app: App, predictions: pd.DataFrame, cash: Decimal) -> BacktestResult:
    """Backtest predictions (session, symbol, prediction) through the night's own decision function."""
    by_session = {
        pd.Timestamp(str(session)).date(): dict(zip(rows["symbol"], rows["prediction"], strict=True))
        for session, rows in predictions.groupby("session")
    }
    with app.store().read() as con:
        symbols = sorted(set(predictions["symbol"]))
        bars = market.load_prices(con, symbols, min(by_session), market.newest_session(con) or max(by_session))
    weights = {session: target_weights(scores, app.settings) for session, scores in by_session.items()}
    return _backtest(app, weights, by_session, bars, cash)


def backtest_nights(app: App, sessions: Sequence[date], cash: Decimal) -> BacktestResult:
    """What the stored predictions of past nights would have earned: the same decisions, filled in the backtest.

    What kept the nights from trading (quarantined names, held-back strategies) counts here too, so the result is
    comparable with the paper account to the cent.

    Args:
        sessions: nights that were traded; prices of the session after the last one are used for its fills.
        cash: USD in the account before the first night, which held nothing.
    """
    by_session = {session: load_nights(app, session, deployed(app)) for session in sessions}
    with app.store().read() as con:
        frozen = {session: quarantined(market.load_findings(con, session)) for session in sessions}
        bars = market.load_prices(con, None, min(sessions), next_session(max(sessions)))
    weights = {session: blended(nights, app.settings) for session, nights in by_session.items()}
    predictions = {session: predictions_of(nights) for session, nights in by_session.items()}
    held_back = {session: no_buys(nights) for session, nights in by_session.items()}
    return _backtest(app, weights, predictions, bars, cash, frozen=frozen, no_buys=held_back)


def _backtest(
    app: App,
    weights: Mapping[date, Mapping[str, Decimal]],
    predictions: Mapping[date, Mapping[str, float]],
    bars: pd.DataFrame,
    cash: Decimal,
    **reasons: Mapping[date, Mapping[str, str]],
) -> BacktestResult:
    """With the account's limits, and credit for purchases that open dearer than they closed."""
    opens, closes = (bars.pivot(index="session", columns="symbol", values=field) for field in ("open", "close"))
    settings = app.settings
    run = app.backtester()
    return run(
        weights, predictions, opens, closes,
        cash=cash, limits=settings.limits(), collar_pct=settings.collar_pct, credit_usd=cash, **reasons,
    )  # fmt: skip
