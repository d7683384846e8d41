from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.ml.dataset import average_uniqueness, complete_enough, data_sha256, training_frame
from hrp.ml.features import Panel
from hrp.ml.labels import label_named

from .test_labels import DAYS, priced


def test_the_training_frame_joins_by_key_and_leaves_out_what_has_no_label_or_too_few_features():
    panel = priced(close={"A": [10.0, 11.0, 12.0], "B": [10.0, 9.0, 8.0]})
    keys = [(DAYS[0], "B"), (DAYS[2], "A"), (DAYS[0], "A"), (DAYS[1], "A"), (DAYS[1], "B")]
    features = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0, np.nan, 5.0], "y": [1.0, 2.0, 3.0, np.nan, np.nan], "z": 0.0},
        index=pd.MultiIndex.from_tuples(keys, names=["session", "symbol"]),
    )

    frame = training_frame(features, panel, label_named("forward_return", 1))

    assert list(frame.index) == [(DAYS[0], "A"), (DAYS[0], "B"), (DAYS[1], "B")]
    assert frame["x"].tolist() == [3.0, 1.0, 5.0]
    assert frame["label"].tolist()[:2] == pytest.approx([0.1, -0.1])
    assert frame["earned"].tolist() == frame["label"].tolist()
    assert frame["weight"].tolist() == [1.0, 1.0, 1.0]  # labels over one session share nothing


def test_a_frame_holds_what_a_rank_is_fitted_on_and_what_it_earns():
    panel = priced(close={"A": [10.0, 11.0], "B": [10.0, 9.0], "C": [10.0, 13.0]})
    features = pd.DataFrame(
        {"x": 0.0}, index=pd.MultiIndex.from_product([DAYS[:1], list("ABC")], names=["session", "symbol"])
    )

    frame = training_frame(features, panel, label_named("forward_rank", 1))

    assert frame["label"].tolist() == pytest.approx([0.0, -1 / 3, 1 / 3])
    assert frame["earned"].tolist() == pytest.approx([0.0, -0.2, 0.2])


@given(labelled=st.lists(st.booleans(), min_size=1, max_size=30), horizon=st.integers(1, 8))
def test_uniqueness_is_the_mean_share_of_the_sessions_that_a_label_spans(labelled, horizon):
    def share(row: int) -> float:
        spans = [sum(labelled[max(day - horizon, 0) : day]) for day in range(row + 1, row + horizon + 1)]
        return float(np.mean([1 / count for count in spans]))

    found = average_uniqueness(np.array([labelled]).T, horizon).ravel()

    expected = [share(row) if has else np.nan for row, has in enumerate(labelled)]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


def test_the_labels_of_one_name_do_not_share_with_those_of_another():
    alone = np.array([[True, False], [False, False], [False, True]])

    assert average_uniqueness(alone, 5)[alone].tolist() == [1.0, 1.0]


def test_half_of_the_features_is_enough_and_less_is_not():
    features = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [1.0, 1.0, np.nan]})

    assert complete_enough(features).tolist() == [True, True, False]


def test_the_hash_of_a_panel_is_that_of_its_content_in_whatever_order_it_came(bars: pd.DataFrame, panel: Panel):
    assert data_sha256(Panel.from_bars(bars.sample(frac=1.0, random_state=1))) == data_sha256(panel)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
def test_the_hash_of_a_panel_changes_with_any_bar(field, panel: Panel):
    values = getattr(panel, field).copy()
    values[100, 3] = np.nextafter(values[100, 3], np.inf)

    assert data_sha256(replace(panel, **{field: values})) != data_sha256(panel)


def test_the_hash_of_a_panel_changes_with_its_names_and_sessions(panel: Panel):
    renamed = replace(panel, symbols=panel.symbols.str.lower())
    moved = replace(panel, sessions=panel.sessions + pd.Timedelta(days=1))

    assert len({data_sha256(one) for one in (panel, renamed, moved)}) == 3


def test_a_missing_bar_is_a_missing_bar_whatever_its_bits(panel: Panel):
    one, other = panel.close.copy(), panel.close.copy()
    one[5, 5], other[5, 5] = np.nan, -np.nan

    assert one.tobytes() != other.tobytes()
    assert data_sha256(replace(panel, close=one)) == data_sha256(replace(panel, close=other))


def test_the_hash_of_the_data_changes_with_who_belonged_when(panel: Panel):
    members = pd.DataFrame({
        "symbol": ["AAPL", "AMD"], "start_session": pd.Timestamp("2020-01-02"), "end_session": pd.NaT,
    })  # fmt: skip
    left = members.assign(end_session=[pd.NaT, pd.Timestamp("2021-01-04")])

    assert len({data_sha256(panel), data_sha256(panel, members), data_sha256(panel, left)}) == 3
    assert data_sha256(panel, left[::-1]) == data_sha256(panel, left)
