"""Yahoo through the real yfinance, which asks a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from requests.adapters import HTTPAdapter

from hrp.domain.rebased import Adjustment
from hrp.errors import DataError, SourceUnavailableError, UsageError

from .vendors import Answer, Vendor

pytest.importorskip("yfinance", reason="the extra hrp[yfinance] is not installed")

from hrp.data.sources.yahoo import YahooSource

FRIDAY, MONDAY, TUESDAY = date(2020, 8, 28), date(2020, 8, 31), date(2020, 9, 1)  # AAPL split four for one on Monday


class _Here(HTTPAdapter):
    """Brings every request for Yahoo to `url`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        address = urlsplit(request.url)
        request.url = f"{self._url}{address.path}?{address.query}"
        return super().send(request, *args, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    vendor = Vendor()
    vendor.says("/v1/test/getcrumb", "crumb")
    yield vendor
    vendor.close()


@pytest.fixture
def source(yahoo: Vendor, tmp_path: Path) -> YahooSource:
    session = requests.Session()
    session.mount("https://", _Here(yahoo.url))
    return YahooSource(tmp_path / "cache", 5, session)


def second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC).timestamp())


def chart(days: list[date], closes: list[float | None], **events: object) -> dict[str, object]:
    """What `/v8/finance/chart/SYMBOL` answers: today's shares throughout."""
    meta = {
        "currency": "USD", "symbol": "X", "exchangeName": "NMS", "instrumentType": "EQUITY", "priceHint": 2,
        "exchangeTimezoneName": "America/New_York", "timezone": "EDT", "gmtoffset": -14400, "dataGranularity": "1d",
        "regularMarketTime": second(days[-1]), "range": "", "validRanges": ["1d", "5d", "1mo", "max"],
    }  # fmt: skip
    quote = dict.fromkeys(("open", "high", "low", "close"), closes)
    volume = [None if close is None else 400 for close in closes]
    result = {
        "meta": meta,
        "timestamp": [second(day) for day in days],
        "indicators": {"quote": [{**quote, "volume": volume}], "adjclose": [{"adjclose": closes}]},
        "events": events,
    }
    return {"chart": {"result": [result], "error": None}}


def split(day: date, new: int, old: int) -> dict[str, object]:
    return {str(second(day)): {"date": second(day), "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}}


def paid(day: date, amount: float) -> dict[str, object]:
    return {str(second(day)): {"date": second(day), "amount": amount}}


def said(bars: pd.DataFrame) -> list[tuple[object, ...]]:
    return [(row.symbol, row.session.date(), row.close, row.volume) for row in bars.itertuples()]


NOT_FOUND = Answer({"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}, 404)


def test_bars_are_as_they_were_traded_and_a_later_split_counts(source, yahoo):
    yahoo.says(
        "/v8/finance/chart/AAPL",
        chart([FRIDAY, MONDAY, TUESDAY], [124.80750274658203, 129.0399932861328, None],
              splits=split(MONDAY, 4, 1), dividends=paid(FRIDAY, 0.205)),
    )  # fmt: skip

    friday = source.fetch_bars(["AAPL"], FRIDAY, FRIDAY)
    both = source.fetch_bars(["AAPL"], FRIDAY, MONDAY)

    assert said(friday) == [("AAPL", FRIDAY, 499.23, 100)]
    assert said(both)[1:] == [("AAPL", MONDAY, 129.04, 400)]
    assert source.adjustment is Adjustment.RAW
    last_asked = yahoo.asked[-1].params
    assert int(last_asked["period2"]) > second(TUESDAY) and "div" in last_asked["events"]


def test_a_day_without_prices_stays_a_hole(source, yahoo):
    yahoo.says("/v8/finance/chart/HOLE", chart([FRIDAY, MONDAY], [None, 10.0]))
    bars = source.fetch_bars(["HOLE"], FRIDAY, MONDAY)
    assert bars["close"].isna().tolist() == [True, False]


def test_actions_are_in_the_shares_of_their_day(source, yahoo):
    yahoo.says(
        "/v8/finance/chart/BRK-B",
        chart([FRIDAY, MONDAY, TUESDAY], [1.0, 1.0, 1.0], splits=split(MONDAY, 4, 1),
              dividends=paid(FRIDAY, 0.205) | paid(TUESDAY, 0.205)),
    )  # fmt: skip
    actions = source.fetch_actions(["BRK.B"], FRIDAY, TUESDAY)
    rows = [(row.symbol, row.ex_session.date(), row.kind, row.value) for row in actions.itertuples()]
    assert rows == [
        ("BRK.B", FRIDAY, "dividend", 0.82),
        ("BRK.B", MONDAY, "split", 4.0),
        ("BRK.B", TUESDAY, "dividend", 0.205),
    ]
    assert source.fetch_actions(["BRK.B"], FRIDAY, FRIDAY)["kind"].tolist() == ["dividend"]


def test_a_name_that_yahoo_does_not_know_has_no_bars(source, yahoo):
    yahoo.says("/v8/finance/chart/GONE", NOT_FOUND)
    yahoo.says("/v8/finance/chart/HERE", chart([FRIDAY], [10.0]))
    assert said(source.fetch_bars(["GONE", "HERE"], FRIDAY, FRIDAY)) == [("HERE", FRIDAY, 10.0, 400)]
    assert source.fetch_actions(["GONE"], FRIDAY, FRIDAY).empty


def test_names_must_be_said(source):
    with pytest.raises(UsageError, match="say which"):
        source.fetch_bars(None, FRIDAY, FRIDAY)
    with pytest.raises(UsageError, match="say which"):
        source.fetch_symbols()


@pytest.mark.parametrize(
    ("name", "answer", "error", "message"),
    [
        ("BUSY", Answer("Too Many Requests", 429), SourceUnavailableError, "gave no history of BUSY .*run it again"),
        ("DOWN", Answer("Will be right back"), DataError, "gave no history of DOWN"),
        ("ODD", Answer({"chart": {"result": [{}], "error": None}}), DataError, "is yfinance up to date"),
    ],
)  # fmt: skip
def test_what_is_no_history_is_an_error_and_not_an_empty_one(source, yahoo, name, answer, error, message):
    yahoo.says(f"/v8/finance/chart/{name}", answer)
    with pytest.raises(error, match=message):
        source.fetch_bars([name], FRIDAY, FRIDAY)


def test_nobody_there_is_an_error_and_not_an_empty_history(source, yahoo):
    yahoo.close()
    with pytest.raises(SourceUnavailableError, match="gave no history of AWAY"):
        source.fetch_bars(["AWAY"], FRIDAY, FRIDAY)
