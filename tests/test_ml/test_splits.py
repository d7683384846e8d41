from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV, WalkForward

from hrp.errors import DataError
from hrp.ml.splits import Split, combinatorial_splits, walk_forward_splits

gaps = {"reach": st.integers(1, 21), "embargo": st.integers(0, 21)}


def days(count: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2020-01-01", periods=count)


def places(sessions: pd.DatetimeIndex, split: Split) -> tuple[np.ndarray, np.ndarray]:
    return sessions.get_indexer(split.train), sessions.get_indexer(split.test)


def assert_apart(train: np.ndarray, test: np.ndarray, reach: int, embargo: int) -> None:
    """No label window (row, row + reach] of one side, widened by the embargo, meets one of the other."""
    distance = np.abs(train[:, None] - test[None, :])
    assert distance.min() > reach + embargo


@given(count=st.integers(1, 400), folds=st.integers(0, 8), **gaps)
def test_no_label_of_a_training_window_reaches_its_test_window(count, folds, reach, embargo):
    sessions = days(count)
    if folds == 0 or count < (folds + 1) * (reach + embargo + 1):
        with pytest.raises(DataError, match="too few"):
            walk_forward_splits(sessions, folds, reach, embargo)
        return

    splits = walk_forward_splits(sessions, folds, reach, embargo)

    assert len(splits) == folds
    for split in splits:
        train, test = places(sessions, split)
        assert_apart(train, test, reach, embargo)
        assert train[-1] < test[0]
        assert train[0] == 0
    tested = np.concatenate([split.test for split in splits])
    assert list(tested) == list(sessions[-len(tested) :].to_numpy())


@given(count=st.integers(1, 400), blocks=st.integers(1, 6), test_blocks=st.integers(0, 6), **gaps)
def test_no_label_of_a_combinatorial_training_side_reaches_its_test_side(count, blocks, test_blocks, reach, embargo):
    sessions = days(count)
    if not 0 < test_blocks < blocks or count < blocks * (2 * (reach + embargo) + 1):
        with pytest.raises(DataError, match="too few"):
            combinatorial_splits(sessions, blocks, test_blocks, reach, embargo)
        return

    splits = combinatorial_splits(sessions, blocks, test_blocks, reach, embargo)

    assert len(splits) == comb(blocks, test_blocks)
    for split in splits:
        assert_apart(*places(sessions, split), reach, embargo)
    times = np.unique(np.concatenate([split.test for split in splits]), return_counts=True)[1]
    assert set(times) == {comb(blocks - 1, test_blocks - 1)}
    assert len(times) == count


@pytest.mark.parametrize("gap", [0, 7])
def test_combinatorial_splits_are_skfolios(gap):
    sessions = days(240)
    peer = CombinatorialPurgedCV(n_folds=6, n_test_folds=2, purged_size=gap)
    # skfolio wants one row a session; its purge is what reach and embargo are together
    expected = {tuple(np.concatenate(tests)): tuple(train) for train, tests in peer.split(np.zeros((len(sessions), 1)))}

    splits = combinatorial_splits(sessions, 6, 2, reach=gap, embargo=0)

    assert {tuple(test): tuple(train) for train, test in (places(sessions, split) for split in splits)} == expected


def test_walk_forward_splits_are_skfolios():
    sessions = days(240)
    peer = WalkForward(test_size=40, train_size=30, purged_size=10, expand_train=True)
    expected = [(train.tolist(), test.tolist()) for train, test in peer.split(np.zeros((len(sessions), 1)))]

    found = [places(sessions, split) for split in walk_forward_splits(sessions, 5, reach=6, embargo=4)]

    assert [(train.tolist(), test.tolist()) for train, test in found] == expected


def test_a_split_selects_whole_sessions_on_either_side_of_its_test():
    sessions = days(12)
    keys = pd.MultiIndex.from_product([sessions, ["A", "B"]], names=["session", "symbol"])
    split = combinatorial_splits(sessions, 3, 1, reach=1, embargo=0)[1]

    train_rows, test_rows = split.select(pd.DataFrame({"x": 0.0}, index=keys))

    assert list(train_rows.index.unique(0)) == [*sessions[:3], *sessions[9:]]
    assert list(test_rows.index.unique(0)) == list(sessions[4:8])
    assert len(test_rows) == 8


def test_every_choice_of_blocks_is_tested_once():
    tested = {tuple(split.test) for split in combinatorial_splits(days(100), 5, 3, reach=1, embargo=1)}

    assert tested == {
        tuple(pd.DatetimeIndex(np.concatenate(chosen)))
        for chosen in combinations([days(100)[start : start + 20] for start in range(0, 100, 20)], 3)
    }
