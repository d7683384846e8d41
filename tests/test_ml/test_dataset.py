from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.errors import DataError
from hrp.ml.dataset import complete_enough, forward_returns, training_frame, walk_forward_splits

DAYS = pd.bdate_range("2024-01-01", periods=4, name="session")


def test_a_label_is_the_return_ahead_less_the_mean_of_its_section():
    closes = pd.DataFrame({"A": [10.0, 11.0, 12.0, 12.0], "B": [20.0, 20.0, 10.0, 30.0]}, index=DAYS)

    labels = forward_returns(closes, 2)

    # session 1: A 12/10-1 = 0.2, B 10/20-1 = -0.5, mean -0.15; session 2: A 12/11-1, B 30/20-1 = 0.5
    assert labels.loc[DAYS[0]].tolist() == pytest.approx([0.35, -0.35])
    assert labels.loc[DAYS[1], "B"] == pytest.approx((0.5 - 1 / 11) / 2)
    assert labels.iloc[2:].isna().all().all()


def test_a_name_without_both_closes_has_no_label_and_does_not_move_the_others():
    closes = pd.DataFrame({"A": [10.0, 11.0], "B": [10.0, 13.0], "C": [10.0, np.nan]}, index=DAYS[:2])

    assert forward_returns(closes, 1).loc[DAYS[0]].tolist() == pytest.approx([-0.1, 0.1, np.nan], nan_ok=True)


def test_a_horizon_below_one_is_refused():
    with pytest.raises(DataError, match="at least 1 session, got 0"):
        forward_returns(pd.DataFrame({"A": [1.0]}, index=DAYS[:1]), 0)


def test_the_training_frame_joins_by_key_and_leaves_out_what_has_no_label_or_too_few_features():
    closes = pd.DataFrame({"A": [10.0, 11.0, 12.0], "B": [10.0, 9.0, 8.0]}, index=DAYS[:3])
    keys = [(DAYS[0], "B"), (DAYS[2], "A"), (DAYS[0], "A"), (DAYS[1], "A"), (DAYS[1], "B")]
    features = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0, np.nan, 5.0], "y": [1.0, 2.0, 3.0, np.nan, np.nan], "z": 0.0},
        index=pd.MultiIndex.from_tuples(keys, names=["session", "symbol"]),
    )

    frame = training_frame(features, closes, 1)

    assert list(frame.index) == [(DAYS[0], "A"), (DAYS[0], "B"), (DAYS[1], "B")]
    assert frame["x"].tolist() == [3.0, 1.0, 5.0]
    assert frame["label"].tolist()[:2] == pytest.approx([0.1, -0.1])


def test_half_of_the_features_is_enough_and_less_is_not():
    features = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [1.0, 1.0, np.nan]})

    assert complete_enough(features).tolist() == [True, True, False]


@given(
    count=st.integers(1, 400), folds=st.integers(0, 8), horizon=st.integers(1, 21), embargo=st.integers(0, 21)
)  # fmt: skip
def test_no_label_of_a_training_window_reaches_its_test_window(count, folds, horizon, embargo):
    sessions = pd.bdate_range("2020-01-01", periods=count)
    if folds == 0 or count <= (folds + 1) * (horizon + embargo):
        with pytest.raises(DataError, match="too few"):
            walk_forward_splits(sessions, folds, horizon, embargo)
        return

    splits = walk_forward_splits(sessions, folds, horizon, embargo)

    place = sessions.get_indexer
    assert len(splits) == folds
    for split in splits:
        last_seen_by_a_label = place(split.train)[-1] + horizon
        assert last_seen_by_a_label + embargo < place(split.test)[0]
        assert split.train[0] == sessions[0]
    tested = pd.DatetimeIndex(np.concatenate([split.test for split in splits]))
    assert tested.is_monotonic_increasing
    assert tested.is_unique
    assert tested[-1] == sessions[-1]


def test_a_split_selects_whole_sessions():
    sessions = pd.bdate_range("2020-01-01", periods=12)
    frame = pd.DataFrame({"x": 0.0}, index=pd.MultiIndex.from_product([sessions, ["A", "B"]]))
    split = walk_forward_splits(sessions, folds=2, horizon=1, embargo=1)[0]

    train_rows, test_rows = split.select(frame)

    assert list(train_rows.index.unique(0)) == list(sessions[:2])
    assert list(test_rows.index.unique(0)) == list(sessions[4:8])
    assert len(test_rows) == 8
