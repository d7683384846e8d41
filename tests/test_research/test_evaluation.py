from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from hrp.errors import DataError
from hrp.research.evaluation import compare_equity, compare_positions, tracking_summary

DAYS = [date(2024, 1, day) for day in (2, 3, 4, 5)]


def series(*amounts, days=DAYS):
    return pd.Series(list(amounts), index=days[: len(amounts)])


def test_differences_are_counted_in_cents_whatever_the_kind_of_number():
    paper = series(Decimal("1000.10"), Decimal("1000.20"), Decimal("999.99"))
    backtest = series(1000.10, 1000.21, 999.99).set_axis(pd.DatetimeIndex(DAYS[:3]))

    comparison = compare_equity(paper, backtest)

    assert comparison["difference_cents"].tolist() == [0, -1, 0]
    assert comparison.loc["2024-01-03"].tolist() == [100_020, 100_021, -1]


def test_a_session_that_only_one_has_stays_in_the_table_without_a_difference():
    comparison = compare_equity(series(1.0, 2.0, days=DAYS[1:]), series(1.0, 2.0))

    assert comparison["paper_cents"].isna().tolist() == [True, False, False]
    assert comparison["backtest_cents"].isna().tolist() == [False, False, True]
    assert comparison["difference_cents"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("NaN")])
def test_an_amount_that_is_no_number_is_refused(amount):
    with pytest.raises(DataError, match=r"paper has .* in session 2024-01-03"):
        compare_equity(series(1.0, amount), series(1.0, 2.0))


def test_a_session_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="backtest has session 2024-01-02 twice"):
        compare_equity(series(1.0), series(1.0, 2.0, days=[DAYS[0], DAYS[0]]))


def test_positions_that_differ_are_listed_by_session_and_symbol():
    paper = pd.DataFrame({"AAA": [10, 10], "NAN": [5.0, np.nan]}, index=DAYS[:2])
    backtest = pd.DataFrame({"AAA": [10, 9], "BBB": [0, 0], "CCC": [0, 3]}, index=pd.DatetimeIndex(DAYS[:2]))

    differences = compare_positions(paper, backtest)

    assert [(s.day, *rest) for s, *rest in differences.itertuples(index=False, name=None)] == [
        (2, "NAN", 5, 0),
        (3, "AAA", 10, 9),
        (3, "CCC", 0, 3),
    ]


def test_equal_positions_leave_an_empty_list_and_sessions_of_one_side_are_not_compared():
    backtest = pd.DataFrame({"AAA": [10, 9, 8]}, index=DAYS[:3])

    assert compare_positions(backtest.iloc[:2], backtest).empty


def test_the_summary_says_how_far_the_account_ran_from_its_model():
    comparison = compare_equity(series(100.00, 101.00, 99.99, 5.00), series(100.00, 100.00, 100.00))

    summary = tracking_summary(comparison)

    gaps = np.array([0.01 - 0.0, (99.99 / 101.00 - 1) - 0.0])
    assert summary == pytest.approx(
        {
            "sessions": 3,
            "sessions_missing": 1,
            "sessions_apart": 2,
            "largest_difference_usd": 1.00,
            "final_difference_usd": -0.01,
            "tracking_error": gaps.std(ddof=1) * 252**0.5,
        }
    )


def test_a_summary_without_a_common_session_has_no_figures():
    summary = tracking_summary(compare_equity(series(1.0), series(1.0, days=DAYS[1:])))

    assert (summary["sessions"], summary["sessions_missing"]) == (0, 2)
    assert np.isnan(summary["final_difference_usd"])
