from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.errors import DataError, UsageError
from hrp.ml.signals import predictions_to_signals

FIVE = pd.Series({"E": 0.1, "A": 0.3, "D": 0.3, "C": -0.2, "B": 0.0})


def long(signals: pd.Series) -> list[str]:
    return sorted(signals.index[signals == 1])


def test_rank_takes_the_best_and_ties_go_by_symbol():
    signals = predictions_to_signals(FIVE, top_pct=0.2)

    assert signals.to_dict() == {"E": 0, "A": 1, "D": 0, "C": 0, "B": 0}
    assert signals.name == "signal"
    assert long(predictions_to_signals(FIVE.iloc[::-1], top_pct=0.2)) == ["A"]


@pytest.mark.parametrize(
    ("names", "top_pct", "expected"),
    [(20, 0.1, 2), (25, 0.1, 2), (3, 0.1, 1), (100, 0.29, 29), (5, 0.0, 0), (5, 1.0, 5)],
)
def test_the_number_of_names_is_rounded_down_and_at_least_one(names, top_pct, expected):
    predictions = pd.Series(range(names), index=[f"S{i:03}" for i in range(names)])

    assert predictions_to_signals(predictions, top_pct=top_pct).sum() == expected


def test_threshold_is_in_units_of_the_prediction():
    assert long(predictions_to_signals(FIVE, "threshold")) == ["A", "D", "E"]
    assert long(predictions_to_signals(FIVE, "threshold", threshold=0.1)) == ["A", "D"]


def test_zscore_is_in_standard_deviations_of_the_session():
    # mean 0.1, deviation sqrt((0 + 0.04 + 0.04 + 0.09 + 0.01) / 5) = 0.1897: A and D stand 1.05 above
    assert long(predictions_to_signals(FIVE, "zscore")) == ["A", "D"]
    assert long(predictions_to_signals(FIVE, "zscore", threshold=1.1)) == []
    assert long(predictions_to_signals(FIVE * 0 + 7, "zscore")) == []


def test_a_frame_of_symbol_and_prediction_is_the_same_as_a_series():
    frame = pd.DataFrame({"symbol": FIVE.index, "prediction": FIVE.to_numpy(), "session": "2026-02-06"})

    assert predictions_to_signals(frame, top_pct=0.4).to_dict() == predictions_to_signals(FIVE, top_pct=0.4).to_dict()


@pytest.mark.parametrize("method", ["rank", "threshold", "zscore"])
def test_no_prediction_gives_no_signal(method):
    assert predictions_to_signals(pd.Series(dtype=float), method).empty


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_prediction_that_is_no_number_is_an_error(value):
    with pytest.raises(DataError, match="prediction of B is not a finite number"):
        predictions_to_signals(pd.Series({"A": 1.0, "B": value}))


def test_two_predictions_for_a_name_are_an_error():
    with pytest.raises(DataError, match="A has more than one prediction"):
        predictions_to_signals(pd.Series([1.0, 2.0], index=["A", "A"]))


def test_an_unknown_method_and_a_share_outside_its_range_are_usage_errors():
    with pytest.raises(UsageError, match="no signal method 'best'; there are: rank, threshold, zscore"):
        predictions_to_signals(FIVE, "best")
    with pytest.raises(UsageError, match="between 0 and 1, got 10"):
        predictions_to_signals(FIVE, top_pct=10)


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.floats(-1, 1).map(lambda x: round(x, 1)), min_size=1),
    st.floats(0, 1),
)
def test_rank_does_not_depend_on_the_order_of_rows(values, top_pct):
    there = pd.Series(values)
    back = there.iloc[::-1]

    assert long(predictions_to_signals(there, top_pct=top_pct)) == long(predictions_to_signals(back, top_pct=top_pct))
