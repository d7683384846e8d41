"""The account's book: what it starts from, what explains a difference, and what a person may accept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from workspaces import ACCOUNT, EVE, LAST, NOW, empty_workspace

from hrp.api.platform import PlatformAPI
from hrp.data import trading
from hrp.data.journal import load_events
from hrp.domain.orders import OrderSide
from hrp.domain.positions import Account, BrokerState, Fill, Position

D = Decimal
START = NOW - timedelta(days=1)
BOUGHT_AT = datetime(2022, 12, 28, 14, 30, tzinfo=UTC)


@pytest.fixture
def api(tmp_path: Path) -> PlatformAPI:
    return PlatformAPI(empty_workspace(tmp_path / "home").app)


def state(cash: str, at: datetime, *fills: Fill, **held: int) -> BrokerState:
    positions = tuple(Position(symbol, D(shares), D(100)) for symbol, shares in held.items())
    return BrokerState(Account(ACCOUNT, D(100_000), D(cash)), positions, (), (), fills, at)


def bought(symbol: str, shares: int, price: str, at: datetime = BOUGHT_AT) -> Fill:
    return Fill(f"{symbol}.1.01", "", 1, ACCOUNT, 1, symbol, OrderSide.BUY, D(shares), D(price), at, D("1.00"))


def differences(breaks: list) -> list[tuple[str, str, str, str]]:
    return [(found.kind, found.subject, found.ledger, found.broker) for found in breaks]


def test_the_first_sync_is_what_the_book_starts_from(api: PlatformAPI):
    assert api.store_snapshot(EVE, state("99000.00", START, XOM=10)) == []
    with api.app.store().read() as con:
        baseline = trading.load_baseline(con, ACCOUNT)
    assert (baseline.cash_usd, [(p.symbol, p.quantity) for p in baseline.positions]) == (D("99000.00"), [("XOM", 10)])


def test_an_execution_explains_its_shares_and_its_cash(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    fill = bought("XOM", 5, "100.00")
    api.store_fills([fill])
    # 99,000 less 500 less a commission of 1 USD; the execution has no order of HRP, and that is said
    assert differences(api.store_snapshot(LAST, state("98499.00", NOW, fill, XOM=15))) == [
        ("FOREIGN_FILL", "XOM.1.01", "none", "buy 5 XOM at 100.00")
    ]


def test_what_nothing_explains_is_a_break(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    assert differences(api.store_snapshot(LAST, state("99012.50", NOW, XOM=12))) == [
        ("POSITION", "XOM", "10.000000", "12"),
        ("CASH", "cash", "99000.00", "99012.50"),
    ]


def test_a_second_sync_of_the_first_session_does_not_hide_a_break(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    again = state("99000.00", START + timedelta(hours=1), XOM=12)
    assert differences(api.store_snapshot(EVE, again)) == [("POSITION", "XOM", "10.000000", "12")]


def test_a_break_that_a_person_accepts_is_gone_and_leaves_a_trace(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START))
    dividend = state("99012.50", NOW)
    api.store_snapshot(LAST, dividend)

    explained = api.accept_broker(LAST, dividend, "operator", "dividend of XOM")

    assert differences(explained) == [("CASH", "cash", "99000.00", "99012.50")]
    assert api.store_snapshot(LAST, state("99012.50", NOW + timedelta(hours=1))) == []
    with api.app.store().read() as con:
        (event,) = load_events(con, event_type="broker_accepted")
    assert event.details == {"reason": "dividend of XOM", "breaks": ["CASH cash: 99000.00 | 99012.50"]}


def test_the_state_of_the_very_instant_of_the_last_sync_can_be_accepted(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START))
    api.store_snapshot(EVE, state("99012.50", START))
    api.accept_broker(EVE, state("99012.50", START), "operator", "dividend of XOM")
    assert api.store_snapshot(LAST, state("99012.50", NOW)) == []


def test_executions_before_the_baseline_are_not_counted_twice(api: PlatformAPI):
    early = bought("XOM", 10, "100.00", START - timedelta(hours=2))
    api.store_fills([early])
    assert api.store_snapshot(EVE, state("99000.00", START, early, XOM=10)) == []
