"""Vendors over HTTP: the shapes they document, their pace, and what they do wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pandas as pd
import pytest
from pydantic import SecretStr

from hrp.data import market
from hrp.data.sources.alpaca import AlpacaSource
from hrp.data.sources.http import Key
from hrp.data.sources.massive import MassiveSource
from hrp.domain.pacing import Pace
from hrp.domain.rebased import Adjustment
from hrp.errors import EXIT_NOT_READY, ConfigError, DataError, SourceUnavailableError, UsageError

from .night import NEXT, NIGHT, SESSION
from .vendors import SECRET, Answer, Clock, Vendor, access

RANGE = f"range/1/day/{SESSION}/{NEXT}"


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def massive(vendor: Vendor, clock: Clock) -> MassiveSource:
    return MassiveSource(access(vendor, clock))


@pytest.fixture
def alpaca(vendor: Vendor, clock: Clock) -> AlpacaSource:
    return AlpacaSource(access(vendor, clock), "iex")


def said(bars: pd.DataFrame) -> list[tuple[object, ...]]:
    return [(row.symbol, row.session.date(), row.open, row.close, row.volume) for row in bars.itertuples()]


def told(actions: pd.DataFrame) -> list[tuple[object, ...]]:
    return [(row.symbol, str(row.ex_session.date()), row.kind, row.value) for row in actions.itertuples()]


# Massive: https://massive.com/docs/rest/stocks/aggregates/custom-bars and .../daily-market-summary


def aggregate(at: int, close: float, **more: object) -> dict[str, object]:
    return {"v": 68_998_500, "vw": 130.1, "o": 131.38, "c": close, "h": 131.41, "l": 128.72, "t": at, "n": 9, **more}


def aggregates(*bars: dict[str, object], **more: object) -> dict[str, object]:
    count = {"queryCount": len(bars), "resultsCount": len(bars), "count": len(bars)}
    return {
        "ticker": "AAPL",
        **count,
        "adjusted": False,
        "results": list(bars),
        "status": "OK",
        "request_id": "1",
        **more,
    }


TUESDAY_START, WEDNESDAY_START = 1_672_117_200_000, 1_672_203_600_000  # midnight in New York
TUESDAY_CLOSE, WEDNESDAY_CLOSE = 1_672_174_800_000, 1_672_261_200_000
TUESDAY, WEDNESDAY = ("AAPL", SESSION, 131.38, 130.03, 68_998_500), ("AAPL", NEXT, 131.38, 126.04, 68_998_500)


def test_massive_gives_raw_bars_page_by_page_and_the_key_stays_at_the_vendor(massive, vendor):
    elsewhere = "https://elsewhere.example/v2/aggs/ticker/AAPL/next?cursor=abc"
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", aggregates(aggregate(TUESDAY_START, 130.03), next_url=elsewhere))
    vendor.says("/v2/aggs/ticker/AAPL/next", aggregates(aggregate(WEDNESDAY_START, 126.04)))

    assert said(massive.fetch_bars(["AAPL"], SESSION, NEXT)) == [TUESDAY, WEDNESDAY]

    first, second = vendor.asked
    assert (first.params["adjusted"], second.params) == ("false", {"cursor": "abc"})
    assert {asked.headers["Authorization"] for asked in vendor.asked} == {f"Bearer {SECRET}"}
    assert SECRET not in str([asked.params for asked in vendor.asked])
    assert massive.adjustment is Adjustment.RAW


def test_massive_gives_few_sessions_of_many_names_by_session(massive, vendor):
    path = "/v2/aggs/grouped/locale/us/market/stocks/"
    others = aggregate(TUESDAY_CLOSE, 1.0, T="ZZZ")
    vendor.says(f"{path}{SESSION}", aggregates(aggregate(TUESDAY_CLOSE, 130.03, T="AAPL"), others))
    vendor.says(
        f"{path}{NEXT}",
        aggregates(aggregate(WEDNESDAY_CLOSE, 126.04, T="AAPL"), aggregate(WEDNESDAY_CLOSE, 309.06, T="BRK.B")),
    )

    bars = massive.fetch_bars(["AAPL", "BRK-B", "GONE"], SESSION, NEXT)

    assert said(bars) == [TUESDAY, WEDNESDAY, ("BRK-B", NEXT, 131.38, 309.06, 68_998_500)]
    assert len(vendor.asked) == 2


def test_massive_gives_splits_and_dividends_as_paid(massive, vendor):
    splits = [
        {"execution_date": "2020-08-31", "split_from": 1, "split_to": 4, "ticker": "AAPL", "id": "E1"},
        {"execution_date": "2021-08-02", "split_from": 8, "split_to": 1, "ticker": "GE", "id": "E2"},
    ]
    paid = {"cash_amount": 0.82, "currency": "USD", "ex_dividend_date": "2020-08-07", "ticker": "AAPL", "frequency": 4}
    foreign = {**paid, "currency": "CAD", "ex_dividend_date": "2020-09-01"}
    vendor.says("/stocks/v1/splits", {"status": "OK", "request_id": "1", "results": splits})
    vendor.says("/stocks/v1/dividends", {"status": "OK", "results": [paid, {**paid, "cash_amount": 0.5}, foreign]})

    actions = massive.fetch_actions(["AAPL", "GE"], date(2020, 8, 1), date(2021, 8, 31))

    assert told(actions) == [
        ("AAPL", "2020-08-07", "dividend", pytest.approx(1.32)),  # the usual one and a special one
        ("AAPL", "2020-08-31", "split", 4.0),
        ("GE", "2021-08-02", "split", 0.125),
    ]
    assert {asked.params["ticker.any_of"] for asked in vendor.asked} == {"AAPL,GE"}


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (aggregates(aggregate(TUESDAY_START, 1.0), adjusted=True), DataError, "with adjusted bars .*raw ones"),
        (aggregates(aggregate(TUESDAY_START, 1.0), resultsCount=2), DataError, "promised 2 bars .* and sent 1"),
        (aggregates(status="ERROR"), DataError, "with status ERROR"),
        (aggregates({"t": 1}), SourceUnavailableError, r"half an answer to .* \(results.0.o Field required\)"),
        ('{"status": "OK", "adj', SourceUnavailableError, "half an answer"),
        (Answer(aggregates(), missing=5), SourceUnavailableError, "gave no whole answer"),
        (Answer({"message": "bad ticker"}, 400), DataError, r"refused the question \(400 .*bad ticker"),
        (Answer({"message": "later"}, 503), SourceUnavailableError, "answered 503 .*tried 6 times, run the"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_meant_is_refused(massive, vendor, answer, error, message):
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", answer)
    with pytest.raises(error, match=message) as caught:
        massive.fetch_bars(["AAPL"], SESSION, NEXT)
    assert isinstance(caught.value, SourceUnavailableError) == (error is SourceUnavailableError)


@pytest.mark.parametrize(
    "trouble", [Answer(aggregates(), missing=5), Answer("", 500), Answer('{"sta'), Answer("", 429)]
)
def test_trouble_that_passes_is_waited_for(massive, vendor, clock, trouble):
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", trouble, trouble, aggregates(aggregate(TUESDAY_START, 130.03)))
    assert said(massive.fetch_bars(["AAPL"], SESSION, NEXT)) == [TUESDAY]
    assert len(vendor.asked) == 3
    assert [1 <= nap <= 4 for nap in clock.naps] == [True, True]


def test_a_vendor_that_asks_for_a_pause_gets_it(massive, vendor, clock):
    slow_down = Answer({"error": "too many"}, 429, {"Retry-After": "17"})
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", slow_down, aggregates())
    assert massive.fetch_bars(["AAPL"], SESSION, NEXT).empty
    assert clock.naps == [17.0]


def test_silence_ends_at_the_time_limit(vendor, clock):
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", Answer(silent=True))
    with pytest.raises(SourceUnavailableError, match="Read timed out") as caught:
        MassiveSource(access(vendor, clock, timeout=0.05)).fetch_bars(["AAPL"], SESSION, NEXT)
    assert caught.value.exit_code == EXIT_NOT_READY


def test_nobody_at_the_address_is_said(clock):
    gone = Vendor()
    gone.close()
    with pytest.raises(SourceUnavailableError, match="Massive gave no whole answer"):
        MassiveSource(access(gone, clock)).fetch_bars(["AAPL"], SESSION, NEXT)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_a_setting_that_is_named_and_never_shown(massive, vendor, clock, status):
    vendor.says(f"/v2/aggs/ticker/AAPL/{RANGE}", Answer(f"Unknown API Key {SECRET}", status))
    with pytest.raises(ConfigError, match=r"refused .*check HRP_MASSIVE_API_KEY") as caught:
        massive.fetch_bars(["AAPL"], SESSION, NEXT)
    assert SECRET not in str(caught.value)
    assert len(vendor.asked) == 1
    assert not clock.naps


def test_a_key_that_is_not_set_is_asked_for_by_name(vendor, clock):
    with pytest.raises(ConfigError, match="HRP_MASSIVE_API_KEY is not set; Massive needs it"):
        MassiveSource(access(vendor, clock, secret=""))


def test_requests_keep_the_pace_of_the_plan(vendor, clock):
    path = f"/v2/aggs/ticker/{{}}/range/1/day/{SESSION}/{SESSION}"
    names = ["A", "B", "C", "D", "E"]
    for name in names:
        vendor.says(path.format(name), aggregates())
    source = MassiveSource(access(vendor, clock, per_minute=2))
    for name in names:
        source.fetch_bars([name], SESSION, SESSION)
    assert clock.naps == [60.0, 60.0]


def test_a_pace_counts_the_requests_of_the_window_behind_it():
    pace = Pace(2, 10.0)
    assert [pace.delay(now) for now in (0.0, 4.0, 5.0, 10.0, 30.0)] == [0.0, 0.0, 5.0, 4.0, 0.0]


# Alpaca: https://docs.alpaca.markets/reference/stockbars and .../corporateactions-1


def alpaca_bar(day: date, close: float) -> dict[str, object]:
    return {
        "t": f"{day}T05:00:00Z",
        "o": 131.38,
        "h": 131.41,
        "l": 128.72,
        "c": close,
        "v": 68_998_500,
        "n": 9,
        "vw": 130.1,
    }


def test_alpaca_gives_raw_bars_page_by_page(alpaca, vendor):
    vendor.says(
        "/v2/stocks/bars",
        {"bars": {"AAPL": [alpaca_bar(SESSION, 130.03)]}, "next_page_token": "abc"},
        {"bars": {"AAPL": [alpaca_bar(NEXT, 126.04)], "BRK.B": [alpaca_bar(NEXT, 309.06)]}, "next_page_token": None},
    )

    bars = alpaca.fetch_bars(["AAPL", "BRK B", "GONE"], SESSION, NEXT)

    assert said(bars) == [TUESDAY, WEDNESDAY, ("BRK B", NEXT, 131.38, 309.06, 68_998_500)]
    assert set(bars["source"]) == {"alpaca:iex"}
    first, second = (asked.params for asked in vendor.asked)
    assert second == {**first, "page_token": "abc"}
    assert (first["adjustment"], first["feed"], first["symbols"]) == ("raw", "iex", "AAPL,BRK.B,GONE")


def test_alpaca_without_any_bar_has_none(alpaca, vendor):
    vendor.says("/v2/stocks/bars", {"bars": None, "next_page_token": None})
    assert alpaca.fetch_bars(["GONE"], SESSION, NEXT).empty


def test_alpaca_gives_splits_stock_dividends_and_dividends_by_their_ex_date(alpaca, vendor):
    split = {"ex_date": "2023-08-22", "new_rate": 2, "old_rate": 1, "process_date": "2023-08-22", "symbol": "SRE"}
    reverse = {"ex_date": "2023-08-24", "new_rate": 1, "old_rate": 50, "process_date": "2023-08-24", "symbol": "MNTS"}
    stock = {"ex_date": "2023-08-23", "rate": 0.05, "process_date": "2023-08-23", "symbol": "MSBC"}
    cash = {"ex_date": "2023-08-04", "rate": 0.125, "process_date": "2023-09-19", "special": False, "symbol": "SRE"}
    later = {**cash, "ex_date": "2023-11-04"}
    groups = {"forward_splits": [split], "reverse_splits": [reverse], "stock_dividends": [stock]}
    vendor.says(
        "/v1/corporate-actions",
        {"corporate_actions": groups, "next_page_token": "abc"},
        {"corporate_actions": {"cash_dividends": [cash, later], "spin_offs": [{}]}, "next_page_token": None},
    )

    actions = alpaca.fetch_actions(["SRE", "MNTS", "MSBC"], date(2023, 8, 1), date(2023, 8, 31))

    assert told(actions) == [
        ("MNTS", "2023-08-24", "split", 0.02),
        ("MSBC", "2023-08-23", "split", 1.05),
        ("SRE", "2023-08-04", "dividend", 0.125),
        ("SRE", "2023-08-22", "split", 2.0),
    ]
    assert vendor.asked[0].params["end"] == "2023-12-29"  # it is listed by the day of payment


def test_every_key_goes_out_in_its_header(vendor, clock):
    keys = [
        Key("HRP_ALPACA_KEY_ID", SecretStr("one"), "APCA-API-KEY-ID"),
        Key("HRP_ALPACA_SECRET_KEY", SecretStr("two"), "APCA-API-SECRET-KEY"),
    ]
    vendor.says("/v2/stocks/bars", Answer({"message": "forbidden two"}, 403))
    how = access(vendor, clock)
    source = AlpacaSource(type(how)(vendor.url, keys, 100, 5, clock.elapsed, clock.sleep), "sip")
    with pytest.raises(ConfigError, match=r"\(hidden\).*check HRP_ALPACA_KEY_ID and HRP_ALPACA_SECRET_KEY"):
        source.fetch_bars(["AAPL"], SESSION, NEXT)
    headers = vendor.asked[0].headers
    assert (headers["APCA-API-KEY-ID"], headers["APCA-API-SECRET-KEY"]) == ("one", "two")


# Both


@pytest.mark.parametrize("kind", ["massive", "alpaca"])
def test_names_must_be_said_and_must_be_apart(request: pytest.FixtureRequest, kind: str):
    source = request.getfixturevalue(kind)
    refused: list[Callable[[], object]] = [
        source.fetch_symbols,
        lambda: source.fetch_bars(None, SESSION, NEXT),
        lambda: source.fetch_bars(["BRK.B", "BRK-B"], SESSION, NEXT),
    ]
    for ask in refused:
        with pytest.raises(UsageError):
            ask()


def test_what_a_vendor_gives_is_what_the_store_takes(con, alpaca, vendor):
    vendor.says("/v2/stocks/bars", {"bars": {"TRUE": [alpaca_bar(SESSION, 130.03)]}})
    bars = alpaca.fetch_bars(["TRUE"], SESSION, NEXT)
    assert bars.columns.tolist() == list(market.BAR_COLUMNS)
    assert market.save_prices(con, bars, NIGHT, "r") == 1
    assert market.save_prices(con, bars, NIGHT, "r") == 0
