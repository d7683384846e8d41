"""A model that learned from what could not be known is not registered, and the message says what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hrp.api.foresight import find_foresight
from hrp.api.research import train_model
from hrp.data import market
from hrp.data.series import load_membership
from hrp.domain.sessions import close_at
from hrp.errors import ModelError, ModelNotFoundError
from hrp.ml.features import CORE, Feature, FeatureSet, NaNPolicy, Panel, compute
from hrp.ml.membership import compute_for_members
from hrp.ml.training import train
from hrp.ports import TrainedModel
from hrp.rehearsal.market import made_bars
from hrp.wiring import App, SetClock, build, make_home

FIRST, THROUGH = date(2019, 6, 3), date(2021, 12, 31)
JOINED = date(2021, 6, 1)
NOW = close_at(THROUGH) + timedelta(hours=2)
SPLIT_ON = date(2021, 11, 1)
SETTINGS = {"HRP_WALK_FORWARD_FOLDS": 2}
SPLIT = pd.DataFrame({"symbol": ["ZZZ"], "ex_session": [SPLIT_ON], "kind": ["split"], "value": [4.0],
                              "source": ["test"]})  # fmt: skip
LEVEL = FeatureSet("core", (*CORE.features, Feature(
    "price", ("close",), 1, lambda close: close.copy(), NaNPolicy.ENDPOINTS, "the price itself", "planted",
)))  # fmt: skip


class TrainsBy(App):
    """The same app with another trainer."""

    trained_by: Callable[..., TrainedModel] = staticmethod(train)

    def trainer(self) -> Callable[..., TrainedModel]:
        return type(self).trained_by


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """ZZZ is split 4 for 1: its prices before are four times as high, its volume a quarter."""
    made = made_bars()
    made = made[made["session"] <= THROUGH]
    before = (made["symbol"] == "ZZZ") & (made["session"] < SPLIT_ON)
    prices = made[["open", "high", "low", "close"]].mul(np.where(before, 4.0, 1.0), axis=0)
    return made.assign(**prices, volume=(made["volume"] / np.where(before, 4, 1)).round(), source="made")


@pytest.fixture
def app(tmp_path: Path, bars: pd.DataFrame) -> Iterator[App]:
    """AAA joined in June 2021 and TRUE left then."""
    make_home(tmp_path)
    plain = build(None, {"HRP_HOME": tmp_path, **SETTINGS})
    app = TrainsBy(plain.settings, SetClock(NOW))
    app.store().migrate()
    members = pd.DataFrame({"symbol": sorted(bars["symbol"].unique()), "start_session": FIRST, "end_session": None})
    members.loc[members["symbol"] == "AAA", "start_session"] = JOINED
    members.loc[members["symbol"] == "TRUE", "end_session"] = JOINED
    with app.store().write() as con:
        market.save_prices(con, bars, NOW, "r")
        market.save_corporate_actions(con, SPLIT, NOW)
        market.save_universe(con, "core", members, NOW)
    yield app


def trained(app: App, by: Callable[..., TrainedModel]) -> Any:
    TrainsBy.trained_by = staticmethod(by)
    return train_model(app, "m", THROUGH, None)


def test_an_honest_training_is_registered_with_the_instant_up_to_which_it_looked(app: App):
    version = trained(app, train)
    reference = app.registry().load(version).reference
    first_of = reference.groupby("symbol")["session"].agg(["min", "max"])
    assert first_of.loc["AAA", "min"].date() >= JOINED
    assert first_of.loc["TRUE", "max"].date() <= JOINED
    assert "ZZZ" in first_of.index


def test_a_universe_of_later_members_is_caught(app: App):
    def of_today(panel: Panel, *, members: pd.DataFrame, **how: Any) -> TrainedModel:
        return train(panel, members=None, **how)

    with pytest.raises(ModelError, match=r"m was not registered.*UNIVERSE_LOOKAHEAD: AAA is used in \d+ sessions"):
        trained(app, of_today)
    with pytest.raises(ModelNotFoundError):
        app.registry().version("m", 1)


def test_a_section_that_knows_who_will_join_is_caught_though_the_joiner_has_no_rows(app: App):
    def ranked_among_all(panel: Panel, *, members: pd.DataFrame, **how: Any) -> TrainedModel:
        done = train(panel, members=None, **how)
        with app.store().read() as con:
            rows = done.reference.merge(load_membership(con, "core", FIRST, THROUGH), on="symbol")
        inside = (rows["session"] >= rows["start_session"]) & ~(rows["session"] > rows["end_session"])
        return replace(done, reference=rows[inside][done.reference.columns])

    with pytest.raises(ModelError, match="FEATURE_LOOKAHEAD: "):
        trained(app, ranked_among_all)


def test_prices_without_the_splits_that_were_known_are_caught(app: App, bars: pd.DataFrame):
    """In raw prices ZZZ loses three quarters of its worth on a day on which it lost nothing."""
    raw = Panel.from_bars(bars)

    def unadjusted(panel: Panel, **how: Any) -> TrainedModel:
        return train(raw, **how)

    with pytest.raises(ModelError, match=r"FEATURE_LOOKAHEAD: \w+ of \w+ in session 2021-12-23"):
        trained(app, unadjusted)


def test_a_split_that_was_not_known_yet_is_caught(app: App, bars: pd.DataFrame):
    """A price in the shares of today tells of every split to come."""
    with app.store().read() as con:
        members = load_membership(con, "core", FIRST, THROUGH)
        seen = market.load_prices(con, None, FIRST, THROUGH)
    after = (seen["symbol"] == "ZZZ") & (seen["session"] < pd.Timestamp(SPLIT_ON))
    adjusted = seen.assign(close=seen["close"].where(~after, seen["close"] / 4))
    values = compute_for_members(LEVEL, Panel.from_bars(adjusted), members)
    reference = values[["price"]].loc["2021-07-01":].reset_index()
    only = replace(LEVEL, features=LEVEL.features[-1:])
    told = find_foresight(app, reference, only, FIRST, THROUGH)
    where = "FEATURE_LOOKAHEAD: price of ZZZ in session"
    assert [line.split(" is ")[0] for line in told] == [f"{where} 2021-07-01", f"{where} 2021-09-30"]


def test_the_rows_of_a_session_are_those_that_its_night_had(app: App, bars: pd.DataFrame):
    """Each section out of its own members, to the last bit, look-back over the time before they joined."""
    with app.store().read() as con:
        members = load_membership(con, "core", FIRST, THROUGH)
    panel = Panel.from_bars(bars)
    history = compute_for_members(CORE, panel, members)
    for session in (date(2021, 5, 28), JOINED, date(2021, 6, 2), THROUGH):
        with app.store().read() as con:
            names = market.load_universe(con, "core", session)
        night = Panel.from_bars(bars[bars["symbol"].isin(names) & (bars["session"] <= session)])
        pd.testing.assert_frame_equal(
            history.loc[[pd.Timestamp(session)]], compute(CORE, night, last_only=True), check_exact=True
        )
        assert history.loc[pd.Timestamp(session)].index.tolist() == names
