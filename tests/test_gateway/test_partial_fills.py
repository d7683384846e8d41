"""Orders larger than the share of the volume that the account gets: 0.1 of 1100 shares on 2024-01-03, 120, 130."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrp.domain.commission import to_cents
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.gateway import client
from hrp.gateway.books import Books

from .conftest import Process
from .support import ACCOUNT, Teller, at, brief, close_desks, open_desk, write_market
from .test_server import market_order, stock, wait_for


@pytest.fixture
def evening(tmp_path) -> Teller:
    """A client on the evening of 2024-01-02; AAA opens at 103, 104 and 110 on the days after."""
    return Teller(open_desk(tmp_path, at(2, 22), volume_share="0.1"))


PART = [
    "exec 1 BOT 110 at 103.0",
    "order 1 Submitted",
    "status 1 Submitted 110/190 at 103.0",
    "order 1 Submitted",
    "status 1 Submitted 110/190 at 103.0",
    "commission 1.00",
]


def test_the_rest_of_an_order_on_the_open_ends_at_the_open(evening):
    evening.order(1, "BUY", 300)
    told = evening.advance(at(3, 14, 30))
    assert told[2:] == [*PART, "status 1 Cancelled 110/190 at 103.0", "error 1 202"]
    [done, _] = evening.ask("99", "0")
    assert (done[13], done[77], done[87]) == ("300", "Cancelled", "110")


def test_the_rest_of_a_day_order_ends_at_the_close_and_gets_no_second_share(evening):
    evening.order(1, "BUY", 300, tif="DAY", limit="103")
    assert evening.advance(at(3, 20, 59))[2:] == PART
    assert evening.advance(at(3, 21)) == ["status 1 Cancelled 110/190 at 103.0", "error 1 202"]


def test_the_rest_of_an_immediate_order_ends_at_once(tmp_path):
    midday = Teller(open_desk(tmp_path, at(3, 17), volume_share="0.1"))
    told = midday.order(1, "BUY", 300, tif="IOC")
    assert told[2:] == [*PART, "status 1 Cancelled 110/190 at 103.0", "error 1 202"]


def test_an_order_that_stays_fills_over_the_sessions_at_their_prices(evening):
    evening.order(1, "BUY", 300, tif="GTC")
    evening.advance(at(4, 22))
    [opened, status, _] = evening.ask("5", "1")
    # (110 x 103 + 120 x 104) / 230
    assert status[2:6] == ("Submitted", "230", "70", "103.52173913")
    assert (opened[14], status[8]) == ("300", "104.0")
    evening.advance(at(5, 22))
    [done, _] = evening.ask("99", "0")
    assert (done[77], done[87], done[95]) == ("Filled", "300", "Filled Size: 300")
    # 11330 + 12480 + 7700, and 1.00 for each session: an order that persists overnight counts as a new one
    assert evening.desk.books.ledger.cash == Decimal("100000") - Decimal("31510") - Decimal("3.00")
    assert evening.desk.books.ledger.holding(evening.desk.books.ledger.instrument("AAA")).quantity == 300


def test_each_execution_says_how_far_its_order_had_come(evening):
    evening.order(1, "BUY", 300, tif="GTC")
    told = [evening.mine(evening.desk.advance(at(day, 22))[1]) for day in (3, 4, 5)]
    [first], [second], [third] = [[fields for fields in part if fields[0] == "11"] for part in told]
    assert [first[24], second[24], third[24]] == ["110", "230", "300"]
    # (11330 + 12480 + 7700) / 300
    assert [first[25], second[25], third[25]] == ["103.0", "103.52173913", "105.03333333"]
    assert len({first[14], second[14], third[14]}) == 3
    assert first[21] == second[21] == third[21]


def test_orders_in_one_name_share_what_the_volume_gives_and_sales_come_first(evening):
    evening.order(1, "BUY", 50)
    evening.advance(at(3, 22))
    evening.order(2, "BUY", 100)
    evening.order(3, "BUY", 100)
    evening.order(4, "SELL", 50)
    told = [line for line in evening.advance(at(4, 14, 30)) if line.startswith("exec")]
    assert told == ["exec 4 SLD 50 at 104.0", "exec 2 BOT 70 at 104.0"]


def test_minimum_and_maximum_of_the_commission_are_of_the_order_not_of_its_parts(tmp_path):
    # 110 shares at the open and 190 bought later in the session: 0.005 x 300 = 1.50 after 1.00
    teller = Teller(open_desk(tmp_path, at(3, 17)))
    ledger = teller.desk.books.ledger
    ledger.found("DU1234567", at(3, 17), Decimal(0), {"volume-share": "0.1"})
    teller.order(1, "BUY", 300, tif="DAY", limit="103")
    ledger.found("DU1234567", at(3, 17), Decimal(0), {"volume-share": "1"})
    assert [line for line in teller.advance(at(3, 21)) if line[:4] in ("exec", "comm")] == [
        "exec 1 BOT 190 at 103", "commission 0.50",
    ]  # fmt: skip
    assert ledger.order(7, 1).commission == Decimal("1.50")


def test_without_a_limit_of_volume_an_order_trades_whole(tmp_path):
    teller = Teller(open_desk(tmp_path, at(2, 22), cash="1000000.00"))
    teller.order(1, "BUY", 5000)
    assert "status 1 Filled 5000/0 at 103.0" in teller.advance(at(3, 14, 30))


def test_a_session_without_volume_trades_nothing(tmp_path):
    teller = Teller(open_desk(tmp_path, at(3, 22), volume_share="0.01"))
    teller.order(1, "BUY", 1, "BRK B", tif="GTC")  # no bar on 2024-01-04, 0.7 shares on 2024-01-05
    assert teller.advance(at(5, 22)) == ["order 1 Submitted", "status 1 Submitted 0/1 at 0.0"]


def test_the_rest_of_a_partly_filled_order_alone_can_be_sold_bought_changed_and_cancelled(evening):
    evening.order(1, "BUY", 300, tif="GTC")
    evening.advance(at(3, 22))  # 110 filled; 100000 - 11330 - 1 + 110 x 105 = 100219.00; 190 x 102 = 19380 reserved
    assert evening.order(2, "BUY", 770)[0] == "error 2 201"  # 770 x 105 = 80850 > 80839.00
    assert evening.order(3, "BUY", 769)[0] == "order 3 PreSubmitted"  # 80745
    assert evening.order(1, "BUY", 110, tif="GTC") == ["error 1 201"]
    assert brief(evening.ask("4", "1", "3", ""))[0] == "status 3 Cancelled 0/769 at 0.0"
    assert evening.order(1, "BUY", 200, tif="GTC")[1] == "status 1 Submitted 110/90 at 103.0"
    assert evening.order(4, "SELL", 111)[0] == "error 4 201"
    assert brief(evening.ask("4", "1", "1", ""))[0] == "status 1 Cancelled 110/90 at 103.0"
    assert evening.order(5, "BUY", 954)[0] == "order 5 PreSubmitted"  # 100170; nothing is reserved any more


PLACED = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 250),
    st.sampled_from(["MKT", "LMT", "MOC", "LOC"]),
    st.sampled_from(["DAY", "OPG", "GTC", "GTD", "IOC"]),
    st.integers(98, 112),
)


@settings(max_examples=25)
@given(
    evening=st.lists(PLACED, max_size=4), midday=st.lists(PLACED, max_size=4), share=st.sampled_from(["0.05", "0.2"])
)
def test_whatever_is_ordered_shares_and_cash_are_those_of_the_executions(evening, midday, share):
    with TemporaryDirectory() as folder:
        teller = Teller(open_desk(Path(folder), at(2, 22), volume_share=share, commission="tiered"))
        teller.order(1, "BUY", 40)
        for to, orders in ((at(2, 23), evening), (at(3, 17), midday)):
            teller.advance(to)
            for side, quantity, kind, tif, limit in orders:
                order_id = int(teller.ask("8", "1", "1")[0][2])
                terms = {"kind": kind, "limit": str(limit), "tif": tif, "good_till": "20240104" if tif == "GTD" else ""}
                teller.order(order_id, side, quantity, **terms)
        teller.advance(at(5, 22))
        _require_agreement(teller.desk.books, Decimal(share))
        close_desks()


def _require_agreement(books: Books, share: Decimal) -> None:
    ledger, fills = books.ledger, books.ledger.executions(date(2024, 1, 2))
    signs = [1 if fill.side == "BUY" else -1 for fill in fills]
    paid = sum(sign * to_cents(fill.quantity * fill.price) for sign, fill in zip(signs, fills, strict=True))
    assert ledger.cash == Decimal("100000.00") - paid - sum(fill.commission for fill in fills)
    held = sum(sign * fill.quantity for sign, fill in zip(signs, fills, strict=True))
    assert ledger.holding(ledger.instrument("AAA")).quantity == held >= 0
    for day, volume in ((3, 1100), (4, 1200), (5, 1300)):
        traded = sum(fill.quantity for fill in fills if fill.session == date(2024, 1, day))
        assert traded <= share * volume
    orders = {order.perm_id: order for order in (*ledger.working_orders(), *ledger.ended_orders(at(2, 0)))}
    for order in orders.values():
        own = [fill for fill in fills if fill.perm_id == order.perm_id]
        assert order.filled == sum(fill.quantity for fill in own) <= order.quantity
        assert (order.status == "Filled") == (order.filled == order.quantity)
        assert (order.commission or 0) == sum(fill.commission for fill in own)
        assert order.tif == "GTC" or not order.status.is_working


@pytest.fixture
def rationed(tmp_path) -> Iterator[Process]:
    """A gateway of its own process on the same evening."""
    market = write_market(tmp_path / "market.parquet")
    running = client.start(tmp_path / "state", market, ACCOUNT, clock=at(2, 22), terms={"volume-share": "0.1"})
    yield Process(tmp_path / "state", market, running)
    client.stop(tmp_path / "state")


def test_the_real_client_follows_an_order_over_its_partial_fills(rationed, connect):
    ib = connect(rationed.running.port, 7)
    order = ib.placeOrder(stock(), market_order("BUY", 300, "parts", tif="GTC"))
    wait_for(ib, lambda: order.orderStatus.permId)
    client.advance(rationed.state, at(4, 22))
    wait_for(ib, lambda: len(order.fills) == 2 and all(fill.commissionReport.execId for fill in order.fills))
    assert (order.isActive(), order.filled(), order.remaining()) == (True, 230.0, 70.0)
    assert [fill.execution.cumQty for fill in order.fills] == [110.0, 230.0]
    assert [fill.commissionReport.commission for fill in order.fills] == [1.0, 1.0]

    client.advance(rationed.state, at(5, 22))

    wait_for(ib, lambda: order.isDone() and len(order.fills) == 3)
    assert (order.orderStatus.status, order.orderStatus.avgFillPrice) == ("Filled", 105.03333333)
    wait_for(ib, lambda: [held.position for held in ib.positions()] == [300.0])


def test_the_adapter_sees_a_partly_filled_order_as_working_with_the_fills_it_had(rationed, connect):
    ib = connect(rationed.running.port, 8)
    order = ib.placeOrder(stock(), market_order("BUY", 300, "parts", tif="GTC"))
    wait_for(ib, lambda: order.orderStatus.permId)
    client.advance(rationed.state, at(3, 22))
    with IBKRBroker(BrokerConfig("127.0.0.1", rationed.running.port, 7, ACCOUNT, timeout=10)) as broker:
        state = broker.state()
    assert [(working.order_ref, working.quantity, working.remaining) for working in state.working] == [
        ("parts", 300, 190)
    ]
    assert [(fill.order_ref, fill.quantity) for fill in state.fills] == [("parts", 110)]
    assert [(held.symbol, held.quantity) for held in state.positions] == [("AAA", 110)]
