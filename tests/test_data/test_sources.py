"""Where bars come from: text stays text, ranges agree, errors are named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hrp.data import market
from hrp.data.sources import FolderSource, SkfolioSource
from hrp.errors import DataError

from .night import NEXT, NIGHT, SESSION

ODD_TICKERS = ["INF", "NA", "NAN", "NULL", "None", "ON", "TRUE"]


@pytest.fixture(scope="module")
def skfolio() -> SkfolioSource:
    return SkfolioSource()


def test_the_embedded_set_has_twenty_names_and_their_real_closes(skfolio):
    assert len(skfolio.fetch_symbols()) == 20
    bars = skfolio.fetch_bars(["AAPL"], SESSION, NEXT)
    assert bars["session"].dt.date.tolist() == [SESSION, NEXT]
    assert bars["close"].tolist() == [129.652, 125.674]
    assert set(bars["source"]) == {skfolio.name}
    assert skfolio.load_index()[pd.Timestamp("1990-01-02")] == 359.69


def test_made_bars_are_possible_and_opens_are_whole_cents(skfolio):
    bars = skfolio.fetch_bars(None, date(1990, 1, 1), date(2022, 12, 31))
    body = bars[["open", "close"]]
    assert (bars["high"] >= body.max(axis=1)).all() and (bars["low"] <= body.min(axis=1)).all()
    assert (bars["low"] > 0).all() and (bars["volume"] > 0).all()
    np.testing.assert_allclose(bars["open"], bars["open"].round(2))
    assert not bars.duplicated(["symbol", "session"]).any()


def test_any_range_and_any_names_give_the_rows_of_the_whole(skfolio):
    whole = skfolio.fetch_bars(None, date(1990, 1, 1), date(2022, 12, 31))
    part = SkfolioSource().fetch_bars(["XOM", "AAPL"], date(2010, 5, 3), date(2010, 5, 7))
    expected = whole[whole["symbol"].isin(["AAPL", "XOM"]) & whole["session"].between("2010-05-03", "2010-05-07")]
    pd.testing.assert_frame_equal(part, expected.reset_index(drop=True))
    assert len(part) == 10


def rows(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"symbol": ODD_TICKERS, "date": SESSION, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5})
    return frame.assign(volume=100, **columns)


def write(frame: pd.DataFrame, file: Path) -> FolderSource:
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file)
    return FolderSource(file)


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_odd_tickers_survive_from_file_to_store(con, tmp_path, name):
    source = write(rows(close=[1.5, np.nan, 1.5, 1.5, 1.5, 1.5, 1.5]), tmp_path / name)
    assert source.fetch_symbols() == ODD_TICKERS
    market.save_prices(con, source.fetch_bars(None, SESSION, SESSION), NIGHT, "r")
    stored = market.load_prices(con, None, SESSION, SESSION)
    assert stored["symbol"].tolist() == ODD_TICKERS
    assert stored["close"].isna().tolist() == [symbol == "NA" for symbol in ODD_TICKERS]


def test_a_folder_is_all_its_files_cut_to_the_sessions_and_names_asked_for(tmp_path):
    write(rows(), tmp_path / "a.csv")
    write(rows().rename(columns={"date": "session"}).assign(session=pd.Timestamp(NEXT)), tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("not bars")
    source = FolderSource(tmp_path)
    assert len(source.fetch_bars(None, SESSION, NEXT)) == 14
    bars = source.fetch_bars(["TRUE"], NEXT, NEXT)
    assert bars.columns.tolist() == list(market.BAR_COLUMNS)
    assert (bars["symbol"].item(), bars["session"].item()) == ("TRUE", pd.Timestamp(NEXT))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (rows(symbol=[True] * 7), r"bars\.parquet, row 0: symbol is True \(bool\), not text; read the column as text"),
        (rows(symbol=["A", "B", "C", None, "D", "E", "F"]), r"row 3: symbol is (None|nan)"),
        (rows().drop(columns="close"), r"lacks the columns \['close'\]"),
        (rows(date=20221227), r"column session: .*20221227.* is a number, not a date"),
        (rows(close="n.a."), r"column close: .*n\.a\."),
    ],
)
def test_a_file_that_is_not_bars_is_refused_with_the_place(tmp_path, frame, message):
    with pytest.raises(DataError, match=message):
        write(frame, tmp_path / "bars.parquet").fetch_bars(None, SESSION, SESSION)


def test_a_path_without_files_and_a_file_that_is_none_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no \.parquet or \.csv file"):
        FolderSource(tmp_path).fetch_symbols()
    (tmp_path / "bars.parquet").write_text("junk")
    with pytest.raises(DataError, match=r"cannot read .*bars\.parquet"):
        FolderSource(tmp_path).fetch_symbols()


# Corporate actions


def beside(folder: Path, name: str, text: str) -> FolderSource:
    (folder / name).write_text(text)
    return FolderSource(folder)


def test_actions_beside_the_bars_are_read_and_are_no_bars(tmp_path):
    (tmp_path / "bars.csv").write_text("symbol,date,open,high,low,close,volume\nTRUE,2022-12-28,1,1,1,1,5\n")
    text = (
        "symbol,ex_session,kind,value\nTRUE,2022-12-28,split,2\nNA,2022-12-29,dividend,0.25\nTRUE,2022-12-30,split,\n"
    )
    source = beside(tmp_path, "actions.csv", text)

    actions = source.fetch_actions(None, SESSION, NEXT)

    assert actions["symbol"].tolist() == ["TRUE", "NA", "TRUE"]
    assert actions["kind"].tolist() == ["split", "dividend", "split"]
    assert actions["value"].tolist()[:2] == [2.0, 0.25]
    assert actions["value"].isna().tolist() == [False, False, True]  # withdrawn
    assert actions["ex_session"].dt.strftime("%F").tolist() == ["2022-12-28", "2022-12-29", "2022-12-30"]
    assert set(actions["source"]) == {source.name}
    assert source.fetch_symbols() == ["TRUE"]
    of_the_file = FolderSource(tmp_path / "bars.csv").fetch_actions([], NEXT, NEXT)
    assert of_the_file["symbol"].tolist() == ["TRUE", "NA", "TRUE"]


def test_a_source_without_actions_has_none(tmp_path, skfolio):
    (tmp_path / "bars.csv").write_text("symbol,date,open,high,low,close,volume\n")
    assert FolderSource(tmp_path).fetch_actions(None, SESSION, NEXT).empty
    assert skfolio.fetch_actions(None, SESSION, NEXT).empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol,ex_session,kind\nTRUE,2022-12-28,split\n", "lacks the columns"),
        ("symbol,ex_session,kind,value\nTRUE,2022-12-28,spinoff,2\n", "'spinoff' is none of split, dividend"),
        ("symbol,ex_session,kind,value\nTRUE,2022-12-28,split,-2\n", "must be positive, got -2"),
        ("symbol,ex_session,kind,value\nTRUE,2022-12-28,split,inf\n", "must be positive"),
        ("symbol,ex_session,kind,value\nTRUE,2022-12-28,split,two\n", "column value"),
        ("symbol,ex_session,kind,value\nTRUE,someday,split,2\n", "column ex_session"),
    ],
)
def test_actions_that_cannot_be_meant_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        beside(tmp_path, "actions.csv", text).fetch_actions(None, SESSION, NEXT)
