"""Training a version and backtesting it, out of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from hrp.api.decision import Night, blended, no_buys, predictions_of, target_weights
from hrp.api.foresight import find_foresight
from hrp.api.hypotheses import last_training_session
from hrp.api.nights import load_nights
from hrp.api.strategies import deployed
from hrp.data import market
from hrp.data.rows import Connection
from hrp.data.series import load_membership, load_series
from hrp.domain.corporate_actions import CorporateAction
from hrp.domain.deployment import CHALLENGER, CHAMPION, ModelVersion
from hrp.domain.quality import quarantined
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import FIRST_SESSION, next_session
from hrp.errors import ModelError, ModelNotFoundError
from hrp.ml.features import Panel, feature_set_named
from hrp.wiring import App

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult


def train_model(
    app: App,
    model_name: str,
    through: date,
    first: date | None,
    space: Mapping[str, Sequence[Any]] | None = None,
    draws: int | None = None,
) -> ModelVersion:
    """Train on every bar known at the close of `through`, register the version and make it the challenger.

    Its prices are in the shares of `through`, and a name counts in the sessions in which it belonged to the universe.

    While the model's hypothesis is being tested, the sessions that it holds out are left out.

    Args:
        space, draws: parameters of the estimator to search first, as `hrp.ml.search.search` takes them; every trial
            counts against the version.

    Raises:
        StaleDataError: the store does not reach `through`.
        ModelError: it learned from what could not be known.
    """
    settings = app.settings
    through = last_training_session(app, model_name, through)
    known_by, start = app.clock.now(), first or FIRST_SESSION
    with app.store().read() as con:
        members = load_membership(con, settings.universe, start, through, known_by)
        bars = load_series(con, set(members["symbol"]), start, through, known_by, history=settings.history)
    features = feature_set_named(settings.feature_set)
    panel = Panel.from_bars(bars)
    asked: dict[str, Any] = {
        "feature_set": features, "through": through, "members": members, "label": settings.label,
        "horizon": settings.label_horizon_sessions, "folds": settings.walk_forward_folds,
    }  # fmt: skip
    calibrate = partial(
        app.detector().calibrate,
        columns=[*features.names, "prediction"],
        window_sessions=settings.drift_window_sessions,
        floor=settings.drift_threshold,
    )
    with app.workers():
        found = app.searcher()(panel, space, draws=draws, **asked) if space else None
        trained = app.trainer()(panel, model_name=model_name, found=found, calibrate=calibrate, **asked)
    if foresight := find_foresight(app, trained.reference, features, start, through, known_by):
        raise ModelError(
            f"{model_name} was not registered, it learned from what could not be known: {'; '.join(foresight)}; "
            f"ask which feature it is: hrp research lookahead FEATURE"
        )
    version = app.registry().register(replace(trained, params={**trained.params, "known_by": known_by.isoformat()}))
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
    """Backtest predictions (session, symbol, prediction) through the night's own decision function.

    It ends with the session in which the last decision is filled: what is held after that is nobody's choice.
    """
    by_session = {
        pd.Timestamp(str(session)).date(): dict(zip(rows["symbol"], rows["prediction"], strict=True))
        for session, rows in predictions.groupby("session")
    }
    with app.store().read() as con:
        symbols = sorted(set(predictions["symbol"]))
        traded = load_traded(con, symbols, min(by_session), next_session(max(by_session)), app.settings.history)
    weights = {session: target_weights(scores, app.settings) for session, scores in by_session.items()}
    return _backtest(app, weights, by_session, *traded, cash)


def backtest_nights(
    app: App, sessions: Sequence[date], cash: Decimal, brought: Mapping[date, Sequence[Night]] | None = None
) -> BacktestResult:
    """What the predictions of past nights would have earned: the same decisions, filled in the backtest.

    What kept the nights from trading (quarantined names, held-back strategies) counts here too, so the result is
    comparable with the paper account to the cent.

    Args:
        sessions: nights that were traded; prices of the session after the last one are used for its fills.
        cash: USD in the account before the first night, which held nothing.
        brought: what the strategies bring to each of `sessions`; by default what was predicted night by night. A
            session to which nothing is brought decides nothing.
    """
    by_session = brought or {session: load_nights(app, session, deployed(app)) for session in sessions}
    with app.store().read() as con:
        frozen = {session: quarantined(market.load_findings(con, session)) for session in sessions}
        traded = load_traded(con, None, min(sessions), next_session(max(sessions)), app.settings.history)
    weights = {session: blended(nights, app.settings) for session, nights in by_session.items() if nights}
    predictions = {session: predictions_of(nights) for session, nights in by_session.items()}
    held_back = {session: no_buys(nights) for session, nights in by_session.items()}
    return _backtest(app, weights, predictions, *traded, cash, frozen=frozen, no_buys=held_back)


def load_traded(
    con: Connection, symbols: Sequence[str] | None, first: date, last: date, history: str
) -> tuple[pd.DataFrame, list[CorporateAction]]:
    """Bars as they were traded, as `hrp.data.market.load_stated` gives them, and the actions on them.

    The actions on a name whose bars hold them already are left out.
    """
    bars = market.load_stated(con, symbols, first, last, history=history)
    raw = set(bars.loc[bars["adjustment"] == Adjustment.RAW, "symbol"])
    return bars, market.actions_of(con, raw, first, last)


def _backtest(
    app: App,
    weights: Mapping[date, Mapping[str, Decimal]],
    predictions: Mapping[date, Mapping[str, float]],
    bars: pd.DataFrame,
    actions: Sequence[CorporateAction],
    cash: Decimal,
    **reasons: Mapping[date, Mapping[str, str]],
) -> BacktestResult:
    """With the account's limits, and credit for purchases that open dearer than they closed."""
    opens, closes = (bars.pivot(index="session", columns="symbol", values=field) for field in ("open", "close"))
    settings = app.settings
    run = app.backtester()
    return run(
        weights, predictions, opens, closes,
        actions=actions, cash=cash, limits=settings.limits(), collar_pct=settings.collar_pct, credit_usd=cash,
        **reasons,
    )  # fmt: skip
