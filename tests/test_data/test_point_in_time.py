"""What a name's history is depends on the session that looks back, and on what was known then."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from hrp.data import market
from hrp.data.history import drop_written, write_history
from hrp.data.listings import load_listings, save_listings
from hrp.data.rows import Connection
from hrp.data.series import load_membership, load_series
from hrp.data.sources import FolderSource
from hrp.domain.identity import Listing
from hrp.domain.rebased import Adjustment
from hrp.errors import DataError

from .night import LATER, NEXT, NIGHT, SESSION

BEFORE = date(2022, 12, 23)
FIRST, LAST = date(1990, 1, 1), date(2018, 2, 7)


def bars(*rows: tuple[str, date, float]) -> pd.DataFrame:
    full = [(symbol, session, c, c + 1, c - 1, c, 1000, "test") for symbol, session, c in rows]
    return pd.DataFrame(full, columns=list(market.BAR_COLUMNS))


def split(symbol: str, ex_session: date, value: float) -> pd.DataFrame:
    row = {"symbol": symbol, "ex_session": ex_session, "kind": "split", "value": value, "source": "test"}
    return pd.DataFrame([row])


def closes(con: Connection, symbol: str, last: date = NEXT, **how: object) -> list[float]:
    return load_series(con, [symbol], BEFORE, last, **how)["close"].tolist()


def test_a_series_is_in_the_shares_of_its_last_session_as_known_then(con: Connection):
    market.save_prices(con, bars(("AAPL", BEFORE, 400.0), ("AAPL", SESSION, 404.0), ("AAPL", NEXT, 101.0)), NIGHT, "r")
    market.save_corporate_actions(con, split("AAPL", NEXT, 4.0), LATER)
    assert closes(con, "AAPL") == [100.0, 101.0, 101.0]
    assert closes(con, "AAPL", SESSION) == [400.0, 404.0]
    assert closes(con, "AAPL", known_by=NIGHT) == [400.0, 404.0, 101.0]


def test_bars_that_are_not_raw_are_not_adjusted_again(con: Connection):
    market.save_prices(con, bars(("AAPL", SESSION, 100.0)), NIGHT, "r", Adjustment.SPLITS)
    market.save_prices(con, bars(("TSLA", SESSION, 400.0)), NIGHT, "r")
    for symbol in ("AAPL", "TSLA"):
        market.save_corporate_actions(con, split(symbol, SESSION, 4.0), NIGHT)
        market.save_corporate_actions(con, split(symbol, NEXT, 2.0), NIGHT)
    assert (closes(con, "AAPL"), closes(con, "TSLA")) == ([50.0], [200.0])


def test_the_same_numbers_otherwise_adjusted_are_news(con: Connection):
    assert market.save_prices(con, bars(("AAPL", SESSION, 100.0)), NIGHT, "r") == 1
    assert market.save_prices(con, bars(("AAPL", SESSION, 100.0)), LATER, "r", Adjustment.SPLITS) == 1


def test_a_renamed_name_keeps_its_past_from_when_the_rename_was_known(con: Connection):
    fb, meta = Listing("meta", "FB", date(2012, 5, 18), SESSION), Listing("meta", "META", NEXT)
    market.save_prices(con, bars(("FB", BEFORE, 10.0), ("FB", SESSION, 11.0), ("META", NEXT, 6.0)), NIGHT, "r")
    market.save_corporate_actions(con, split("META", NEXT, 2.0), NIGHT)
    assert save_listings(con, [Listing("meta", "FB", fb.first)], NIGHT) == 1
    assert save_listings(con, [fb, meta], LATER) == 2
    assert save_listings(con, [meta, fb], LATER + timedelta(days=1)) == 0
    assert closes(con, "META") == [5.0, 5.5, 6.0]
    assert closes(con, "FB", SESSION) == [10.0, 11.0]
    assert closes(con, "META", known_by=NIGHT) == [6.0]
    assert load_listings(con, NIGHT) == [Listing("meta", "FB", fb.first)]


def test_a_listing_can_be_withdrawn_and_a_contradiction_cannot_be_saved(con: Connection):
    save_listings(con, [Listing("meta", "FB", date(2012, 5, 18))], NIGHT)
    with pytest.raises(DataError, match="one ticker cannot name both"):
        save_listings(con, [Listing("falcon", "FB", date(2020, 1, 2))], LATER)
    with pytest.raises(DataError, match="'NYSE:FB' is no ticker"):
        save_listings(con, [Listing("meta", "NYSE:FB", date(2020, 1, 2))], LATER)
    save_listings(con, [Listing("meta", "FB", date(2012, 5, 18), date(2012, 5, 17))], LATER)
    assert load_listings(con) == []
    assert len(load_listings(con, NIGHT)) == 1


def test_members_stated_by_later_tickers_are_called_as_in_the_session(con: Connection):
    members = pd.DataFrame({"symbol": ["BKNG", "KO"], "start_session": [BEFORE] * 2, "end_session": [None, SESSION]})
    market.save_universe(con, "core", members, NIGHT)
    renamed = [Listing("booking", "PCLN", date(1999, 3, 30), SESSION), Listing("booking", "BKNG", NEXT)]
    save_listings(con, renamed, LATER)
    assert market.load_universe(con, "core", SESSION) == ["KO", "PCLN"]
    assert market.load_universe(con, "core", SESSION, known_by=NIGHT) == ["BKNG", "KO"]
    assert market.load_universe(con, "core", NEXT) == ["BKNG"]
    assert load_membership(con, "core", BEFORE, SESSION)["symbol"].tolist() == ["PCLN", "KO"]


@pytest.mark.parametrize("symbol", ["NYSE:LMT", "BRK-B", "brk.b"])
def test_a_ticker_in_another_writing_never_enters_the_store(con: Connection, symbol: str):
    with pytest.raises(DataError, match=rf"bars, row 1: '{symbol}' is "):
        market.save_prices(con, bars(("AAPL", SESSION, 1.0), (symbol, SESSION, 1.0)), NIGHT, "r")


# The real files


def listings_of(ticker_map: pd.DataFrame) -> list[Listing]:
    """The map says when a security was first listed under any ticker, and until when each of its tickers held."""
    listings = []
    for instrument, rows in ticker_map.groupby("permanent_symbol"):
        first = rows["first_date"].iloc[0]
        for ticker, until in rows.sort_values("valid_through")[["ticker", "valid_through"]].itertuples(index=False):
            own = "TAP.A" if ticker == "TAPA" else ticker
            listings.append(Listing(str(instrument), own, first, None if until.year == 2050 else until))
            first = until + timedelta(days=1)
    return listings


@pytest.fixture(scope="module")
def lean(new_store: Path, tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> FolderSource:
    folder = tmp_path_factory.mktemp("lean")
    pd.read_parquet(real_data / "prices_raw_lean.parquet").to_parquet(folder / "bars.parquet", index=False)
    return FolderSource(folder)


@pytest.fixture
def traded(con: Connection, lean: FolderSource, real_data: Path) -> Connection:
    """Raw bars by the tickers of their days, the map of tickers, and splits and dividends of the instruments."""
    market.save_prices(con, lean.fetch_bars(None, FIRST, LAST), NIGHT, "r")
    save_listings(con, listings_of(pd.read_parquet(real_data / "ticker_map.parquet")), NIGHT)
    events = pd.read_parquet(real_data / "splits_dividends.parquet")
    events = events[events["symbol"].isin(["AAPL", "GOOG", "GOOGL", "IBM"])]
    events = events.assign(value=events["split_ratio"].fillna(events["cash_amount"]), source="lean")
    market.save_corporate_actions(con, events.rename(columns={"ex_date": "ex_session"}), NIGHT)
    return con


@pytest.mark.parametrize(
    ("symbol", "as_of", "first", "last"),
    [
        ("FB", LAST, date(2012, 5, 18), LAST),
        ("FB", date(2012, 5, 17), date(1999, 9, 29), date(2003, 3, 28)),
        ("USO", LAST, date(2006, 4, 10), LAST),
        ("USO", date(2006, 4, 7), date(1998, 1, 2), date(1998, 12, 30)),
        ("GOOGL", LAST, date(2004, 8, 19), LAST),
        ("GOOG", LAST, date(2014, 3, 27), LAST),
        ("GOOG", date(2014, 4, 2), date(2004, 8, 19), date(2014, 4, 2)),
        ("WM", LAST, date(1998, 1, 2), LAST),
        ("BAC", LAST, date(1998, 10, 1), LAST),
        ("AAA", LAST, date(2002, 5, 22), date(2007, 5, 18)),
    ],
)
def test_reused_and_renamed_tickers_have_the_bars_of_their_own_company(
    traded: Connection, symbol: str, as_of: date, first: date, last: date
):
    seen = load_series(traded, [symbol], FIRST, as_of)
    assert (seen["session"].min().date(), seen["session"].max().date()) == (first, last)
    assert seen["session"].is_unique


def test_no_company_s_bars_are_joined_with_another_s(traded: Connection):
    """Washington Mutual was WM while Waste Management was WMI."""
    waste = load_series(traded, ["WM"], FIRST, LAST).set_index("session")["close"]
    stated = market.load_prices(traded, ["WMI", "WM"], date(2008, 9, 26), date(2008, 9, 26)).set_index("symbol")[
        "close"
    ]
    assert waste["2008-09-26"] == stated["WMI"] != stated["WM"]


def test_a_class_of_shares_that_split_off_leaves_no_jump_in_either(traded: Connection):
    """Google's old shares became GOOGL, worth half, on the day on which GOOG became the new class."""
    for symbol in ("GOOGL", "GOOG"):
        series = load_series(traded, [symbol], date(2014, 3, 27), LAST).set_index("session")["close"]
        assert (series.pct_change().dropna().abs() < 0.17).all()
    old = load_series(traded, ["GOOGL"], date(2014, 4, 2), date(2014, 4, 3))["close"]
    assert old.iloc[0] == pytest.approx(1135.10 / 2)


def test_raw_bars_and_splits_make_the_vendor_s_adjusted_closes(traded: Connection, real_data: Path):
    """AAPL's 7 for 1; 645.57 was the last price of an old share."""
    vendor = pd.read_parquet(real_data / "prices_sp500_5y.parquet").query("symbol == 'AAPL'")
    ours = load_series(traded, ["AAPL"], date(2013, 2, 8), LAST)
    both = ours.assign(date=ours["session"].dt.date).merge(vendor, on="date", suffixes=("", "_vendor"))
    assert len(both) == 1259
    assert (both["close"] / both["close_vendor"] - 1).abs().median() < 1e-4
    assert load_series(traded, ["AAPL"], date(2014, 6, 6), date(2014, 6, 6))["close"].tolist() == [645.57]
    assert load_series(traded, ["AAPL"], date(2014, 6, 6), date(2014, 6, 9))["close"].iloc[0] == pytest.approx(92.2243)


def test_total_returns_are_those_of_another_vendor(traded: Connection, real_data: Path):
    vendor = pd.read_parquet(real_data / "prices_sp500_5y_yahoo_2017_12.parquet").query("symbol == 'IBM'")
    ours = load_series(traded, ["IBM"], date(2012, 12, 6), date(2017, 12, 5), dividends=True)
    both = ours.assign(date=ours["session"].dt.date).merge(vendor, on="date", suffixes=("", "_vendor")).dropna()
    ratio = both["close"] / both["adj_close"]
    assert (ratio / ratio.iloc[-1] - 1).abs().quantile(0.99) < 0.001
    price, earned = both["close_vendor"], both["close"]
    assert earned.iloc[-1] / earned.iloc[0] > 1.05 * price.iloc[-1] / price.iloc[0]


@pytest.mark.parametrize(
    ("file", "row", "value"),
    [("prices_sp500_5y_vintage_2017_08.parquet", 418_234, "NYSE:LMT"), ("x.csv", 1, "NYSE:NBL")],
)
def test_a_malformed_ticker_is_refused_with_file_row_and_value(
    real_data: Path, tmp_path: Path, file: str, row: int, value: str
):
    path = real_data / file
    if not path.exists():
        path = tmp_path / file
        path.write_text(
            f"symbol,date,open,high,low,close,volume\nA,2017-01-03,1,1,1,1,1\n{value},2017-01-03,1,1,1,1,1\n"
        )
    with pytest.raises(DataError, match=rf"{file}, row \d+: '{value}' is no ticker") as refused:
        FolderSource(path).fetch_bars(None, FIRST, LAST)
    if path.parent == tmp_path:
        assert f"row {row}:" in str(refused.value)


def test_class_shares_have_one_writing_whoever_wrote_them(con: Connection, tmp_path: Path):
    for number, symbol in enumerate(["BRK-B", "BRK B", "BRK.B"]):
        frame = bars((symbol, SESSION + timedelta(days=-number), 1.0)).rename(columns={"session": "date"})
        frame.drop(columns="source").to_parquet(tmp_path / f"{number}.parquet", index=False)
    found = FolderSource(tmp_path).fetch_bars(None, FIRST, NEXT)
    assert found["symbol"].tolist() == ["BRK.B"] * 3


def test_tickers_that_a_reader_may_mangle_stay_text_all_the_way(con: Connection, real_data: Path, tmp_path: Path):
    odd = pd.read_parquet(real_data / "prices_us_long.parquet").query("symbol in ['TRUE', 'NAN', 'INF', 'ON']")
    odd.to_csv(tmp_path / "odd.csv", index=False)
    market.save_prices(con, FolderSource(tmp_path).fetch_bars(None, FIRST, LAST), NIGHT, "r")
    seen = load_series(con, ["TRUE", "NAN", "INF", "ON"], FIRST, LAST)
    assert seen.groupby("symbol").size().to_dict() == odd.groupby("symbol").size().to_dict()


def test_the_index_s_members_of_today_are_found_in_the_prices_of_then(con: Connection, real_data: Path):
    """Seven members of February 2018 stand in the list under names that they took later."""
    later = {"BKNG": "PCLN", "CBRE": "CBG", "JEF": "LUK", "KDP": "DPS", "WELL": "HCN", "WYND": "WYN"}
    index = pd.read_parquet(real_data / "sp500_membership.parquet").rename(
        columns={"start": "start_session", "end": "end_session"}
    )
    market.save_universe(con, "sp500", index, NIGHT)
    traded = set(pd.read_parquet(real_data / "prices_sp500_5y.parquet", columns=["symbol"])["symbol"])
    assert set(later) <= set(market.load_universe(con, "sp500", LAST)) - traded
    for now, then in later.items():
        save_listings(con, [Listing(now, then, date(1996, 1, 2), LAST), Listing(now, now, LAST + timedelta(1))], LATER)
    members = set(market.load_universe(con, "sp500", LAST))
    assert set(later.values()) <= members & traded
    assert not set(later) & members


# Files of many years


@pytest.fixture
def restated(con: Connection) -> Connection:
    market.save_prices(con, bars(("AAPL", date(2020, 3, 2), 70.0), ("MSFT", date(2021, 3, 1), 230.0)), NIGHT, "r1")
    market.save_prices(con, bars(("AAPL", date(2020, 3, 2), 71.0), ("TRUE", SESSION, 7.0)), LATER, "r2")
    return con


@pytest.mark.parametrize("known_by", [None, NIGHT, NIGHT - timedelta(days=1)])
def test_the_files_answer_as_the_store_did_and_the_store_needs_no_more_than_the_rest(
    restated: Connection, tmp_path: Path, known_by: object
):
    location = str(tmp_path / "it's history")
    before = market.load_prices(restated, None, FIRST, NEXT, known_by)
    assert write_history(restated, location, SESSION - timedelta(days=1)) == 3
    assert write_history(restated, location, SESSION - timedelta(days=1)) == 0
    pd.testing.assert_frame_equal(market.load_prices(restated, None, FIRST, NEXT, known_by, history=location), before)
    assert drop_written(restated, location, SESSION - timedelta(days=1)) == 3
    assert market.load_prices(restated, None, FIRST, NEXT)["symbol"].tolist() == ["TRUE"]
    pd.testing.assert_frame_equal(market.load_prices(restated, None, FIRST, NEXT, known_by, history=location), before)
    series = load_series(restated, ["AAPL", "MSFT", "TRUE"], FIRST, NEXT, known_by, history=location)
    pd.testing.assert_frame_equal(series, before)


def test_a_later_statement_is_added_to_the_files_and_rewrites_none(restated: Connection, tmp_path: Path):
    location = str(tmp_path / "history")
    write_history(restated, location, NEXT)
    files = {file: file.read_bytes() for file in Path(location).rglob("*.parquet")}
    market.save_prices(restated, bars(("AAPL", date(2020, 3, 2), 72.0)), LATER + timedelta(hours=1), "r3")
    assert write_history(restated, location, NEXT) == 1
    assert {file: file.read_bytes() for file in files} == files
    drop_written(restated, location, NEXT)
    seen = [load_series(restated, ["AAPL"], FIRST, NEXT, by, history=location) for by in (NIGHT, LATER, None)]
    assert [frame["close"].tolist() for frame in seen] == [[70.0], [71.0], [72.0]]


def test_nothing_is_taken_out_of_the_store_that_the_files_do_not_hold(restated: Connection, tmp_path: Path):
    location = str(tmp_path / "history")
    with pytest.raises(DataError, match="all bars up to 2022-12-27 are not in the files"):
        drop_written(restated, location, SESSION)
    write_history(restated, location, date(2020, 12, 31))
    with pytest.raises(DataError, match="2 bars up to 2022-12-27 are not in the files"):
        drop_written(restated, location, SESSION)
    assert len(market.load_prices(restated, None, FIRST, NEXT)) == 3
