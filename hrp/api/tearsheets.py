"""The tear sheet of a version: gathered from registry, store, ledger and backtest, written and kept with its run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hrp.api.deployments import ledger
from hrp.api.gate import daily_rank_ic, horizon_of
from hrp.api.hypotheses import hypothesis_of
from hrp.api.inference import panel
from hrp.api.research import backtest_version
from hrp.domain.deployment import ModelVersion
from hrp.domain.hypothesis import Look
from hrp.domain.overfitting import TRIALS
from hrp.domain.sessions import FIRST_SESSION, last_closed, sessions_between
from hrp.errors import DataError, ModelNotFoundError
from hrp.wiring import App

if TYPE_CHECKING:
    from hrp.research.backtest import BacktestResult

CASH = Decimal("1000000.00")


def write_tearsheet(app: App, version: ModelVersion) -> Path:
    """Write the page of `version` into `reports` of the workspace and keep it with the version's run; its path."""
    from hrp.research.tearsheet import TearSheet, render

    registry = app.registry()
    reference = registry.load_reference(version)
    result, missing = _backtest(app, version)
    behind, looks = _behind(app, version)
    judged = [line for line in ledger(app, version.model_name) if line.to_version == version.version]
    checks = [line.evidence["checks"] for line in judged if line.evidence.get("checks")]
    days, horizon = pd.to_datetime(reference["session"]), horizon_of(app, version)
    sheet = TearSheet(
        name=version.label,
        lead=f"Trained through {version.trained_through}; predictions out of sample from {days.min():%Y-%m-%d} to "
        f"{days.max():%Y-%m-%d} for {reference['symbol'].nunique()} names.",
        metrics=version.metrics,
        trials=max([version.metrics.get(TRIALS, 1.0), *(look.trials for look in looks)]),
        params={**registry.params(version), "artifact_sha256": version.artifact_sha256},
        features=version.features,
        daily_ic=daily_rank_ic(app, reference, horizon),
        horizon=horizon,
        result=result,
        missing=missing,
        benchmark=None if result is None else _benchmark(app, reference, result),
        checks=checks[-1] if checks else (),  # type: ignore[arg-type]
        hypothesis=behind,
        held_out=next((look.metrics for look in reversed(looks) if look.version == version.version), {}),
    )
    page = app.settings.home / "reports" / f"tearsheet-{version.model_name}-v{version.version}.html"
    page.write_text(render(sheet), encoding="utf-8")
    registry.attach(version, page)
    return page


def _behind(app: App, version: ModelVersion) -> tuple[dict[str, str], tuple[Look, ...]]:
    """What is known of the hypothesis behind a version, by name, and the looks that were taken."""
    known = hypothesis_of(app, version.model_name)
    if known is None:
        return {}, ()
    strategy, life = known
    told = {"hypothesis": f"{strategy.hypothesis_id}, {strategy.status}", "title": strategy.title}
    return told | ({"test": ", ".join(map(str, life.test))} if life.test else {}), life.looks


def _backtest(app: App, version: ModelVersion) -> tuple[BacktestResult | None, str]:
    today = last_closed(app.clock.now())
    try:
        return backtest_version(app, version.model_name, version.version, FIRST_SESSION, today, CASH), ""
    except (DataError, ModelNotFoundError) as error:
        return None, str(error)


def _benchmark(app: App, reference: pd.DataFrame, result: BacktestResult) -> pd.Series[float]:
    """The first equity in all names at equal weights, set anew every session, without costs."""
    days = result.equity.index
    count = len(sessions_between(days[0].date(), days[-1].date()))
    closes = panel(app, sorted(set(reference["symbol"])), days[-1].date(), count).wide("close")
    growth = 1 + closes.pct_change(fill_method=None).mean(axis="columns").fillna(0.0)
    return growth.cumprod() * float(result.equity.iloc[0])
