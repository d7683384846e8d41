"""The quality gate on one small frame for each check; what it finds of real defects is in test_quality_history.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import pytest

from hrp.domain.quality import CHECKS, Bars, Effect, Finding, check_session, look_back, quarantined, stopped_by
from hrp.domain.sessions import FIRST_SESSION, next_session, previous_session
from hrp.errors import DataError

SESSION = date(2022, 3, 14)  # a Monday
BEFORE, SATURDAY = date(2022, 3, 11), date(2022, 3, 12)
SHORT_DAY = date(2022, 11, 25)
DAYS = look_back(SESSION)
PRICES = ["open", "high", "low", "close"]
NAMES = ["AAPL", "BRK B", "CVX", "DIS", "GE", "IBM", "NA", "ON", "TRUE", "XOM"]


def market(names: list[str] = NAMES, session: date = SESSION) -> pd.DataFrame:
    """Clean bars of `names` for the session and the look-back: closes of 100 to 103, IBM's last 100, 101, 102."""
    days = look_back(session)
    closes = pd.DataFrame(100 + np.random.default_rng(1).integers(0, 300, (len(days), len(names))) / 100, days, names)
    closes.loc[closes.index[-3:], "IBM"] = [100.0, 101.0, 102.0]
    rows = [
        (symbol, day, 100.0, 103.0 + (len(days) - d - 1) / 100, 98.0, closes.at[day, symbol], 1_000_000 + 10 * d + i)
        for d, day in enumerate(days)
        for i, symbol in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["symbol", "session", *PRICES, "volume"])


def with_bar(symbol: str = "IBM", **values: float) -> pd.DataFrame:
    """The clean market, but for `values` in the session's bar of `symbol`."""
    bars = market()
    row = (bars["symbol"] == symbol) & (bars["session"] == SESSION)
    for column, value in values.items():
        bars.loc[row, column] = value
    return bars


def found(
    bars: pd.DataFrame, expected: list[str] = NAMES, floor: float = 0.5, **known: pd.DataFrame
) -> list[tuple[str, str, str]]:
    findings = check_session(bars, expected, SESSION, floor, **known)
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
        ({"open": 1000.0, "high": 1030.0, "low": 980.0, "close": 1010.0}, "DECIMAL_SLIP", "open=1000, times=10"),
        ({"open": 10.0, "high": 10.3, "low": 9.8, "close": 10.1}, "DECIMAL_SLIP", "open=10, times=0.1"),
        ({"high": 10_300.0}, "DECIMAL_SLIP", "high=10300, times=100"),
    ],
)
def test_a_faulty_bar_keeps_its_name_from_being_traded(bar: dict[str, float], check: str, detail: str) -> None:
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
    assert found(repeat(market(), ["IBM"])) == [("REPEATED_BAR", "IBM", f"close=101.0, bar={BEFORE}")]


@pytest.mark.parametrize(("names", "stops"), [(1, False), (2, True), (10, True)])
def test_a_feed_that_repeats_more_than_a_tenth_of_the_market_stops_the_night(names: int, stops: bool) -> None:
    stopped = stopped_by(check_session(repeat(market(), NAMES[:names]), NAMES, SESSION, 0.5))

    detail = f"repeated={names}, expected=10"
    assert stopped == ([Finding(SESSION, "FROZEN_FEED", "", Effect.STOP, detail)] if stops else [])


@pytest.mark.parametrize(("sessions", "stale"), [(5, False), (6, True), (7, True)])
def test_a_close_that_has_not_moved_for_six_sessions_is_stale(sessions: int, stale: bool) -> None:
    bars = market()
    bars.loc[(bars["symbol"] == "IBM") & bars["session"].isin(DAYS[-sessions:]), "close"] = 100.5

    assert found(bars) == ([("STALE_SERIES", "IBM", "sessions>=6")] if stale else [])


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

    with pytest.raises(DataError, match="more than one bar a session for DIS up to session 2022-03-14"):
        check_session(bars, NAMES, SESSION, 0.9)


# Steps that are on record, and steps that are not


def moved(times: float, days: list[date], volume: float = 1.0, bars: pd.DataFrame | None = None) -> pd.DataFrame:
    """The clean market, but the bars of IBM on `days` stand at `times` their prices and `volume` times their volume."""
    bars = market().astype({"volume": float}) if bars is None else bars
    rows = (bars["symbol"] == "IBM") & bars["session"].isin(days)
    bars.loc[rows, PRICES] *= times
    bars.loc[rows, "volume"] *= volume
    return bars


def action(kind: str, value: float) -> pd.DataFrame:
    return pd.DataFrame({"symbol": ["IBM"], "ex_session": [SESSION], "kind": [kind], "value": [value]})


def test_a_quiet_step_to_another_level_freezes_its_name_and_keeps_the_bar() -> None:
    """IBM closed at 101 and opens at 80."""
    bars = moved(0.8, [SESSION])

    assert found(bars) == [("LEVEL_SHIFT", "IBM", "gap=-20.8%, volume=1.0x")]
    assert [finding.effect for finding in check_session(bars, NAMES, SESSION, 0.5)] == [Effect.FREEZE]


def test_a_step_that_a_crowd_trades_is_news() -> None:
    assert found(moved(0.8, [SESSION], volume=3.1)) == []


@pytest.mark.parametrize(
    ("times", "volume", "kind", "value"),
    [(0.5, 2, "split", 2.0), (20, 0.05, "split", 0.05), (0.7, 1, "dividend", 30.3)],
)
def test_a_step_of_an_action_on_record_is_none(times: float, volume: float, kind: str, value: float) -> None:
    bars = moved(times, [SESSION], volume)

    assert found(bars, actions=action(kind, value)) == []
    assert {check for check, _, _ in found(bars)} & {"PRICE_JUMP", "LEVEL_SHIFT", "DECIMAL_SLIP"} != set()


def test_an_action_on_record_without_its_step_is_a_jump() -> None:
    assert found(market(), actions=action("split", 2.0)) == [("PRICE_JUMP", "IBM", "return=+102.0%")]


# What the next session takes back


def test_a_bar_that_the_next_open_takes_back_is_accused_the_next_night() -> None:
    """IBM closes at 100, at 121.2 instead of 101, and opens at 100."""
    finding = ("CLOSE_REVERSED", "IBM", f"away=+21.2%, back=-17.5%, bar={BEFORE}")

    assert found(moved(1.2, [BEFORE])) == [finding]
    assert found(moved(1.2, [BEFORE, SESSION])) == []
    assert check_session(moved(1.2, [BEFORE]), NAMES, SESSION, 0.5)[0].bars == (BEFORE,)


def test_a_close_alone_that_the_next_open_takes_back_is_accused_too() -> None:
    bars = market()
    bars.loc[(bars["symbol"] == "IBM") & (bars["session"] == BEFORE), ["high", "close"]] = 125.0

    assert [check for check, _, _ in found(bars)] == ["CLOSE_REVERSED"]


def test_a_decimal_slip_of_the_session_before_is_no_fault_of_this_one() -> None:
    assert found(moved(10, [BEFORE])) == []


# A second vendor


def vendor(bars: pd.DataFrame | None = None) -> pd.DataFrame:
    return (market() if bars is None else bars)[["symbol", "session", "close", "volume"]].astype({"volume": float})


@pytest.mark.parametrize(("times", "off"), [(1.02, "+2.0%"), (0.98, "-2.0%"), (1.009, None)])
def test_a_close_that_a_second_vendor_does_not_have_is_not_used(times: float, off: str | None) -> None:
    assert found(moved(times, [SESSION]), second=vendor()) == ([("VENDOR_CLOSE", "IBM", f"off={off}")] if off else [])


def test_a_second_vendor_on_another_scale_agrees_as_long_as_the_scale_stays() -> None:
    other = vendor()
    other.loc[other["symbol"] == "IBM", "close"] /= 7

    assert found(market(), second=other) == []


@pytest.mark.parametrize(("then", "wrong"), [(1.02, False), (1.03, True)])
def test_a_step_away_from_a_second_vendor_that_stays_is_a_new_level(then: float, wrong: bool) -> None:
    bars = moved(then, [SESSION], bars=moved(1.02, [BEFORE]))

    assert [check for check, _, _ in found(bars, second=vendor())] == (["VENDOR_CLOSE"] if wrong else [])


def test_a_split_on_record_parts_the_vendors_neither_if_both_show_it_nor_if_one_has_adjusted_for_it() -> None:
    bars = moved(0.5, [SESSION], 2)

    assert found(bars, second=vendor(bars), actions=action("split", 2.0)) == []
    assert found(bars, second=vendor(), actions=action("split", 2.0)) == []


def test_what_a_second_vendor_has_too_is_only_a_warning() -> None:
    bars = moved(1.2, [BEFORE])
    (finding,) = check_session(bars, NAMES, SESSION, 0.5, second=vendor(bars))

    assert (finding.check, finding.effect) == ("CLOSE_REVERSED", Effect.WARN)
    assert finding.detail.endswith("second vendor agrees")
    assert quarantined([finding]) == {}


def test_an_unfinished_session_of_the_second_vendor_is_no_witness() -> None:
    other = vendor()
    other.loc[other["session"] == SESSION, ["close", "volume"]] *= [0.98, 0.4]

    assert found(market(), second=other) == []


# Whole sessions


@pytest.mark.parametrize(
    ("session", "share", "stops"),
    [(SESSION, 0.3, False), (SESSION, 0.15, True), (SHORT_DAY, 0.15, False), (SHORT_DAY, 0.1, True)],
)
def test_a_session_without_its_volume_is_not_finished(session: date, share: float, stops: bool) -> None:
    bars = market(session=session).astype({"volume": float})
    bars.loc[bars["session"] == session, "volume"] *= share

    stopped = [f"{f.check}: {f.detail}" for f in stopped_by(check_session(bars, NAMES, session, 0.5))]

    assert stopped == ([f"UNFINISHED_SESSION: volume={share:.0%} of the usual"] if stops else [])


@pytest.mark.parametrize(("close", "stops"), [(1.004, False), (1.006, True)])
def test_a_session_behind_the_second_vendor_in_volume_and_prices_is_not_finished(close: float, stops: bool) -> None:
    bars = moved(close, [SESSION])
    bars.loc[bars["session"] == SESSION, "volume"] *= 0.7

    seen = "volume=70% of the usual, 70% of the second vendor's, 10% of closes off"
    assert found(bars, second=vendor()) == ([("UNFINISHED_SESSION", "", seen)] if stops else [])


def test_volumes_that_a_second_vendor_always_counts_otherwise_are_no_sign() -> None:
    other = vendor()
    other["volume"] *= 3

    assert found(moved(1.006, [SESSION]), second=other) == []


def test_a_hole_in_the_history_stops_the_night() -> None:
    bars = market()

    assert found(bars[bars["session"] != BEFORE]) == [("MISSING_SESSION", "", f"no bar of {BEFORE}")]
    assert found(bars[bars["session"] == SESSION]) == []  # a store that begins tonight has no hole


def test_a_session_that_a_tenth_of_the_market_takes_back_stops_the_night() -> None:
    bars = market()
    displaced = bars["symbol"].isin(NAMES[:2]) & (bars["session"] == BEFORE)
    bars.loc[displaced, PRICES] *= 1.3

    assert stopped_by(check_session(bars, NAMES, SESSION, 0.5)) == [
        Finding(SESSION, "REVERSED_SESSION", "", Effect.STOP, "reversed=2, expected=10")
    ]
    assert stopped_by(check_session(bars, NAMES, SESSION, 0.5, second=vendor(bars))) == []


def test_the_first_session_of_the_calendar_has_no_look_back() -> None:
    assert look_back(FIRST_SESSION) == [FIRST_SESSION]
    assert look_back(next_session(FIRST_SESSION)) == [FIRST_SESSION, next_session(FIRST_SESSION)]


# The catalogue


@dataclass(frozen=True)
class Plant:
    """A market with one fault, and what else is known of it."""

    bars: Callable[[], pd.DataFrame]
    known: Callable[[], dict[str, pd.DataFrame]] = field(default=dict)


def without(symbols: list[str], day: date) -> pd.DataFrame:
    bars = market()
    return bars[~(bars["symbol"].isin(symbols) & (bars["session"] == day))]


def on_saturday() -> pd.DataFrame:
    bars = market()
    return pd.concat([bars, bars[(bars["symbol"] == "IBM") & (bars["session"] == SESSION)].assign(session=SATURDAY)])


def copied(sessions: int) -> pd.DataFrame:
    """IBM's last bar has the prices of the one `sessions` before."""
    bars = market().set_index(["symbol", "session"])
    bars.loc[("IBM", SESSION), PRICES] = bars.loc[("IBM", previous_session(SESSION, sessions)), PRICES]
    return bars.reset_index()


def still() -> pd.DataFrame:
    bars = market()
    bars.loc[bars["symbol"] == "IBM", "close"] = 100.5
    return bars


def thin() -> pd.DataFrame:
    bars = market().astype({"volume": float})
    bars.loc[bars["session"] == SESSION, "volume"] *= 0.1
    return bars


def displaced() -> pd.DataFrame:
    bars = market()
    bars.loc[bars["symbol"].isin(NAMES[:3]) & (bars["session"] == BEFORE), PRICES] *= 1.3
    return bars


PLANTS = {
    "MISSING_BAR": Plant(lambda: without(["IBM"], SESSION)),
    "NULL_PRICE": Plant(lambda: with_bar(open=math.nan)),
    "BAD_PRICE": Plant(lambda: with_bar(close=-1.0)),
    "OHLC_VIOLATION": Plant(lambda: with_bar(high=99.0)),
    "ZERO_VOLUME": Plant(lambda: with_bar(volume=0)),
    "DECIMAL_SLIP": Plant(lambda: with_bar(close=10.2, low=10.0)),
    "NON_SESSION_BAR": Plant(on_saturday),
    "REPEATED_BAR": Plant(lambda: repeat(market(), ["IBM"])),
    "REPEATED_PRICES": Plant(lambda: copied(1)),
    "BAR_SEEN_BEFORE": Plant(lambda: copied(3)),
    "STALE_SERIES": Plant(still),
    "CLOSE_REVERSED": Plant(lambda: moved(1.2, [BEFORE])),
    "VENDOR_CLOSE": Plant(lambda: moved(1.02, [SESSION]), lambda: {"second": vendor()}),
    "PRICE_JUMP": Plant(lambda: moved(1.4, [SESSION])),
    "LEVEL_SHIFT": Plant(lambda: moved(0.8, [SESSION])),
    "COVERAGE": Plant(lambda: without(NAMES[:6], SESSION)),
    "MISSING_SESSION": Plant(lambda: without(NAMES, BEFORE)),
    "FROZEN_FEED": Plant(lambda: repeat(market(), NAMES[:3])),
    "REVERSED_SESSION": Plant(displaced),
    "UNFINISHED_SESSION": Plant(thin),
}
ABOUT = {
    Bars.OWN: {(SESSION,)},
    Bars.MARKET: {(SESSION,)},
    Bars.EARLIER: {(BEFORE,), (SATURDAY,)},
    Bars.BOTH: {(SESSION, BEFORE), (SESSION, previous_session(SESSION, 3))},
}


def test_every_check_has_a_plant() -> None:
    assert set(PLANTS) == set(CHECKS)


@pytest.mark.parametrize("name", PLANTS)
def test_every_check_says_what_the_catalogue_says(name: str) -> None:
    check, plant = CHECKS[name], PLANTS[name]

    findings = check_session(plant.bars(), NAMES, SESSION, 0.5, **plant.known())

    (finding, *_) = [finding for finding in findings if finding.check == name]
    assert (finding.effect, finding.severity) == (check.effect, check.severity)
    assert finding.bars in ABOUT[check.bars]
    assert (finding.symbol == "") == (check.bars is Bars.MARKET) == (check.effect is Effect.STOP)
    held = {finding.symbol for finding in findings if finding.effect in (Effect.QUARANTINE, Effect.FREEZE)}
    assert set(quarantined(findings)) == held
    assert finding.symbol in held or finding.effect in (Effect.WARN, Effect.STOP)
