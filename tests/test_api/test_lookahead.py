"""A researcher asks of a feature by its name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from workspaces import NOW, empty_workspace

from hrp.api.lookahead import SESSIONS, check_feature
from hrp.data import market
from hrp.domain.sessions import close_at, sessions_between
from hrp.errors import UsageError
from hrp.ml.features import Panel, feature_named
from hrp.ml.lookahead import examine, made_panel
from hrp.rehearsal.market import made_bars
from hrp.wiring import App

FEATURE = feature_named("market_relative_21")
NEEDED = FEATURE.lookback_sessions + SESSIONS


@pytest.fixture
def app(tmp_path: Path) -> App:
    return empty_workspace(tmp_path / "home").app


def keep(app: App, bars: pd.DataFrame) -> None:
    members = pd.DataFrame({"symbol": bars["symbol"].unique(), "start_session": bars["session"].min()})
    known_at = max(NOW, close_at(bars["session"].max()) + timedelta(hours=2))
    with app.store().write() as con:
        market.save_prices(con, bars.assign(source="made"), known_at, "prices")
        market.save_universe(con, app.settings.universe, members.assign(end_session=None), known_at)


def test_it_is_tried_on_the_newest_stored_bars_of_the_universe(app: App):
    bars = made_bars()
    keep(app, bars)
    newest = bars[bars["session"].isin(sessions_between(bars["session"].min(), bars["session"].max())[-NEEDED:])]

    verdict = check_feature(app, FEATURE.name)

    assert verdict.honest and verdict == examine(FEATURE, Panel.from_bars(newest))


@pytest.mark.parametrize("sessions", [0, NEEDED - 1])
def test_it_is_tried_on_made_bars_while_the_store_holds_too_few(app: App, sessions: int):
    bars = made_bars()
    if sessions:
        keep(app, bars[bars["session"].isin(sorted(bars["session"].unique())[-sessions:])])

    assert check_feature(app, FEATURE.name) == examine(FEATURE, made_panel(NEEDED))


def test_a_feature_that_does_not_exist_is_an_error(app: App):
    with pytest.raises(UsageError, match="there is no feature 'momentum'"):
        check_feature(app, "momentum")
