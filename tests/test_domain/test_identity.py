"""Tickers come and go, instruments stay."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from hrp.domain.identity import Listing, bearer, identified, own_ticker, renamed, require_consistent, ticker_in
from hrp.errors import DataError

D1, D2, D3, D4, D5 = (date(2022, 6, day) for day in (6, 7, 8, 9, 10))
OLD_FB = Listing("falcon", "FB", date(1999, 9, 29), D1)
META_AS_FB, META = Listing("meta", "FB", D2, D3), Listing("meta", "META", D4)
LISTINGS = [OLD_FB, META_AS_FB, META]


def rows(*bars: tuple[str, date]) -> pd.DataFrame:
    frame = pd.DataFrame(bars, columns=["symbol", "session"]).astype({"session": "datetime64[us]"})
    return frame.assign(close=range(len(frame))).sort_values(["session", "symbol"], ignore_index=True)


def told(frame: pd.DataFrame) -> list[tuple[str, date, int]]:
    return [(symbol, day.date(), close) for symbol, day, close in frame.itertuples(index=False)]


@pytest.mark.parametrize(
    ("text", "own"),
    [("BRK.B", "BRK.B"), ("BRK-B", "BRK.B"), ("BRK B", "BRK.B"), ("BRK/B", "BRK.B"), ("TRUE", "TRUE"), ("NAN", "NAN"),
     ("INF", "INF"), ("ON", "ON"), ("A", "A"), ("3M", "3M")],
)  # fmt: skip
def test_a_ticker_has_one_writing(text: str, own: str):
    assert own_ticker(text) == own


@pytest.mark.parametrize("text", ["NYSE:LMT", "", " ", "aapl", "BRK-", ".B", "^GSPC", "BRK.B.C", "AAPL "])
def test_what_is_no_ticker_is_refused(text: str):
    with pytest.raises(DataError, match="is no ticker"):
        own_ticker(text)


def test_a_ticker_names_who_bears_it_or_bore_it_last():
    assert [bearer(LISTINGS, "FB", day) for day in (D1, D2, D3, D5)] == ["falcon", "meta", "meta", "meta"]
    assert bearer(LISTINGS, "FB", date(1990, 1, 2)) is None
    assert bearer(LISTINGS, "META", D3) is None


def test_a_renamed_name_keeps_its_past_and_a_reused_ticker_leaves_it_to_its_bearer():
    bars = rows(("FB", D1), ("FB", D2), ("FB", D3), ("META", D4), ("XOM", D4), ("META", D5))
    assert told(identified(bars, LISTINGS, ["META", "XOM"], D5)) == [
        ("META", D2, 1), ("META", D3, 2), ("META", D4, 3), ("XOM", D4, 4), ("META", D5, 5)
    ]  # fmt: skip
    assert told(identified(bars[:1], LISTINGS, ["FB"], D1)) == [("FB", D1, 0)]


def test_a_name_asked_for_by_its_old_ticker_goes_on_under_it():
    bars = rows(("FB", D3), ("META", D4))
    assert told(identified(bars, LISTINGS, ["FB"], D4)) == [("FB", D3, 0), ("FB", D4, 1)]


def test_what_a_ticker_was_before_its_first_bearer_is_another_company():
    bars = rows(("META", D3), ("FB", D3), ("META", D4))
    assert told(identified(bars, LISTINGS, ["META"], D3)) == [("META", D3, 0)]
    assert told(identified(bars, LISTINGS, ["META"], D4)) == [("META", D3, 1), ("META", D4, 2)]


def test_a_source_that_repeats_the_past_under_the_present_ticker_fills_holes_and_replaces_nothing():
    listings = [META_AS_FB, Listing("meta", "META", D2)]
    bars = rows(("FB", D2), ("META", D2), ("META", D3), ("META", D4))
    assert told(identified(bars, listings, ["META"], D4)) == [("META", D2, 0), ("META", D3, 2), ("META", D4, 3)]
    assert (renamed(listings, "META", D4, D3), renamed(listings, "META", D4, D5)) == ("FB", "META")


def test_several_rows_of_one_day_stay_together():
    actions = rows(("FB", D3), ("FB", D3))
    assert len(identified(actions, LISTINGS, ["META"], D4)) == 2


def test_names_that_are_not_listed_are_left_as_they_are():
    bars = rows(("XOM", D1), ("XOM", D2))
    assert identified(bars, LISTINGS, ["XOM"], D5) is bars


@pytest.mark.parametrize(
    ("stated", "session", "called"),
    [("META", D5, "META"), ("META", D3, "FB"), ("FB", D5, "META"), ("FB", D1, "FB"), ("XOM", D1, "XOM")],
)
def test_members_stated_by_a_later_or_an_earlier_ticker_are_found(stated: str, session: date, called: str):
    assert ticker_in(LISTINGS, stated, session) == called


def test_a_ticker_of_two_instruments_in_one_session_is_refused():
    require_consistent(LISTINGS)
    with pytest.raises(DataError, match=r"one ticker cannot name both falcon as FB .* and meta as FB from 2022-06-06"):
        require_consistent([OLD_FB, Listing("meta", "FB", D1)])
