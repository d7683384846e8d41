"""Prices of the past in the shares of the session that looks back."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.adjustment_factors import adjusted, split_factors
from hrp.domain.rebased import Adjustment
from hrp.errors import DataError

START = date(2022, 6, 6)
DAYS = [START + timedelta(days) for days in range(5)]
COLUMNS = ["symbol", "ex_session", "kind", "value"]


def bars(closes: list[float], symbol: str = "AAPL", first: date = START) -> pd.DataFrame:
    close = np.array(closes)
    days = pd.to_datetime([first + timedelta(days) for days in range(len(close))])
    return pd.DataFrame(
        {"symbol": symbol, "session": days, "open": close, "high": close + 1, "low": close - 1, "close": close,
         "volume": 1000.0}
    )  # fmt: skip


def actions(*rows: tuple[date, str, float], symbol: str = "AAPL") -> pd.DataFrame:
    frame = pd.DataFrame([(symbol, *row) for row in rows], columns=COLUMNS)
    return frame.assign(ex_session=pd.to_datetime(frame["ex_session"]))


def test_a_split_divides_what_lies_before_it_and_multiplies_its_volume():
    seen = adjusted(bars([400.0, 404.0, 101.0, 100.0]), actions((DAYS[2], "split", 4.0)), DAYS[3])
    assert seen["close"].tolist() == [100.0, 101.0, 101.0, 100.0]
    assert seen["high"].tolist() == [100.25, 101.25, 102.0, 101.0]
    assert seen["volume"].tolist() == [4000.0, 4000.0, 1000.0, 1000.0]


def test_a_split_that_lies_ahead_does_nothing_though_it_is_known():
    raw = bars([400.0, 404.0])
    assert adjusted(raw, actions((DAYS[2], "split", 4.0)), DAYS[1]) is raw


def test_without_an_action_on_them_the_bars_are_the_same_object():
    raw = bars([400.0, 404.0])
    assert adjusted(raw, actions((DAYS[1], "split", 4.0), symbol="TSLA"), DAYS[1]) is raw
    assert adjusted(raw, actions((DAYS[1], "dividend", 4.0)), DAYS[1]) is raw


def test_one_for_three_is_exact_though_its_ratio_is_stored_rounded():
    seen = adjusted(bars([10.0, 30.0]), actions((DAYS[1], "split", 0.33333333)), DAYS[1])
    assert seen["close"].tolist() == [10.0 / (1 / 3), 30.0]


def test_splits_multiply_and_each_name_has_its_own():
    both = pd.concat([bars([600.0, 300.0, 100.0]), bars([5.0, 50.0, 50.0], "GE")], ignore_index=True)
    known = pd.concat(
        [actions((DAYS[1], "split", 2.0), (DAYS[2], "split", 3.0)), actions((DAYS[1], "split", 0.1), symbol="GE")]
    )
    assert split_factors(both, known, DAYS[2]).tolist() == [6.0, 3.0, 1.0, 0.1, 1.0, 1.0]
    assert split_factors(both, known, DAYS[1]).tolist() == [2.0, 1.0, 1.0, 0.1, 1.0, 1.0]


def test_a_dividend_takes_its_share_of_the_close_before_it():
    """1 of 100 and then 2 of 100: what is left of the first close is 0.99 times 0.98."""
    paid = actions((DAYS[1], "dividend", 1.0), (DAYS[2], "dividend", 2.0))
    seen = adjusted(bars([100.0, 100.0, 98.0]), paid, DAYS[2], dividends=True)
    assert seen["close"].tolist() == pytest.approx([100 * 0.99 * 0.98, 98.0, 98.0], rel=1e-15)
    assert seen["volume"].tolist() == [1000.0] * 3


def test_a_dividend_is_paid_on_the_shares_before_a_split_of_the_same_session():
    """4 USD on a share of 400 that becomes four of 99: 1 in a hundred."""
    both = actions((DAYS[1], "dividend", 4.0), (DAYS[1], "split", 4.0))
    seen = adjusted(bars([400.0, 99.0]), both, DAYS[1], dividends=True)
    assert seen["close"].tolist() == pytest.approx([99.0, 99.0], rel=1e-15)


def test_a_dividend_after_a_split_is_in_new_shares_and_one_before_it_in_old_ones():
    paid = actions((DAYS[1], "dividend", 4.0), (DAYS[2], "split", 4.0), (DAYS[3], "dividend", 1.0))
    seen = adjusted(bars([400.0, 400.0, 100.0, 99.0]), paid, DAYS[3], dividends=True)
    assert seen["close"].tolist() == pytest.approx([100 * 0.99 * 0.99, 99.0, 99.0, 99.0], rel=1e-15)


def test_a_dividend_with_no_close_before_it_changes_nothing():
    raw = bars([np.nan, 100.0])
    pd.testing.assert_frame_equal(adjusted(raw, actions((DAYS[1], "dividend", 1.0)), DAYS[1], dividends=True), raw)


@pytest.mark.parametrize(
    ("action", "words"),
    [((DAYS[1], "dividend", 400.0), "dividend of 400 USD of AAPL, ex 2022-06-07, is not below its last close of 400"),
     ((DAYS[1], "split", 0.0), "the split of AAPL, ex 2022-06-07, has the ratio 0.0")],
)  # fmt: skip
def test_an_action_that_cannot_be_is_an_error(action: tuple[date, str, float], words: str):
    with pytest.raises(DataError, match=words):
        adjusted(bars([400.0, 4.0]), actions(action), DAYS[1], dividends=True)


@pytest.mark.parametrize(
    ("kind", "factors"),
    [
        (Adjustment.RAW, [8.0, 8.0, 2.0]),
        (Adjustment.SPLITS, [2.0, 2.0, 2.0]),
        (Adjustment.TOTAL_RETURN, [2.0, 2.0, 2.0]),
    ],
)
def test_what_a_source_has_adjusted_for_already_is_not_applied_again(kind: Adjustment, factors: list[float]):
    stated = bars([800.0, 800.0, 200.0]).assign(adjustment=str(kind), stated=pd.Timestamp(DAYS[2]))
    known = actions((DAYS[2], "split", 4.0), (DAYS[3], "split", 2.0))
    assert split_factors(stated, known, DAYS[4]).tolist() == factors


days_and_ratios = st.lists(st.tuples(st.integers(1, 29), st.sampled_from([2.0, 3.0, 1.5, 0.1, 0.33333333])), max_size=4)


@given(st.lists(st.floats(1, 1000), min_size=30, max_size=30), days_and_ratios, st.integers(0, 29))
def test_every_earlier_view_has_the_same_returns_and_ends_at_the_raw_close(closes, splits, then):
    """A later view is the earlier one in other shares: no return of it changes."""
    raw = bars(closes)
    known = actions(*((START + timedelta(day), "split", ratio) for day, ratio in dict(splits).items()))
    as_of = START + timedelta(then)
    earlier = adjusted(raw[: then + 1], known, as_of)["close"].to_numpy()
    later = adjusted(raw, known, START + timedelta(29))["close"].to_numpy()[: then + 1]
    assert earlier[-1] == closes[then]
    np.testing.assert_allclose(later / later[-1], earlier / earlier[-1], rtol=1e-12)
