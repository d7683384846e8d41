from __future__ import annotations

from math import inf, nan

import pandas as pd
import pytest

from hrp.domain.drift import DriftCheck, DriftFamily, DriftVerdict
from hrp.errors import DataError
from hrp.monitoring.faults import fault_checks, require_panel

from .panels import SYMBOLS, independent

OK, DRIFT, COULD_NOT_CHECK = DriftVerdict.OK, DriftVerdict.DRIFT, DriftVerdict.COULD_NOT_CHECK


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return independent(seed=1, first=0, count=126)


@pytest.fixture
def current() -> pd.DataFrame:
    return independent(seed=2, first=126, count=63)


def faults(current: pd.DataFrame, reference: pd.DataFrame) -> dict[str, DriftCheck]:
    checks = fault_checks(current, reference, ["momentum"])
    assert {check.family for check in checks} <= {DriftFamily.DATA}
    return {check.method: check for check in checks}


def alarms(current: pd.DataFrame, reference: pd.DataFrame) -> set[str]:
    return {method for method, check in faults(current, reference).items() if check.verdict is not OK}


def newest(frame: pd.DataFrame, sessions: int = 1) -> pd.Series:
    return frame["session"] >= sorted(frame["session"].unique())[-sessions]


def test_a_sound_window_has_no_fault(current, reference):
    assert alarms(current, reference) == set()


def test_the_missing_share_of_the_window_is_counted_and_held_against_the_reference(current, reference):
    current.loc[current.index[:126], "momentum"] = nan  # 126 of 1,260 rows, all in old sessions

    check = faults(current, reference)["missing_share"]

    assert (check.verdict, check.value, check.threshold) == (DRIFT, 0.1, 0.05)
    assert check.detail == "10.0% of the values, 5.0% is allowed"


def test_what_was_always_missing_does_not_alarm(current, reference):
    often = reference.assign(momentum=reference["momentum"].where(reference.index % 4 > 0))
    current["momentum"] = current["momentum"].where(current.index % 4 > 0)

    assert alarms(current, often) == set()


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_feed_that_died_tonight_alarms_though_the_window_is_nearly_full(current, reference, value):
    current.loc[newest(current), "momentum"] = value

    checks = faults(current, reference)

    assert checks["missing_share"].verdict is OK
    assert (checks["missing_share_newest"].verdict, checks["missing_share_newest"].value) == (DRIFT, 1.0)
    assert checks["repeated_share_newest"].verdict is COULD_NOT_CHECK


def test_a_feed_that_repeats_last_nights_values_alarms_in_the_first_night(current, reference):
    last, before = newest(current), newest(current, 2) & ~newest(current)
    current.loc[last, "momentum"] = current.loc[before, "momentum"].to_numpy()

    assert alarms(current, reference) == {"repeated_share_newest"}


def test_values_are_compared_by_symbol_and_not_by_place(current, reference):
    last, before = newest(current), newest(current, 2) & ~newest(current)
    current.loc[last, "momentum"] = current.loc[before, "momentum"].to_numpy()
    shuffled = current.sample(frac=1, random_state=7)

    assert alarms(shuffled, reference) == {"repeated_share_newest"}


def test_a_constant_column_alarms(current, reference):
    assert alarms(current.assign(momentum=0.0), reference) == {"repeated_share_newest"}


def test_a_feature_that_changes_rarely_by_nature_does_not_alarm(current, reference):
    sector = {symbol: place % 5 for place, symbol in enumerate(SYMBOLS)}
    reference = reference.assign(momentum=reference["symbol"].map(sector))
    current["momentum"] = current["symbol"].map(sector)

    assert alarms(current, reference) == set()


def test_a_session_where_the_reference_has_never_been_alarms(current, reference):
    current.loc[newest(current), "momentum"] += 100

    check = faults(current, reference)["outside_share_newest"]

    assert (check.verdict, check.value) == (DRIFT, 1.0)


def test_a_window_of_one_session_has_nothing_to_repeat(current, reference):
    check = faults(current[newest(current)], reference)["repeated_share_newest"]

    assert (check.verdict, check.value, check.detail) == (COULD_NOT_CHECK, None, "nothing to compare")


def test_a_column_missing_everywhere_in_the_reference_is_never_called_sound(current, reference):
    checks = faults(current, reference.assign(momentum=nan))

    assert checks["repeated_share_newest"].verdict is COULD_NOT_CHECK
    assert checks["outside_share_newest"].verdict is COULD_NOT_CHECK


def test_nothing_is_said_about_text_absent_columns_and_empty_frames(current, reference):
    assert fault_checks(current.assign(momentum="x"), reference, ["momentum", "absent"]) == []
    assert fault_checks(current.head(0), reference, ["momentum"]) == []


def test_a_frame_without_its_keys_is_refused(current):
    with pytest.raises(DataError, match="the current window has no column session; it needs"):
        require_panel(current.drop(columns="session"), "current window")
    with pytest.raises(DataError, match="rows without session or symbol"):
        require_panel(current.assign(symbol=current["symbol"].where(current.index > 0)), "current window")
    with pytest.raises(DataError, match="holds 1 keys twice, first TRUE at 2022-07-06"):
        require_panel(pd.concat([current, current.head(1)]), "current window")


@pytest.mark.parametrize("symbols", [[True, "NA"], [1, 2], [1.5, "ON"]])
def test_a_symbol_that_is_not_text_is_refused(current, symbols):
    with pytest.raises(DataError, match="symbols that are not text"):
        require_panel(current.head(2).assign(symbol=symbols), "current window")


def test_symbols_that_look_like_other_values_are_text_in_any_dtype(current):
    require_panel(current, "current window")
    require_panel(current.astype({"symbol": object}), "current window")
