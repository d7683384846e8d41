"""Bars and what of them is public."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from hrp.errors import DataError
from hrp.gateway.market import Market, MarketView

from .support import BARS, at, write_market


@pytest.fixture
def market(tmp_path):
    return Market(write_market(tmp_path / "market.parquet"))


VISIBLE = [
    (at(3, 14, 29), None, "102", date(2024, 1, 2)),
    (at(3, 14, 30), "103", "102", date(2024, 1, 2)),
    (at(3, 20, 59), "103", "102", date(2024, 1, 2)),
    (at(3, 21), None, "105", date(2024, 1, 3)),
    (at(6, 12), None, "111", date(2024, 1, 5)),
]


@pytest.mark.parametrize(("now", "opening", "close", "newest"), VISIBLE)
def test_a_bar_is_public_at_its_close_and_its_open_during_the_session(market, now, opening, close, newest):
    view = MarketView(market, now)
    assert view.running_open("AAA") == (Decimal(opening) if opening else None)
    assert view.last_close("AAA") == Decimal(close)
    assert view.closed_bars("AAA", 99)[-1].session == newest


def test_a_stock_is_not_listed_before_its_first_session_opens(market):
    assert not MarketView(market, at(4, 14, 29)).is_listed("NEW")
    assert MarketView(market, at(4, 14, 30)).is_listed("NEW")


def test_class_shares_are_spelled_as_the_broker_spells_them(market):
    assert market.symbols() == ["AAA", "BRK B", "NEW"]
    assert market.bar("BRK B", date(2024, 1, 3)).open == Decimal("361.0")
    assert market.bar("BRK.B", date(2024, 1, 3)) is None


def test_a_missing_or_impossible_price_is_none(tmp_path):
    rows = [("AAA", date(2024, 1, 2), float("nan"), 0.0, -1.0, 67.7142, 5)]
    bar = Market(write_market(tmp_path / "m.parquet", rows)).bar("AAA", date(2024, 1, 2))
    assert (bar.open, bar.high, bar.low, bar.close) == (None, None, None, Decimal("67.7142"))


def test_a_rewritten_file_is_read_again(market):
    assert not market.reload_if_changed()
    write_market(market.path, [*BARS, ("AAA", date(2024, 1, 8), 111.0, 113.0, 110.0, 112.0, 10)])
    assert market.reload_if_changed()
    assert market.last_session() == date(2024, 1, 8)


def test_a_file_that_was_spoiled_leaves_what_was_read_before(market):
    market.path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="cannot be read"):
        market.reload_if_changed()
    assert market.last_session() == date(2024, 1, 5)


def test_a_file_without_a_column_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"symbol": ["AAA"]}), tmp_path / "m.parquet")
    with pytest.raises(DataError, match="lacks the columns"):
        Market(tmp_path / "m.parquet")


def test_one_symbol_in_two_spellings_is_refused(tmp_path):
    rows = [("BRK.B", date(2024, 1, 2), 1.0, 1.0, 1.0, 1.0, 1), ("BRK-B", date(2024, 1, 2), 1.0, 1.0, 1.0, 1.0, 1)]
    with pytest.raises(DataError, match="BRK B 2024-01-02 twice"):
        Market(write_market(tmp_path / "m.parquet", rows))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="no market file"):
        Market(tmp_path / "absent.parquet")
