"""What the gate asks of registry, store and backtest before a version may trade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from hrp.api.hypotheses import hypothesis_of
from hrp.api.inference import realised
from hrp.data import market
from hrp.domain.deployment import ModelVersion
from hrp.domain.hypothesis import Life
from hrp.domain.lineage import canonical
from hrp.domain.overfitting import TRIALS
from hrp.domain.promotion import Comparison, Costs, GateCheck, GatePolicy, judge_promotion
from hrp.domain.resampling import block_length, mean_interval
from hrp.errors import DataError, ModelError, ModelNotFoundError
from hrp.ml.features import FEATURE_SETS
from hrp.ml.scoring import rank_ic
from hrp.research.frictions import annual_return, equity_at
from hrp.wiring import App

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult

Backtest = Callable[[ModelVersion], "BacktestResult"]
SEED = 7


def gate(
    app: App, version: ModelVersion, *, champion: int | None = None, backtest: Backtest | None = None
) -> list[GateCheck]:
    """Every question to `version` with its answer; it may trade if none is refused.

    Args:
        champion: the version to compare it with.
        backtest: how to backtest what travels with a version; None leaves costs unmeasured.
    """
    settings = app.settings
    start = app.clock.elapsed()
    evidence = app.examiner()(app.registry(), version)
    evidence = replace(evidence, seconds=app.clock.elapsed() - start)
    strategy, life = hypothesis_of(app, version.model_name) or (None, Life())
    counted = max([tried_on_same_data(app, version), *(look.trials for look in life.looks)])
    evidence = replace(evidence, hypothesis=strategy, looks=max(0, counted - _trials(version)))
    if not evidence.failure:
        compared = compare(app, version, champion) if champion else None
        evidence = replace(evidence, comparison=compared, costs=_costs(version, backtest) if backtest else None)
    computed = {name: features.names for name, features in FEATURE_SETS.items() if name == settings.feature_set}
    policy = GatePolicy(
        min_ic=settings.min_ic, min_ic_tstat=settings.min_ic_tstat, always_statistics=settings.always_statistics
    )
    return judge_promotion(version, evidence, feature_sets=computed, policy=policy)


def tried_on_same_data(app: App, version: ModelVersion) -> int:
    """The trials behind every version of the model that was trained through the same session, this one included.

    Whoever trains again and again on the same data and promotes the best has searched. A repetition with the same
    figures was no trial. If a version's files are gone only this one's trials are known: that must not keep a good
    version from replacing it.
    """
    try:
        known = app.registry().versions(version.model_name)
    except ModelError:
        known = []
    alike = [v for v in known if v.trained_through == version.trained_through]
    return sum({canonical(v.metrics): _trials(v) for v in [*alike, version]}.values())


def compare(app: App, version: ModelVersion, champion: int) -> Comparison | None:
    """`version` and the champion on the sessions that both predicted out of sample; None without enough of them.

    Both are judged at the horizon of `version`. The difference of the daily rank correlations is paired by session; its
    interval is that of a circular block bootstrap. A champion whose files are gone or changed is nothing to compare
    with.
    """
    if champion == version.version:
        return None
    registry = app.registry()
    try:
        theirs_then = registry.load_reference(registry.version(version.model_name, champion))
    except ModelError:
        return None
    both, horizon = (registry.load_reference(version), theirs_then), horizon_of(app, version)
    daily = pd.concat([daily_rank_ic(app, predictions, horizon) for predictions in both], axis=1, join="inner")
    if len(daily) < 2:
        return None
    ours, theirs = daily.iloc[:, 0], daily.iloc[:, 1]
    gap = (ours - theirs).to_numpy()
    block = block_length(len(gap), horizon)
    low, high = mean_interval(gap, block, seed=SEED)
    return Comparison(champion, len(gap), float(ours.mean()), float(theirs.mean()), float(gap.mean()), low, high)


def horizon_of(app: App, version: ModelVersion) -> int:
    """How many sessions ahead `version` was trained to look, whatever the settings say now."""
    return int(app.registry().params(version)["horizon"])


def daily_rank_ic(app: App, predictions: pd.DataFrame, horizon: int) -> pd.Series[float]:
    """The rank correlation of each session's predictions (session, symbol, prediction) with the returns that followed.

    Index session; empty if the store does not know what followed.
    """
    if predictions.empty:
        return pd.Series(dtype=float, name="rank_ic")
    with app.store().read() as con:
        newest = market.newest_session(con)
    if newest is None:
        return pd.Series(dtype=float, name="rank_ic")
    key = ["session", "symbol"]
    came = realised(app, predictions, newest, horizon)
    both = predictions[[*key, "prediction"]].merge(came, on=key).set_index(key)
    return rank_ic(both["prediction"], both["return"]).rename("rank_ic")


def _trials(version: ModelVersion) -> int:
    return int(version.metrics.get(TRIALS, 1))


def _costs(version: ModelVersion, backtest: Backtest) -> Costs | None:
    """What the version would have earned; None if its reference or the prices do not allow a backtest."""
    try:
        result = backtest(version)
    except (DataError, ModelNotFoundError):
        return None
    once, twice = (annual_return(equity_at(result, multiple)) for multiple in (1, 2))
    return Costs(len(result.equity), once, twice, result.stats["turnover_a_year"])
