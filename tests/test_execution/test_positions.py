from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import pytest

from hrp.errors import BrokerError
from hrp.execution.orders import OrderManager
from hrp.execution.positions import Position, PositionTracker

from .night import ACCOUNT, AFTER_OPEN, SESSIONS, buy


class Store:
    def __init__(self) -> None:
        self.kept: list[tuple[date, str, list[str], datetime]] = []

    def record_positions(self, session: date, account: str, positions: Sequence[Position], at: datetime) -> None:
        self.kept.append((session, account, [held.symbol for held in positions], at))


def test_positions_are_the_brokers_and_are_kept_as_a_whole(gateway, ledger, clock):
    with gateway.broker() as broker:
        OrderManager(broker, ledger, clock).submit_all([buy("TRUE", 20), buy("AAPL", 10)])
    gateway.advance(AFTER_OPEN)

    store = Store()
    with gateway.broker() as broker:
        tracker = PositionTracker(broker, store)
        synced = tracker.sync_positions()
        assert tracker.persist_positions(SESSIONS[1]) == 2

    assert [(held.symbol, held.quantity) for held in synced] == [("AAPL", Decimal(10)), ("TRUE", Decimal(20))]
    assert tracker.get_all_positions() == synced
    assert tracker.get_position("TRUE") == synced[1]
    assert tracker.get_position("MSFT") is None
    assert store.kept == [(SESSIONS[1], ACCOUNT, ["AAPL", "TRUE"], AFTER_OPEN)]


def test_before_a_sync_nothing_is_known_rather_than_nothing_held(quiet_gateway):
    with quiet_gateway.broker() as broker:
        tracker = PositionTracker(broker, Store())
        with pytest.raises(BrokerError, match="positions are not known yet; call sync_positions"):
            tracker.get_all_positions()
        tracker.sync_positions()
    with pytest.raises(BrokerError):
        tracker.sync_positions()
    with pytest.raises(BrokerError, match="positions are not known yet"):
        tracker.get_position("AAPL")
