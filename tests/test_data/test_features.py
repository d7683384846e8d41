from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hrp.data import features
from hrp.errors import DataError

from .night import NEXT, NIGHT, SESSION


def wide(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=["TRUE", "AAPL"])


def test_a_rerun_replaces_the_features_of_its_session_and_no_others(con):
    features.save_features(con, "core", SESSION, wide(momentum=[9.0, 9.0], old=[9.0, 9.0]), NIGHT)
    features.save_features(con, "core", NEXT, wide(momentum=[5.0, 6.0]), NIGHT)
    assert features.save_features(con, "core", SESSION, wide(momentum=[0.1, np.nan], beta=[1, 2]), NIGHT) == 4

    expected = pd.DataFrame(
        {"beta": [2.0, 1.0], "momentum": [np.nan, 0.1]}, index=pd.Index(["AAPL", "TRUE"], name="symbol")
    )
    pd.testing.assert_frame_equal(features.load_features(con, "core", SESSION), expected)
    assert features.load_features(con, "core", NEXT)["momentum"].tolist() == [6.0, 5.0]
    assert features.load_features(con, "other", NEXT).empty


def test_symbols_must_be_text_and_unique(con):
    with pytest.raises(DataError, match="row 0: symbol is True"):
        features.save_features(con, "core", SESSION, pd.DataFrame({"beta": [1.0]}, index=[True]), NIGHT)
    with pytest.raises(DataError, match="duplicate keys, first: symbol=AAPL"):
        features.save_features(con, "core", SESSION, pd.DataFrame({"beta": [1.0, 2.0]}, index=["AAPL"] * 2), NIGHT)
