from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrp.errors import DataError, UsageError
from hrp.ml.features import (
    ALPHA158,
    CATALOGUE,
    CORE,
    FEATURE_SETS,
    FIELDS,
    Feature,
    FeatureSet,
    NaNPolicy,
    Panel,
    compute,
    evaluate,
    feature_named,
    feature_set_named,
    kernels,
)
from hrp.ml.features.catalogue import GROUPS
from hrp.ml.features.page import page
from hrp.ml.lookahead import made_panel

from .alpha158_pandas import alpha158

EVERY = FeatureSet("every", (*CATALOGUE.features, *ALPHA158.features))
BY_NAME = {feature.name: feature for feature in EVERY.features}
SHORT = 300  # sessions: longer than any look-back


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


@pytest.mark.parametrize("end", [1, 2, 22, 64, 252, 253, 254, 500, 760])
def test_the_last_session_alone_equals_the_last_session_of_the_history(panel, end):
    known = panel.through(panel.sessions[end - 1].date())

    pd.testing.assert_frame_equal(
        compute(CORE, known, last_only=True), compute(CORE, known).loc[known.sessions[-1:]], check_exact=True
    )


@st.composite
def histories(draw: st.DrawFn) -> Panel:
    """A market with late listings, holes, halts, splits that nobody adjusted, repeated bars and restated rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    panel = made_panel(draw(st.integers(254, SHORT)), draw(st.integers(1, 9)), seed=int(rng.integers(1000)))
    matrices = {field: getattr(panel, field).copy() for field in FIELDS}
    rows, columns = panel.close.shape
    for _ in range(draw(st.integers(0, 6))):
        kind, t, s = rng.integers(6), int(rng.integers(rows)), int(rng.integers(columns))
        until = min(t + int(rng.integers(1, 30)), rows)
        for field, matrix in matrices.items():
            matrix[(slice(0, t) if kind == 0 else slice(t, until)), s] *= np.nan if kind < 2 else 1.0
            matrix[t:, s] *= (0.5 if field != "volume" else 2.0) if kind == 2 else 1.0
            matrix[t:until, s] = matrix[t, s] if kind == 3 else matrix[t:until, s]
            matrix[t, s] *= 1.0 + 0.1 * (kind == 4)
        matrices["volume"][t:until, s] *= float(kind != 5)
    return replace(panel, **matrices)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories(), nights=st.integers(1, 3))
def test_night_by_night_is_the_whole_history_for_every_feature_of_every_set(history, nights):
    whole = compute(EVERY, history)

    for end in range(len(history.sessions) - nights + 1, len(history.sessions) + 1):
        tonight = history.rows(slice(0, end)).tail(EVERY.lookback_sessions)
        pd.testing.assert_frame_equal(
            compute(EVERY, tonight, last_only=True), whole.loc[tonight.sessions[-1:]], check_exact=True
        )


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_a_name_has_the_same_features_in_any_company_unless_they_compare_names(name):
    feature_set, panel = FEATURE_SETS[name], made_panel(SHORT, symbols=40)
    alone = FeatureSet("own", tuple(f for f in feature_set.features if not f.cross_section))
    few = panel.columns(slice(0, 7))

    among_few, among_all = compute(alone, few), compute(alone, panel)

    pd.testing.assert_frame_equal(
        among_few, among_all[among_all.index.isin(few.symbols, level="symbol")], check_exact=True
    )
    others = replace(panel, **{field: np.roll(getattr(panel, field), 1, axis=1) for field in FIELDS})
    others = others.columns(slice(1, None))
    for feature in set(feature_set.features) - set(alone.features):
        a, b = evaluate(feature, panel)[:, :-1], evaluate(feature, others)
        assert not np.array_equal(a, b, equal_nan=True), f"{feature.name} does not look at other names"


def test_alpha158_equals_an_independent_computation():
    panel = made_panel(140, symbols=6)
    expected = alpha158({field: panel.wide(field) for field in FIELDS})

    assert len(ALPHA158.names) == 158 and set(ALPHA158.names) == set(expected)
    for feature in ALPHA158.features:
        np.testing.assert_allclose(
            _finite(evaluate(feature, panel)),
            expected[feature.name].to_numpy(),
            rtol=0,
            atol=1e-9,
            err_msg=feature.name,
        )


def _finite(matrix: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(matrix), matrix, np.nan)


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


@pytest.mark.parametrize("feature", EVERY.features, ids=EVERY.names)
def test_each_feature_is_missing_exactly_when_its_policy_says(feature):
    panel = made_panel(SHORT).columns(slice(3, 7)).tail(feature.lookback_sessions + 1)
    oldest = feature.lookback_sessions - 1
    ages = {*range(min(oldest, 30) + 1), *range(max(oldest - 5, 0), oldest + 1), 63, 126} & {*range(oldest + 1)}

    values = {age: float(evaluate(feature, with_hole(panel, age))[-1, 0]) for age in ages}

    whole = float(evaluate(feature, panel)[-1, 0])
    beyond = float(evaluate(feature, with_hole(panel, oldest + 1))[-1, 0])
    too_short = float(evaluate(feature, panel.tail(oldest))[-1, 0]) if oldest else np.nan
    missing = {age for age, value in values.items() if np.isnan(value)}
    assert np.isfinite(whole) and beyond == whole and np.isnan(too_short)
    match feature.nan_policy:
        case NaNPolicy.WINDOW:
            assert missing == ages
        case NaNPolicy.ENDPOINTS:
            assert oldest in missing and len(missing) <= 3
            assert feature.cross_section or {values[age] for age in ages - missing} <= {whole}
        case _:
            assert not missing


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
    with pytest.raises(UsageError, match="no feature set 'cores'; there are: core, catalogue, alpha158"):
        feature_set_named("cores")


def test_every_feature_is_found_by_its_name_and_an_unknown_one_is_an_error():
    assert [feature_named(name) for name in EVERY.names] == list(EVERY.features)
    with pytest.raises(UsageError, match=r"no feature 'momentum_4'.*features\.md"):
        feature_named("momentum_4")


def test_the_catalogue_covers_every_group_and_needs_no_more_history_than_a_night_reads():
    assert len(CATALOGUE.features) >= 60 and all(GROUPS.values())
    assert all(feature.doc and feature.source for feature in EVERY.features)
    assert CATALOGUE.lookback_sessions <= 260


def test_a_formula_of_another_shape_is_an_error(panel):
    row = Feature("row", ("close",), 1, lambda close: close[-1:], NaNPolicy.WINDOW, "planted", "none")

    with pytest.raises(UsageError, match=r"feature row returns a matrix \(1, 20\) for a panel \(760, 20\)"):
        compute(only(row), panel)


def test_importing_the_features_compiles_nothing():
    code = "import sys, hrp.ml.features, hrp.ml.lookahead; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kernels_work_where_nothing_can_be_written(tmp_path):
    (tmp_path / "home").touch()
    copy = tmp_path / "kernels.py"
    copy.write_text(Path(kernels.__file__).read_text())
    (tmp_path / "__pycache__").touch()  # a file where the folder of the cache would be
    code = f"import runpy, numpy as np; print(runpy.run_path({str(copy)!r})['total'](np.ones((2, 1)), 2)[1, 0])"
    nowhere = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}

    done = subprocess.run([sys.executable, "-c", code], env=nowhere, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("2.0", "")


def test_the_page_of_features_is_current():
    current = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
    assert current == page(), "run: python -m hrp.ml.features.page > docs/features.md"
