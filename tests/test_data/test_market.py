"""Bars and what is known about names: never overwritten, keyed, text symbols only."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from hrp.data import market
from hrp.data.frames import require_symbols
from hrp.data.series import load_series
from hrp.data.sources import SkfolioSource
from hrp.domain.positions import Instrument
from hrp.domain.quality import Effect, Finding
from hrp.errors import DataError

from .night import LATER, NEXT, NIGHT, SESSION

ODD_TICKERS = ["INF", "NA", "NAN", "NULL", "ON", "TRUE"]


def bars(closes: dict[str, float], session: date = SESSION) -> pd.DataFrame:
    rows = [(symbol, session, c, c + 1, c - 1, c, 1000, "test") for symbol, c in closes.items()]
    return pd.DataFrame(rows, columns=list(market.BAR_COLUMNS))


def closes(con, **conditions) -> dict[str, float]:
    frame = market.load_prices(con, None, SESSION, NEXT, **conditions)
    return dict(zip(frame["symbol"], frame["close"], strict=True))


def test_the_same_bars_again_write_nothing_and_a_restatement_is_a_new_row(con):
    assert market.save_prices(con, bars({"AAPL": 130.0, "MSFT": 241.0}), NIGHT, "r1") == 2
    assert market.save_prices(con, bars({"MSFT": 241.0, "AAPL": 130.0}), LATER, "r2") == 0
    assert market.save_prices(con, bars({"AAPL": 65.0, "MSFT": 241.0}), LATER, "r3") == 1
    assert closes(con) == {"AAPL": 65.0, "MSFT": 241.0}
    assert con.execute("SELECT close FROM prices WHERE symbol = 'AAPL'").fetchall() == [(Decimal(65),)]


def test_a_past_decision_sees_the_bars_that_were_known_then(con):
    market.save_prices(con, bars({"AAPL": 130.0}), NIGHT, "r1")
    market.save_prices(con, bars({"AAPL": 65.0}), LATER, "r2")
    assert closes(con, known_by=NIGHT) == {"AAPL": 130.0}
    assert closes(con, known_by=NIGHT - timedelta(seconds=1)) == {}
    assert market.load_closes(con, ["AAPL"], SESSION, known_by=NIGHT) == {"AAPL": Decimal(130)}


def test_a_repeated_save_after_a_restatement_changes_nothing_and_a_return_to_the_old_bar_is_news(con):
    market.save_prices(con, bars({"AAPL": 130.0}), NIGHT, "r1")
    market.save_prices(con, bars({"AAPL": 65.0}), LATER, "r2")
    assert market.save_prices(con, bars({"AAPL": 130.0}), NIGHT, "r1 again") == 0
    assert closes(con) == {"AAPL": 65.0}
    assert market.save_prices(con, bars({"AAPL": 130.0}), LATER + timedelta(hours=1), "r3") == 1
    assert closes(con) == {"AAPL": 130.0}


def test_what_was_known_is_not_rewritten(con):
    market.save_prices(con, bars({"AAPL": 130.0}), NIGHT, "r1")
    with pytest.raises(DataError, match=r"AAPL for session 2022-12-27.*later known_at"):
        market.save_prices(con, bars({"AAPL": 131.0}), NIGHT, "r2")
    assert closes(con) == {"AAPL": 130.0}


def test_tickers_that_look_like_something_else_survive_in_and_out(con):
    market.save_prices(con, bars(dict.fromkeys(ODD_TICKERS, 10.0)), NIGHT, "r")
    frame = market.load_prices(con, ODD_TICKERS, SESSION, SESSION)
    assert frame["symbol"].tolist() == ODD_TICKERS
    assert sorted(market.load_closes(con, ODD_TICKERS, SESSION)) == ODD_TICKERS


@pytest.mark.parametrize("symbol", [True, 1.5, None, np.nan, "", " "])
def test_a_symbol_that_is_not_text_is_refused_with_its_row_and_how_to_mend_it(con, symbol):
    wrong = bars({"AAPL": 130.0, "MSFT": 241.0}).astype({"symbol": object})
    wrong.loc[1, "symbol"] = symbol
    with pytest.raises(DataError, match=r"bars, row 1: symbol is .* not text; .*dtype=\{'symbol': str\}"):
        market.save_prices(con, wrong, NIGHT, "r")


def test_a_key_that_stands_twice_is_refused_whatever_form_the_date_has(con):
    twice = pd.concat([bars({"AAPL": 130.0}), bars({"AAPL": 131.0}).assign(session=pd.Timestamp(SESSION))])
    with pytest.raises(DataError, match="1 duplicate keys, first: symbol=AAPL, session=2022-12-27"):
        market.save_prices(con, twice, NIGHT, "r")


def test_columns_are_found_by_name_and_a_missing_one_is_named(con):
    shuffled = bars({"AAPL": 130.0})[["volume", "close", "source", "symbol", "low", "high", "open", "session"]]
    market.save_prices(con, shuffled, NIGHT, "r")
    row = market.load_prices(con, ["AAPL"], SESSION, SESSION).iloc[0]
    assert (row["open"], row["high"], row["low"], row["volume"]) == (130.0, 131.0, 129.0, 1000.0)
    with pytest.raises(DataError, match=r"lack the columns \['close'\]"):
        market.save_prices(con, shuffled.drop(columns="close"), NIGHT, "r")


def test_holes_stay_holes_and_infinity_is_refused(con):
    hole = bars({"AAPL": np.nan, "MSFT": -1.0, "XOM": 0.0, "KO": 63.5}).astype({"volume": float})
    hole.loc[0, "volume"] = np.nan
    market.save_prices(con, hole, NIGHT, "r")
    assert market.save_prices(con, hole, LATER, "r") == 0
    assert market.load_prices(con, ["AAPL"], SESSION, SESSION)[["close", "volume"]].isna().all(axis=None)
    assert market.load_closes(con, ["AAPL", "MSFT", "XOM", "KO", "ZZZ"], SESSION) == {"KO": Decimal("63.5")}
    with pytest.raises(DataError, match=r"row 0: open is infinite"):
        market.save_prices(con, bars({"AAPL": np.inf}), NIGHT, "r")


def test_prices_keep_six_decimals(con):
    market.save_prices(con, bars({"AAPL": 0.123456, "BRK.A": 543210.123456}), NIGHT, "r")
    assert market.load_closes(con, ["AAPL", "BRK.A"], SESSION) == {
        "AAPL": Decimal("0.123456"),
        "BRK.A": Decimal("543210.123456"),
    }


def test_bars_come_back_long_sorted_and_typed(con):
    market.save_prices(con, bars({"MSFT": 241.0, "AAPL": 130.0}, NEXT), NIGHT, "r")
    market.save_prices(con, bars({"MSFT": 240.0, "AAPL": 129.0}), NIGHT, "r")
    frame = market.load_prices(con, None, SESSION, NEXT)
    assert frame.columns.tolist() == list(market.BAR_COLUMNS)
    assert frame["symbol"].tolist() == ["AAPL", "MSFT", "AAPL", "MSFT"]
    assert frame["session"].tolist() == [pd.Timestamp(SESSION)] * 2 + [pd.Timestamp(NEXT)] * 2
    assert (frame[["open", "high", "low", "close", "volume"]].dtypes == "float64").all()


def test_the_whole_embedded_history_goes_in_and_out_unchanged(con):
    history = SkfolioSource().fetch_bars(None, date(1990, 1, 1), date(2022, 12, 31))
    assert market.save_prices(con, history, NIGHT, "r") == len(history) == 166_260
    pd.testing.assert_frame_equal(market.load_prices(con, None, date(1990, 1, 1), date(2022, 12, 31)), history)
    series = load_series(con, history["symbol"].unique(), date(1990, 1, 1), date(2022, 12, 31))
    pd.testing.assert_frame_equal(series, history, check_exact=True)


def test_membership_is_by_interval_as_known_and_keeps_names_that_left(con):
    members = pd.DataFrame(
        {
            "symbol": ["AAPL", "GE", "TRUE"],
            "start_session": [date(2020, 1, 2)] * 3,
            "end_session": [None, date(2022, 12, 27), None],
        }
    )
    assert market.save_universe(con, "core", members, NIGHT) == 3
    assert market.save_universe(con, "core", members.iloc[::-1], LATER) == 0
    assert market.load_universe(con, "core", SESSION) == ["AAPL", "GE", "TRUE"]
    assert market.load_universe(con, "core", NEXT) == ["AAPL", "TRUE"]
    assert market.load_universe(con, "core", date(2019, 12, 31)) == market.load_universe(con, "other", NEXT) == []

    market.save_universe(con, "core", members[members["symbol"] != "TRUE"], LATER)
    assert market.load_universe(con, "core", NEXT) == ["AAPL"]
    assert market.load_universe(con, "core", NEXT, known_by=NIGHT) == ["AAPL", "TRUE"]


def test_an_instrument_is_written_when_it_is_new_or_has_changed(con):
    apple, meta = Instrument(265598, "AAPL", "NASDAQ"), Instrument(107113386, "FB", "NASDAQ")
    assert market.save_instruments(con, [apple, meta], NIGHT) == 2
    renamed = Instrument(107113386, "META", "NASDAQ")
    assert market.save_instruments(con, [apple, renamed], LATER) == 1
    assert market.load_instruments(con) == {"AAPL": apple, "META": renamed}


def test_the_findings_of_a_session_are_replaced(con):
    jump = Finding(SESSION, "PRICE_JUMP", "TRUE", Effect.QUARANTINE, "return=+60.0%")
    thin = Finding(SESSION, "COVERAGE", "", Effect.STOP, "usable=10 of 20")
    market.save_findings(con, SESSION, [jump, thin], "r1")
    market.save_findings(con, SESSION, [jump], "r2")
    assert market.load_findings(con, SESSION) == [jump]
    assert market.load_findings(con, NEXT) == []


def test_corporate_actions_are_known_from_when_they_were_stated_until_withdrawn(con):
    split = pd.DataFrame(
        {"symbol": ["AAPL"], "ex_session": [SESSION], "kind": ["split"], "value": [4.0], "source": ["vendor"]}
    )
    assert market.save_corporate_actions(con, split, NIGHT) == 1
    assert market.save_corporate_actions(con, split, LATER) == 0
    assert market.load_corporate_actions(con, ["AAPL"], SESSION, NEXT)["value"].tolist() == [4.0]
    assert market.save_corporate_actions(con, split.assign(value=np.nan), LATER) == 1
    assert market.load_corporate_actions(con, None, SESSION, NEXT).empty
    assert len(market.load_corporate_actions(con, None, SESSION, NEXT, known_by=NIGHT)) == 1


def test_an_instant_without_a_zone_is_refused(con):
    with pytest.raises(DataError, match="no time zone"):
        market.save_prices(con, bars({"AAPL": 130.0}), NIGHT.replace(tzinfo=None), "r")


def test_text_symbols_pass_in_every_form_pandas_has():
    for dtype in ("str", "object", "category"):
        require_symbols(pd.Series(ODD_TICKERS, dtype=dtype), "symbols")
