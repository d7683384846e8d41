"""Price history of the broker: the real client library asks the real gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import close_at, sessions_between
from hrp.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, UsageError, WrongAccountError
from hrp.execution.broker import BrokerConfig
from hrp.execution.history import IBKRHistory
from hrp.gateway import client

from .night import ACCOUNT

SESSIONS = sessions_between(date(2024, 1, 2), date(2025, 6, 30))
FIRST, LAST = SESSIONS[0], SESSIONS[-1]
EVENING = close_at(LAST).replace(hour=23)
SPLIT_ON = SESSIONS[200]


class Waiting:
    """The clock of whoever waits: seconds pass by waiting alone."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def elapsed(self) -> float:
        return sum(self.waits)

    async def pause(self, seconds: float) -> None:
        if seconds:
            self.waits.append(seconds)


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """As they were traded; `GAP` misses a session and has a bar without an open, `LATE` is listed late."""
    days = pd.to_datetime(SESSIONS)
    close = np.linspace(100, 150, len(days)).round(2)
    whole = pd.DataFrame({"session": days, "open": close, "high": close + 1, "low": close - 1, "close": close})
    whole = whole.assign(volume=1_000)
    gap = whole.drop(index=3).reset_index(drop=True)
    gap.loc[10, "open"] = np.nan
    parts = {"AAPL": whole, "BRK.B": whole, "TRUE": whole, "GAP": gap, "LATE": whole.iloc[300:]}
    return pd.concat([part.assign(symbol=symbol) for symbol, part in parts.items()], ignore_index=True)


@pytest.fixture(scope="module")
def market(bars: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "bars.parquet"
    bars.to_parquet(path)
    actions = f"symbol,ex_session,kind,value\nTRUE,{SPLIT_ON},split,4\n"
    path.with_name("actions.csv").write_text(actions)
    return path


@pytest.fixture(scope="module")
def quiet(market: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway on which nothing goes wrong."""
    state = tmp_path_factory.mktemp("quiet") / "gateway"
    actions = {"actions": str(market.with_name("actions.csv"))}
    yield client.start(state, market, ACCOUNT, clock=EVENING, terms=actions).port
    client.stop(state)


@pytest.fixture
def troubled(market: Path, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Starts a gateway with one fault, written as YAML; its port."""
    state = tmp_path / "gateway"

    def begin(fault: str) -> int:
        path = tmp_path / "trouble.yaml"
        path.write_text(f"about: x\nseen: y\nfaults: [{fault}]\n")
        return client.start(state, market, ACCOUNT, clock=EVENING, scenario=path).port

    yield begin
    client.stop(state)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def history(port: int, waiting: Waiting, account: str = ACCOUNT, timeout: float = 5) -> IBKRHistory:
    return IBKRHistory(BrokerConfig("127.0.0.1", port, 101, account, timeout=timeout), waiting.elapsed, waiting.pause)


def truth(bars: pd.DataFrame, symbol: str, first: date = FIRST, last: date = LAST) -> pd.DataFrame:
    kept = (bars["symbol"] == symbol) & bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))
    columns = ["symbol", "session", "open", "high", "low", "close", "volume"]
    return bars.loc[kept, columns].reset_index(drop=True).astype({"session": "datetime64[s]", "volume": float})


def plain(fetched: pd.DataFrame) -> pd.DataFrame:
    return fetched.drop(columns="source").astype({"session": "datetime64[s]"})


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "GAP", "LATE"])
def test_bars_come_back_as_the_market_has_them(quiet, waiting, bars, symbol):
    fetched = history(quiet, waiting).fetch_bars([symbol], FIRST, LAST)
    pd.testing.assert_frame_equal(plain(fetched), truth(bars, symbol), check_dtype=False)
    assert not waiting.waits


@pytest.mark.parametrize(("first", "last"), [(LAST, LAST), (SESSIONS[5], SESSIONS[9]), (SESSIONS[5], SESSIONS[260])])
def test_a_range_has_exactly_its_sessions(quiet, waiting, bars, first, last):
    fetched = history(quiet, waiting).fetch_bars(["AAPL"], first, last)
    pd.testing.assert_frame_equal(plain(fetched), truth(bars, "AAPL", first, last), check_dtype=False)


def test_several_names_are_one_frame_and_unknown_ones_have_no_rows(quiet, waiting):
    fetched = history(quiet, waiting).fetch_bars(["BRK-B", "NOBODY", "LATE", "AAPL"], FIRST, SESSIONS[2])
    assert fetched[["session", "symbol"]].values.tolist() == [
        [pd.Timestamp(day), symbol] for day in SESSIONS[:3] for symbol in ("AAPL", "BRK-B")
    ]
    assert set(fetched["source"]) == {"ibkr"}


def test_bars_before_a_split_are_in_todays_shares_and_it_says_so(quiet, waiting, bars):
    source = history(quiet, waiting)
    fetched = source.fetch_bars(["TRUE"], SESSIONS[199], SPLIT_ON)
    before, after = truth(bars, "TRUE", SESSIONS[199], SPLIT_ON).itertuples()
    assert fetched["close"].tolist() == [pytest.approx(before.close / 4), after.close]
    assert fetched["volume"].tolist() == [4_000, 1_000]
    assert source.adjustment is Adjustment.SPLITS
    assert source.fetch_actions(["TRUE"], FIRST, LAST).empty


def test_sixty_requests_fill_ten_minutes(quiet, waiting):
    source = history(quiet, waiting)
    source.fetch_bars([f"N{number}" for number in range(60)], LAST, LAST)
    assert not waiting.waits
    source.fetch_bars(["AAPL"], LAST, LAST)
    assert waiting.waits == [600.0]


def test_a_pacing_violation_is_waited_out(troubled, waiting, bars):
    port = troubled("{when: {message: reqHistoricalData, times: 2}, do: {refuse: {code: 162}}}")
    fetched = history(port, waiting).fetch_bars(["AAPL"], FIRST, LAST)
    assert len(fetched) == len(SESSIONS)
    assert waiting.waits == [60.0, 60.0]


def test_a_pacing_violation_that_does_not_end_is_an_error(market, tmp_path, waiting):
    state = tmp_path / "gateway"
    port = client.start(state, market, ACCOUNT, clock=EVENING, scenario="history-pacing").port
    try:
        with pytest.raises(BrokerError, match="refuses the history of AAPL as asked for too fast, 11 times"):
            history(port, waiting).fetch_bars(["AAPL"], FIRST, LAST)
    finally:
        client.stop(state)
    assert waiting.elapsed() == 600.0


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("do: {refuse: {code: 354}}", BrokerError, "refused to state its history of AAPL: 354 Requested market data"),
        ("do: {drop: before}", BrokerConnectionError, "connection to .* was lost while it stated its history of AAPL"),
        ("do: lose", BrokerTimeoutError, "did not finish stating its history of AAPL within 0.3 s"),
    ],
)
def test_half_a_history_is_none(troubled, waiting, fault, error, message):
    port = troubled(f"{{when: {{message: reqHistoricalData}}, {fault}}}")
    with pytest.raises(error, match=message):
        history(port, waiting, timeout=0.3).fetch_bars(["AAPL"], FIRST, LAST)


def test_another_account_is_asked_for_nothing(quiet, waiting):
    with pytest.raises(WrongAccountError, match="not account DU7654321"):
        history(quiet, waiting, account="DU7654321").fetch_bars(["AAPL"], FIRST, LAST)


def test_names_must_be_said(quiet, waiting):
    for ask in (history(quiet, waiting).fetch_symbols, lambda: history(quiet, waiting).fetch_bars(None, FIRST, LAST)):
        with pytest.raises(UsageError, match="say which ones"):
            ask()
