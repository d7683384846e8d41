"""The quality gate: one small frame for each check, then the real defects of a real feed."""

from __future__ import annotations

import math
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from hrp.domain.quality import HISTORY_SESSIONS, Effect, Finding, check_session, quarantined, stopped_by
from hrp.domain.sessions import previous_session, sessions_between
from hrp.errors import DataError

SESSION = date(2022, 3, 11)
DAYS = sessions_between(previous_session(SESSION, HISTORY_SESSIONS), SESSION)
NAMES = ["AAPL", "BRK B", "CVX", "DIS", "GE", "IBM", "NA", "ON", "TRUE", "XOM"]


def market(names: list[str] = NAMES) -> pd.DataFrame:
    """Clean bars of `names` for the session and the six before it: closes near 100, each day a bit different."""
    rows = [
        (symbol, day, 100.0, 103.0, 98.0, 100.0 + (i + d) % 3, 1_000_000 + 10 * d + i)
        for d, day in enumerate(DAYS)
        for i, symbol in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["symbol", "session", "open", "high", "low", "close", "volume"])


def with_bar(symbol: str = "IBM", **values: float) -> pd.DataFrame:
    """The clean market, but for `values` in the session's bar of `symbol`."""
    bars = market()
    row = (bars["symbol"] == symbol) & (bars["session"] == SESSION)
    for column, value in values.items():
        bars.loc[row, column] = value
    return bars


def found(bars: pd.DataFrame, expected: list[str] = NAMES, floor: float = 0.5) -> list[tuple[str, str, str]]:
    findings = check_session(bars, expected, SESSION, floor)
    assert {finding.session for finding in findings} <= {SESSION}
    return [(finding.check, finding.symbol, finding.detail) for finding in findings]


def test_a_clean_session_gives_no_finding() -> None:
    assert found(market(), floor=1.0) == []


@pytest.mark.parametrize(
    "bar",
    [
        {"open": 98.0, "close": 103.0},  # from its low to its high
        {"open": 103.0, "close": 98.0},
        {"open": 102.0, "high": 102.0, "low": 102.0, "close": 102.0},  # one price all day
        {"volume": 1},
    ],
)
def test_an_unusual_bar_is_not_a_faulty_one(bar: dict[str, float]) -> None:
    assert found(with_bar(**bar)) == []


def test_a_stock_below_a_dollar_is_a_stock() -> None:
    bars = market()
    bars.loc[bars["symbol"] == "IBM", ["open", "high", "low", "close"]] *= 0.001

    assert found(bars) == []


@pytest.mark.parametrize(
    ("bar", "check", "detail"),
    [
        ({"open": math.nan}, "NULL_PRICE", "null=open"),
        ({"open": math.nan, "high": math.nan, "low": math.nan}, "NULL_PRICE", "null=open/high/low"),
        ({"close": math.nan}, "NULL_PRICE", "null=close"),
        ({"high": 101.0, "close": 101.5}, "OHLC_VIOLATION", "open=100, high=101, low=98, close=101.5"),
        ({"low": 100.5}, "OHLC_VIOLATION", "open=100, high=103, low=100.5, close=102"),
        ({"volume": 0}, "ZERO_VOLUME", "volume=0"),
        ({"volume": -5}, "ZERO_VOLUME", "volume=-5"),
        ({"open": 140.0, "high": 142.0, "low": 130.0, "close": 141.4}, "PRICE_JUMP", "return=+40.0%"),
        ({"open": 1000.0, "high": 1030.0, "low": 980.0, "close": 1010.0}, "PRICE_JUMP", "return=+900.0%"),
        ({"open": 10.0, "high": 10.3, "low": 9.8, "close": 10.1}, "PRICE_JUMP", "return=-90.0%"),
    ],
)
def test_a_faulty_bar_quarantines_its_name(bar: dict[str, float], check: str, detail: str) -> None:
    """IBM closed at 101 the session before; its bar of the session is 100, 103, 98, 102."""
    bars = with_bar(**bar)

    assert found(bars) == [(check, "IBM", detail)]
    assert quarantined(check_session(bars, NAMES, SESSION, 0.5)) == {"IBM": f"QUARANTINED: check={check}, {detail}"}


@pytest.mark.parametrize("price", [0.0, -1.0, math.inf])
def test_a_price_that_is_none_is_a_bad_price(price: float) -> None:
    assert "BAD_PRICE" in [check for check, symbol, _ in found(with_bar(close=price)) if symbol == "IBM"]


def test_an_expected_name_without_a_bar_is_missing() -> None:
    bars = market()

    assert found(bars[(bars["symbol"] != "IBM") | (bars["session"] != SESSION)]) == [("MISSING_BAR", "IBM", "no bar")]
    assert found(market(), [*NAMES, "NEW"]) == [("MISSING_BAR", "NEW", "no bar")]


def test_a_name_that_is_not_expected_is_not_looked_at() -> None:
    assert found(with_bar("XOM", close=-1.0), NAMES[:-1]) == []


def test_a_name_without_history_is_only_checked_for_what_its_own_bar_says() -> None:
    bars = market()

    assert found(bars[(bars["symbol"] != "IBM") | (bars["session"] == SESSION)]) == []


def repeat(bars: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The session's bars of `names` are those of the session before."""
    bars = bars.set_index(["symbol", "session"])
    for symbol in names:
        bars.loc[(symbol, SESSION)] = bars.loc[(symbol, DAYS[-2])]
    return bars.reset_index()


def test_a_bar_that_repeats_the_one_before_quarantines_its_name() -> None:
    assert found(repeat(market(), ["IBM"])) == [("REPEATED_BAR", "IBM", "close=101.0")]


@pytest.mark.parametrize(("names", "stops"), [(1, False), (2, True), (10, True)])
def test_a_feed_that_repeats_more_than_a_tenth_of_the_market_stops_the_night(names: int, stops: bool) -> None:
    stopped = stopped_by(check_session(repeat(market(), NAMES[:names]), NAMES, SESSION, 0.5))

    detail = f"repeated={names}, expected=10"
    assert stopped == ([Finding(SESSION, "FROZEN_FEED", "", Effect.STOP, detail)] if stops else [])


def test_a_close_that_has_not_moved_for_the_whole_look_back_is_stale() -> None:
    bars = market()
    bars.loc[bars["symbol"] == "IBM", "close"] = 101.0

    assert found(bars) == [("STALE_SERIES", "IBM", "sessions>=6")]
    known = (bars["symbol"] != "IBM") | bars["session"].isin(DAYS[1:])
    assert found(bars[known]) == [("STALE_SERIES", "IBM", "sessions>=6")]  # six closes in a row
    known = (bars["symbol"] != "IBM") | bars["session"].isin(DAYS[2:])
    assert found(bars[known]) == []


@pytest.mark.parametrize("close", [0.0, -1.0, math.nan, math.inf])
def test_a_return_from_a_close_that_was_none_is_no_jump(close: float) -> None:
    bars = market()
    bars.loc[(bars["symbol"] == "IBM") & (bars["session"] == DAYS[-2]), "close"] = close

    assert found(bars) == []


def test_a_fall_of_the_whole_market_is_no_jump_of_any_name() -> None:
    bars = market()
    today = bars["session"] == SESSION
    bars.loc[today, ["open", "high", "low", "close"]] *= 0.6

    assert found(bars) == []


@pytest.mark.parametrize(
    ("missing", "floor", "stops"), [(1, 0.9, False), (2, 0.9, True), (3, 0.7, False), (4, 0.7, True), (10, 0.01, True)]
)
def test_too_few_usable_bars_stop_the_night(missing: int, floor: float, stops: bool) -> None:
    bars = market()
    absent = bars["symbol"].isin(NAMES[:missing]) & (bars["session"] == SESSION)

    stopped = stopped_by(check_session(bars[~absent], NAMES, SESSION, floor))

    detail = f"usable={10 - missing}, expected=10, share={10 - missing}0.0%, required={floor:.1%}".replace(
        "=00.", "=0."
    )
    assert stopped == ([Finding(SESSION, "COVERAGE", "", Effect.STOP, detail)] if stops else [])


@pytest.mark.parametrize(("usable", "of", "floor"), [(55, 100, 0.55), (29, 100, 0.29), (7, 10, 0.7)])
def test_a_share_that_is_exactly_the_floor_is_enough(usable: int, of: int, floor: float) -> None:
    """0.55 times 100 is 55.00000000000001 to a computer."""
    names = [f"N{i:03}" for i in range(of)]

    assert stopped_by(check_session(market(names[:usable]), names, SESSION, floor)) == []


@pytest.mark.parametrize("bad", [{"close": math.nan}, {"close": 0.0}])
def test_a_bar_without_a_usable_price_covers_nothing(bad: dict[str, float]) -> None:
    assert [f.check for f in stopped_by(check_session(with_bar(**bad), NAMES, SESSION, 1.0))] == ["COVERAGE"]


def test_nothing_expected_or_no_bar_at_all_stops_the_night() -> None:
    empty = market().iloc[:0]

    assert [f.check for f in stopped_by(check_session(market(), [], SESSION, 0.9))] == ["COVERAGE"]
    assert [f.check for f in stopped_by(check_session(empty, NAMES, SESSION, 0.9))] == ["COVERAGE"]
    assert len(quarantined(check_session(empty, NAMES, SESSION, 0.9))) == len(NAMES)


@pytest.mark.parametrize("symbol", ["TRUE", "NA", "ON", "BRK B"])
def test_tickers_that_look_like_something_else_are_names_like_any_other(symbol: str) -> None:
    assert found(with_bar(symbol, volume=0)) == [("ZERO_VOLUME", symbol, "volume=0")]


def test_a_ticker_that_was_read_as_something_else_is_missing_and_not_guessed() -> None:
    bars = market().astype({"symbol": object})
    bars["symbol"] = bars["symbol"].replace({"TRUE": True})

    assert ("MISSING_BAR", "TRUE", "no bar") in found(bars)


def test_the_order_of_the_rows_does_not_matter() -> None:
    bars = repeat(with_bar("CVX", close=-1.0), ["IBM"])

    assert found(bars.sample(frac=1, random_state=7)) == found(bars)


def test_a_name_with_several_faults_appears_once_for_each_and_is_quarantined_for_the_first() -> None:
    bars = with_bar(close=-1.0, volume=0)

    assert [check for check, _, _ in found(bars)] == ["BAD_PRICE", "OHLC_VIOLATION", "ZERO_VOLUME"]
    assert quarantined(check_session(bars, NAMES, SESSION, 0.5)) == {"IBM": "QUARANTINED: check=BAD_PRICE, lowest=-1"}


def test_two_bars_of_one_name_in_one_session_are_an_error() -> None:
    bars = pd.concat([market(), market().iloc[[3]]])

    with pytest.raises(DataError, match="more than one bar a session for DIS up to session 2022-03-11"):
        check_session(bars, NAMES, SESSION, 0.9)


@cache
def real_bars(folder: Path) -> pd.DataFrame:
    bars = pd.read_parquet(folder / "prices_sp500_5y.parquet").rename(columns={"date": "session"})
    return bars.assign(session=pd.to_datetime(bars["session"]))


def real_findings(folder: Path, session: date) -> list[Finding]:
    """What the gate says about one session of 505 index members, as the feed delivered it."""
    bars = real_bars(folder)
    first = previous_session(session, HISTORY_SESSIONS)
    window = bars[bars["session"].between(pd.Timestamp(first), pd.Timestamp(session))]
    return check_session(window, sorted(window["symbol"].unique()), session, 0.95)


@pytest.mark.parametrize(
    ("session", "detail"),
    [
        (date(2014, 8, 4), "repeated=169, expected=487"),
        (date(2014, 7, 18), "repeated=78, expected=486"),
    ],
)
def test_a_real_feed_that_stood_still_stops_the_night(real_data: Path, session: date, detail: str) -> None:
    stopped = stopped_by(real_findings(real_data, session))

    assert [(finding.check, finding.detail) for finding in stopped] == [("FROZEN_FEED", detail)]


@pytest.mark.parametrize(
    ("session", "reasons"),
    [
        (date(2015, 7, 20), {"EBAY": "PRICE_JUMP, return=-56.9%"}),  # PayPal was split off, and no action recorded
        (date(2014, 8, 7), {"DISCA": "PRICE_JUMP, return=-50.6%", "DISCK": "PRICE_JUMP, return=-51.0%"}),
        (date(2015, 7, 17), dict.fromkeys(["DHR", "ES", "O"], "NULL_PRICE, null=open")),
    ],
)
def test_real_defects_quarantine_their_names(real_data: Path, session: date, reasons: dict[str, str]) -> None:
    findings = real_findings(real_data, session)

    assert quarantined(findings) == {symbol: f"QUARANTINED: check={why}" for symbol, why in reasons.items()}
    assert stopped_by(findings) == []


@pytest.mark.parametrize(
    "session",
    [
        *(date(2014, 7, day) for day in (14, 15, 16, 17, 21, 22, 23, 24, 25)),
        *(date(2014, 8, day) for day in (1, 5, 6, 8)),
        *(date(2015, 7, day) for day in (15, 16, 21, 22, 23, 24)),
    ],
)
def test_clean_sessions_around_them_give_no_finding(real_data: Path, session: date) -> None:
    assert real_findings(real_data, session) == []
