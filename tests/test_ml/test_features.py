from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrp.errors import DataError, UsageError
from hrp.ml.features import CORE, FIELDS, Feature, FeatureSet, NaNPolicy, Panel, compute, feature_set_named

from .point_in_time import looking_ahead

BY_NAME = {feature.name: feature for feature in CORE.features}


def only(feature: Feature) -> FeatureSet:
    return FeatureSet("one", (feature,))


def with_hole(panel: Panel, age: int, column: int = 0) -> Panel:
    """No bar for one name, `age` sessions before the last."""
    matrices = {field: getattr(panel, field).copy() for field in FIELDS}
    for matrix in matrices.values():
        matrix[-1 - age, column] = np.nan
    return replace(panel, **matrices)


# --- the panel


def test_bars_are_placed_by_key_whatever_their_order(bars):
    shuffled = bars.sample(frac=1.0, random_state=3)

    a, b = Panel.from_bars(bars), Panel.from_bars(shuffled)

    assert all(np.array_equal(getattr(a, f), getattr(b, f)) for f in FIELDS)
    row = bars.iloc[1234]
    assert b.wide("high").loc[row["session"], row["symbol"]] == row["high"]


def test_tickers_that_look_like_values_survive():
    tickers = ["TRUE", "NA", "NAN", "INF", "ON", "NULL"]
    rows = [(date(2024, 1, 2), t, 1.0, 1.0, 1.0, 1.0, 10.0) for t in tickers]
    panel = Panel.from_bars(pd.DataFrame(rows, columns=["session", "symbol", *FIELDS]))

    assert list(panel.symbols) == sorted(tickers)
    assert list(compute(CORE, panel).index.get_level_values("symbol")) == sorted(tickers)


@pytest.mark.parametrize("symbol", [True, None, float("nan"), 7])
def test_a_symbol_that_is_not_text_is_an_error(symbol):
    frame = pd.DataFrame({"session": [date(2024, 1, 2)] * 2, "symbol": pd.Series(["A", symbol], dtype=object)})

    with pytest.raises(DataError, match="symbols must be text"):
        Panel.from_bars(frame.assign(**dict.fromkeys(FIELDS, 1.0)))


def test_two_bars_for_one_key_are_an_error(bars):
    row = bars.iloc[5]

    with pytest.raises(DataError, match=f"1 bars repeat a key, first that of {row['symbol']} in session"):
        Panel.from_bars(pd.concat([bars, bars.iloc[[5]]]))


def test_a_missing_column_and_an_empty_frame_are_errors(bars):
    with pytest.raises(DataError, match="lack the columns close"):
        Panel.from_bars(bars.drop(columns="close"))
    with pytest.raises(DataError, match="no bars"):
        Panel.from_bars(bars.head(0))


def test_what_cannot_be_a_price_counts_as_missing_and_no_volume_is_a_volume(bars):
    odd = bars.copy()
    odd.loc[:3, "close"] = [0.0, -1.0, np.inf, np.nan]
    odd.loc[:1, "volume"] = [0.0, -5.0]
    panel = Panel.from_bars(odd)

    head = odd.head(4)
    cells = list(
        zip(panel.sessions.get_indexer(head["session"]), panel.symbols.get_indexer(head["symbol"]), strict=True)
    )

    assert all(np.isnan(panel.close[cell]) for cell in cells)
    assert panel.volume[cells[0]] == 0.0
    assert np.isnan(panel.volume[cells[1]])


# --- the features


def test_the_core_set_has_fourteen_documented_features():
    assert len(CORE.names) == 14
    assert all(feature.doc and feature.source for feature in CORE.features)
    assert CORE.lookback_sessions == 253


@pytest.mark.parametrize("cut", [260, 401, 759])
def test_changing_tomorrow_changes_no_feature_of_today(panel, cut):
    assert looking_ahead(CORE, panel, cut) == []


def test_a_feature_that_looks_ahead_is_caught(panel):
    def centred(close):
        return pd.DataFrame(close).rolling(3, center=True).mean().to_numpy()

    peek = Feature("peek", ("close",), 3, centred, NaNPolicy.WINDOW, "planted", "none")
    whole = Feature(
        "whole", ("close",), 1, lambda close: close / close.mean(axis=0), NaNPolicy.WINDOW, "planted", "none"
    )
    honest = BY_NAME["momentum_5"]

    assert looking_ahead(FeatureSet("planted", (peek, honest, whole)), panel, 300) == ["peek", "whole"]


@pytest.mark.parametrize("end", [1, 2, 22, 64, 252, 253, 254, 500, 760])
def test_the_last_session_alone_equals_the_last_session_of_the_history(panel, end):
    known = panel.through(panel.sessions[end - 1].date())

    pd.testing.assert_frame_equal(
        compute(CORE, known, last_only=True), compute(CORE, known).loc[known.sessions[-1:]], check_exact=True
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), symbols=st.integers(1, 40), sessions=st.integers(254, 300))
def test_the_last_session_alone_is_exact_on_any_panel_with_holes(seed, symbols, sessions):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, symbols)), axis=0))
    close[rng.random(close.shape) < 0.01] = np.nan
    index = pd.bdate_range("2020-01-01", periods=sessions, name="session")
    names = pd.Index([f"S{i:03}" for i in range(symbols)], name="symbol", dtype="str")
    panel = Panel(index, names, close, close * 1.01, close * 0.99, close, rng.integers(0, 9, close.shape) * 100.0)

    alone = compute(CORE, panel, last_only=True)

    pd.testing.assert_frame_equal(alone, compute(CORE, panel).loc[index[-1:]], check_exact=True)


def test_features_equal_an_independent_computation(panel):
    close, high, volume = panel.wide("close"), panel.wide("high"), panel.wide("volume")
    returns = close.pct_change(fill_method=None)
    market = returns.mean(axis=1)
    up, down = close.diff().clip(lower=0), -close.diff().clip(upper=0)
    year = close.shift(21) / close.shift(252) - 1
    expected = {
        **{f"momentum_{n}": close.pct_change(n, fill_method=None) for n in (5, 21, 63, 126)},
        "momentum_252_21": year,
        "reversal_1": -returns,
        "volatility_21": returns.rolling(21).std(),
        "volatility_63": returns.rolling(63).std(),
        "volume_ratio_5_63": volume.rolling(5).mean() / volume.rolling(63).mean(),
        "distance_to_high_252": close / high.rolling(252).max() - 1,
        "rsi_14": 100 - 100 / (1 + up.rolling(14).mean() / down.rolling(14).mean()),
        "momentum_rank_252_21": year.rank(axis=1, pct=True),
        "market_relative_21": close.pct_change(21, fill_method=None).sub(
            close.pct_change(21, fill_method=None).mean(axis=1), axis=0
        ),
        "beta_126": returns.apply(lambda r: r.rolling(126).cov(market, ddof=0)).div(
            market.rolling(126).var(ddof=0), axis=0
        ),
    }

    computed = compute(CORE, panel)

    assert set(expected) == set(computed.columns)
    for name, wide in expected.items():
        np.testing.assert_allclose(
            computed[name].unstack().to_numpy(), wide.to_numpy(), rtol=1e-8, atol=1e-11, err_msg=name
        )


@pytest.mark.parametrize("feature", CORE.features, ids=CORE.names)
def test_each_feature_is_missing_exactly_when_its_policy_says(panel, feature):
    whole = compute(only(feature), panel, last_only=True)[feature.name].iloc[0]
    ages = range(1, feature.lookback_sessions)
    ends = {feature.lookback_sessions - 1} | ({21} if "252_21" in feature.name else set())

    values = {age: compute(only(feature), with_hole(panel, age), last_only=True)[feature.name].iloc[0] for age in ages}

    missing = {age for age, value in values.items() if np.isnan(value)}
    assert missing == (set(ages) if feature.nan_policy is NaNPolicy.WINDOW else ends)
    if feature.nan_policy is NaNPolicy.ENDPOINTS:
        assert {value for age, value in values.items() if age not in missing} <= {whole}


def test_a_name_without_a_close_has_no_row(panel):
    computed = compute(CORE, with_hole(panel, 0), last_only=True)

    assert panel.symbols[0] not in computed.index.get_level_values("symbol")
    assert len(computed) == len(panel.symbols) - 1


def test_a_price_that_never_moves_gives_no_infinite_feature(bars):
    still = bars.assign(open=10.0, high=10.0, low=10.0, close=10.0, volume=0.0)

    computed = compute(CORE, Panel.from_bars(still))

    assert not np.isinf(computed.to_numpy()).any()
    assert computed[["rsi_14", "volume_ratio_5_63"]].isna().all().all()
    assert (computed["volatility_21"].dropna() == 0).all()


def test_a_feature_set_refuses_repeated_names_and_unknown_fields():
    momentum = BY_NAME["momentum_5"]

    with pytest.raises(UsageError, match="names momentum_5 twice"):
        FeatureSet("bad", (momentum, momentum))
    with pytest.raises(UsageError, match=r"asks for .*vwap"):
        FeatureSet("bad", (replace(momentum, inputs=("vwap",)),))


def test_an_unknown_feature_set_is_named_with_those_that_exist():
    assert feature_set_named("core") is CORE
    with pytest.raises(UsageError, match="no feature set 'cores'; there are: core"):
        feature_set_named("cores")
