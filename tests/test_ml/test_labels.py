from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from hrp.config import Settings
from hrp.errors import DataError, UsageError
from hrp.ml.features import FIELDS, Panel
from hrp.ml.labels import KINDS, Label, label_named, require_honest

DAYS = pd.bdate_range("2024-01-01", periods=4, name="session")

each_kind = pytest.mark.parametrize("kind", KINDS)


def priced(**fields: dict[str, list[float]]) -> Panel:
    """A panel of the fields given, by symbol; the others hold 1."""
    wide = {name: pd.DataFrame(values, dtype="float64") for name, values in fields.items()}
    first = next(iter(wide.values()))
    matrices = {name: wide[name].to_numpy() if name in wide else np.ones(first.shape) for name in FIELDS}
    return Panel(DAYS[: len(first)], pd.Index(first.columns, name="symbol", dtype="str"), **matrices)


def values(label: Label, panel: Panel) -> pd.DataFrame:
    return label.target(panel, label.earned(panel))


def test_a_forward_return_is_the_return_ahead_less_the_mean_of_its_section():
    panel = priced(close={"A": [10.0, 11.0, 12.0, 12.0], "B": [20.0, 20.0, 10.0, 30.0]})

    labels = values(label_named("forward_return", 2), panel)

    # session 1: A 12/10-1 = 0.2, B 10/20-1 = -0.5, mean -0.15; session 2: A 12/11-1, B 30/20-1 = 0.5
    assert labels.loc[DAYS[0]].tolist() == pytest.approx([0.35, -0.35])
    assert labels.loc[DAYS[1], "B"] == pytest.approx((0.5 - 1 / 11) / 2)
    assert labels.iloc[2:].isna().all().all()


def test_a_name_without_both_prices_has_no_label_and_does_not_move_the_others():
    panel = priced(close={"A": [10.0, 11.0], "B": [10.0, 13.0], "C": [10.0, np.nan]})

    assert values(label_named("forward_return", 1), panel).loc[DAYS[0]].tolist() == pytest.approx(
        [-0.1, 0.1, np.nan], nan_ok=True
    )


def test_a_forward_rank_is_the_centred_rank_of_the_return_ahead():
    closes = {"A": [10.0, 13.0], "B": [10.0, 9.0], "C": [10.0, 13.0], "D": [10.0, 11.0], "E": [10.0, np.nan]}

    ranks = values(label_named("forward_rank", 1), priced(close=closes)).loc[DAYS[0]]

    # of 4 names: B first, D second, A and C share 3.5; less 2.5, over 4
    assert ranks.tolist() == pytest.approx([0.25, -0.375, 0.25, -0.125, np.nan], nan_ok=True)


def test_open_to_open_earns_from_the_next_open_on():
    panel = priced(open={"A": [1.0, 10.0, 12.0, 15.0], "B": [1.0, 10.0, 10.0, 10.0]})
    label = label_named("open_to_open", 2)

    earned = label.earned(panel)

    assert earned.loc[DAYS[0]].tolist() == pytest.approx([0.25, -0.25])
    assert earned.iloc[1:].isna().all().all()
    assert label.reach == 3


def test_a_scaled_return_is_in_units_of_the_deviation_known_at_the_session(panel: Panel):
    label = label_named("forward_scaled", 5)
    closes = panel.wide("close")
    row, name = 100, panel.symbols[3]

    past = closes[name].iloc[row - 63 : row + 1]
    expected = label.earned(panel)[name].iloc[row] / (past / past.shift(1) - 1).std()

    assert values(label, panel)[name].iloc[row] == pytest.approx(expected)
    assert values(label, panel).iloc[:63].isna().all().all()


def test_a_label_is_named_by_kind_and_horizon():
    assert label_named("forward_rank", 5).name == "forward_rank_5"
    with pytest.raises(UsageError, match="no label 'backward'; there are: forward_return, forward_rank, open_to_open"):
        label_named("backward", 5)
    with pytest.raises(DataError, match="at least 1 session, got 0"):
        label_named("forward_return", 0)


@each_kind
@pytest.mark.parametrize("horizon", [1, 5])
def test_every_kind_reads_what_it_declares_and_nothing_that_its_prediction_knows(kind, horizon, panel: Panel):
    require_honest(label_named(kind, horizon), panel)


@each_kind
def test_every_kind_says_what_it_is_and_where_it_comes_from(kind):
    label = label_named(kind, 5)

    assert label.kind == kind
    assert label.doc
    assert label.source


def test_the_setting_and_the_page_name_every_kind():
    page = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")

    assert get_args(Settings.model_fields["label"].annotation) == tuple(KINDS)
    assert re.findall(r"^\| `(\w+)` \| (?:close|from)", page, re.MULTILINE) == list(KINDS)


def standardised_by_the_whole_history(_panel: Panel, earned: pd.DataFrame) -> pd.DataFrame:
    return earned / earned.stack().std()


def with_the_day_of_the_prediction(panel: Panel, earned: pd.DataFrame) -> pd.DataFrame:
    return earned + panel.wide("close").pct_change(fill_method=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": standardised_by_the_whole_history}, "reads beyond the 5 sessions that it declares"),
        ({"target": lambda _, earned: earned.shift(-1)}, "reads beyond the 5 sessions that it declares"),
        ({"target": with_the_day_of_the_prediction}, "it reads what its prediction knows"),
        ({"price": "open"}, "it reads what its prediction knows"),
    ],
)
def test_a_planted_look_ahead_in_a_label_is_caught(change, message, panel: Panel):
    with pytest.raises(DataError, match=message):
        require_honest(replace(label_named("forward_return", 5), **change), panel)
