"""The account's book: what it starts from, what explains a difference, and what a person takes over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from workspaces import ACCOUNT, EVE, LAST, NOW, SESSIONS, empty_workspace

from hrp.api.platform import PlatformAPI
from hrp.data import adjustments, market, trading
from hrp.data.journal import load_events
from hrp.domain.book import AdjustmentKind
from hrp.domain.orders import OrderSide
from hrp.domain.positions import Account, BrokerState, Fill, Position

D = Decimal
BEFORE = SESSIONS[-3]
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
    news = state("98499.00", NOW, fill, XOM=15)
    assert api.keep_executions(news) == {"XOM": 15}
    # 99,000 less 500 less a commission of 1 USD; the execution has no order of HRP, and that is said
    assert differences(api.store_snapshot(LAST, news)) == [("FOREIGN_FILL", "XOM.1.01", "none", "buy 5 XOM at 100")]


def test_what_nothing_explains_is_a_break(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    assert differences(api.store_snapshot(LAST, state("99012.50", NOW, XOM=12))) == [
        ("POSITION", "XOM", "10", "12"),
        ("CASH", "cash", "99000.00", "99012.50"),
    ]


def test_a_second_sync_of_the_first_session_does_not_hide_a_break(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    again = state("99000.00", START + timedelta(hours=1), XOM=12)
    assert differences(api.store_snapshot(EVE, again)) == [("POSITION", "XOM", "10", "12")]


def test_a_break_that_a_person_resolves_is_gone_and_leaves_a_trace(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START))
    interest = state("99012.50", NOW)
    api.store_snapshot(LAST, interest)
    assert [(lock.scope, lock.subject) for lock in api.get_locks(ACCOUNT)] == [("account", "cash")]

    done = api.resolve_break(LAST, interest, "cash", AdjustmentKind.RESOLVED, "interest")

    assert ([a.cash for a in done.adjustments], done.lifted) == ([D("12.50")], 1)
    assert api.store_snapshot(LAST, state("99012.50", NOW + timedelta(hours=1))) == []
    assert api.get_locks(ACCOUNT) == []
    with api.app.store().read() as con:
        (event,) = load_events(con, event_type="break_resolved")
    assert (event.subject, event.actor, event.details["reason"]) == ("cash", "operator", "interest")


def test_a_lock_stays_when_its_break_is_gone_until_a_person_lifts_it(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    api.store_snapshot(LAST, state("99000.00", NOW, XOM=12))
    assert api.store_snapshot(LAST, state("99000.00", NOW + timedelta(hours=1), XOM=10)) == []
    (lock,) = api.get_locks(ACCOUNT)
    assert (lock.scope, lock.subject, lock.reason) == ("instrument", "XOM", "ledger=10, broker=12")

    done = api.resolve_break(LAST, state("99000.00", NOW, XOM=10), "XOM", AdjustmentKind.RESOLVED, "a late report")

    assert (done.adjustments, done.lifted, api.get_locks(ACCOUNT)) == ((), 1, [])


def test_what_locks_again_after_it_was_resolved_is_another_lock(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    for shares in (12, 15):
        news = state("99000.00", NOW, XOM=shares)
        api.store_snapshot(LAST, news)
        api.resolve_break(LAST, news, "XOM", AdjustmentKind.TRANSFER, "moved in")
    assert api.store_snapshot(LAST, state("99000.00", NOW, XOM=15)) == []
    with api.app.store().read() as con:
        assert [a.shares for a in adjustments.load_adjustments(con, ACCOUNT)] == [2, 3]


def test_an_explained_break_stays_on_record_for_its_session(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START))
    news = state("98499.00", NOW, bought("XOM", 5, "100.00"), XOM=5)
    api.keep_executions(news)
    api.store_snapshot(LAST, news)
    assert api.store_snapshot(LAST, news) == []
    with api.app.store().read() as con:
        (kept,) = trading.load_breaks(con, ACCOUNT)
    assert (kept.kind, kept.cause) == ("FOREIGN_FILL", "manual")
    assert "explained\n  FOREIGN_FILL XOM.1.01: ledger none, broker buy 5 XOM at 100" in api.session_report(LAST)


def test_the_report_names_what_is_locked(api: PlatformAPI):
    api.store_snapshot(EVE, state("99000.00", START))
    api.store_snapshot(LAST, state("99012.50", NOW))

    assert "account cash since 2022-12-28: CASH ledger=99000.00, broker=99012.50" in api.session_report(LAST)


def test_profit_counts_what_a_person_took_over_at_the_brokers_cost(api: PlatformAPI):
    """10 shares at 100 USD and 2 that came in at 100 USD, marked at 110: 12 × 10."""
    with api.app.store().write() as con:
        market.save_prices(con, marks("XOM", 110.0), NOW, "test")
    api.store_snapshot(EVE, state("99000.00", START, XOM=10))
    news = state("99000.00", NOW, XOM=12)
    api.store_snapshot(LAST, news)
    api.resolve_break(LAST, news, "XOM", AdjustmentKind.TRANSFER, "moved in")
    api.store_snapshot(LAST, news)
    with api.app.store().read() as con:
        assert trading.load_equity(con, ACCOUNT)[-1].unrealized_pnl_usd == D("120.00")


def marks(symbol: str, close: float) -> pd.DataFrame:
    bar = {"symbol": symbol, "session": LAST, "open": close, "high": close, "low": close, "close": close}
    return pd.DataFrame([{**bar, "volume": 1, "source": "test"}])


def test_a_split_on_record_explains_its_shares_only_after_the_last_sync_that_agreed(api: PlatformAPI):
    split = pd.DataFrame([{"symbol": "XOM", "ex_session": EVE, "kind": "split", "value": 2.0, "source": "test"}])
    api.store_snapshot(BEFORE, state("99000.00", START - timedelta(days=1), XOM=10))
    with api.app.store().write() as con:
        market.save_corporate_actions(con, split, NOW)
    assert api.store_snapshot(EVE, state("99000.00", START, XOM=10)) == []

    (found,) = api.store_snapshot(LAST, state("99000.00", NOW, XOM=20))

    assert (found.kind, found.cause) == ("POSITION", "")


def test_a_split_that_becomes_known_late_explains_what_locked_before(api: PlatformAPI):
    split = pd.DataFrame([{"symbol": "XOM", "ex_session": EVE, "kind": "split", "value": 2.0, "source": "test"}])
    api.store_snapshot(BEFORE, state("99000.00", START - timedelta(days=1), XOM=10))
    api.store_snapshot(EVE, state("99000.00", START, XOM=20))
    with api.app.store().write() as con:
        market.save_corporate_actions(con, split, NOW)

    (found,) = api.store_snapshot(LAST, state("99000.00", NOW, XOM=20))

    assert (found.cause, [lock.subject for lock in api.get_locks(ACCOUNT)]) == ("split", ["XOM"])


def test_executions_before_the_baseline_are_not_counted_twice(api: PlatformAPI):
    early = bought("XOM", 10, "100.00", START - timedelta(hours=2))
    first = state("99000.00", START, early, XOM=10)
    assert api.keep_executions(first) == {"XOM": 10}
    assert api.store_snapshot(EVE, first) == []
    assert api.keep_executions(first) == {"XOM": 10}
