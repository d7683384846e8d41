"""Which sessions to fit on and which to predict, so that no label of the one reaches the other (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Sessions to fit on and others to predict, each ascending."""

    train: pd.DatetimeIndex
    test: pd.DatetimeIndex

    def select(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of `frame`, index (session, symbol), to fit on and to predict."""
        sessions = frame.index.get_level_values("session")
        return frame[sessions.isin(self.train)], frame[sessions.isin(self.test)]


def walk_forward_splits(sessions: pd.DatetimeIndex, folds: int, reach: int, embargo: int) -> list[Split]:
    """`folds` expanding training windows, each followed by the next equal block of test sessions.

    Between the two lie `reach + embargo` unused sessions: a label that reads `reach` sessions ahead ends before the
    first test session (purge), and `embargo` further ones keep slow features from reaching across.

    Raises:
        DataError: too few sessions for the first window; the message gives the number needed.
    """
    asked = f"{folds} walk-forward folds with horizon {reach} and embargo {embargo}: at least 1 fold"
    blocks = _blocks(sessions, folds + 1, reach + embargo, asked, possible=folds >= 1)
    return [Split(sessions[: block[0] - reach - embargo], sessions[block]) for block in blocks[1:]]


def combinatorial_splits(
    sessions: pd.DatetimeIndex, blocks: int, test_blocks: int, reach: int, embargo: int
) -> list[Split]:
    """Every choice of `test_blocks` of `blocks` equal blocks to predict, the rest to fit on, purged on both sides.

    Combinatorial purged cross-validation (López de Prado 2018, ch. 12): each session is predicted by
    C(blocks - 1, test_blocks - 1) models. No session of the training side lies within `reach + embargo` of a test one.

    Raises:
        DataError: fewer than 2 blocks, nothing left to fit on, or blocks shorter than the gap.
    """
    gap, splits = reach + embargo, []
    asked = (
        f"{test_blocks} of {blocks} combinatorial blocks with horizon {reach} and embargo {embargo}: at least 1 block "
        f"to predict, 1 to fit on"
    )
    parts = _blocks(sessions, blocks, 2 * gap, asked, possible=0 < test_blocks < blocks)
    for chosen in combinations(parts, test_blocks):
        keep = np.ones(len(sessions), dtype=bool)
        for block in chosen:
            keep[max(block[0] - gap, 0) : block[-1] + gap + 1] = False
        splits.append(Split(sessions[keep], sessions[np.concatenate(chosen)]))
    return splits


def _blocks(
    sessions: pd.DatetimeIndex, count: int, lost: int, asked: str, *, possible: bool
) -> list[NDArray[np.int64]]:
    """`count` equal blocks, each longer than the sessions `lost` of it."""
    if not possible or len(sessions) < count * (lost + 1):
        raise DataError(
            f"{len(sessions)} sessions are too few for {asked} and {max(count, 2) * (lost + 1)} sessions are needed; "
            f"start earlier or ask for fewer"
        )
    return np.array_split(np.arange(len(sessions)), count)
