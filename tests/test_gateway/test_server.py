"""A gateway process, real sockets, and the real client library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hrp.gateway import client

from .support import ACCOUNT, RawClient, at, order_fields


def stock(symbol: str = "AAA"):
    from ib_insync import Stock

    return Stock(symbol, "SMART", "USD")


def market_order(action: str, quantity: int, ref: str, **changes):
    from ib_insync import MarketOrder

    terms = {"tif": "OPG", "account": ACCOUNT, "orderRef": ref, **changes}
    return MarketOrder(action, quantity, **terms)


def wait_for(ib, condition) -> None:
    """Let the client read until `condition` holds, for a bounded number of turns."""
    for _ in range(500):
        if condition():
            return
        ib.sleep(0.01)
    pytest.fail("the client did not hear what it was to hear")


def test_a_night_and_a_morning_with_the_real_client(process, connect):
    ib = connect(process.running.port, 7)
    assert ib.client.serverVersion() == 176
    assert ib.managedAccounts() == [ACCOUNT]
    assert ib.reqCurrentTime() == at(2, 22)
    contract = stock()
    assert ib.qualifyContracts(contract) == [contract]
    assert contract.primaryExchange == "NYSE"

    placed = ib.placeOrder(contract, market_order("BUY", 10, "night-1"))
    wait_for(ib, lambda: placed.orderStatus.status == "PreSubmitted")
    assert placed.order.permId > 0

    done = client.advance(process.state, at(3, 22))
    assert (done.opens, done.closes, done.fills, done.ended) == (1, 1, 1, 0)
    wait_for(ib, lambda: placed.isDone() and placed.fills and placed.fills[0].commissionReport.commission)
    [fill] = placed.fills
    assert (fill.execution.price, fill.execution.shares, fill.execution.orderRef) == (103.0, 10.0, "night-1")
    assert fill.execution.time == datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
    assert fill.commissionReport.commission == 1.0
    wait_for(ib, lambda: [item.marketPrice for item in ib.portfolio()] == [105.0])
    assert [(p.contract.symbol, p.position, p.avgCost) for p in ib.positions()] == [("AAA", 10.0, 103.1)]
    values = {row.tag: row.value for row in ib.accountSummary() if row.currency == "USD"}
    assert (values["TotalCashValue"], values["NetLiquidation"]) == ("998969.00", "1000019.00")
    [_, bar] = ib.reqHistoricalData(contract, "", "2 D", "1 day", "TRADES", True)
    assert (bar.date.isoformat(), bar.open, bar.volume) == ("2024-01-03", 103.0, 1100.0)


def test_a_new_client_of_the_same_id_finds_what_happened(process, connect):
    first = connect(process.running.port, 11)
    waiting = first.placeOrder(stock(), market_order("BUY", 1, "again-1"))
    wait_for(first, lambda: waiting.orderStatus.permId)
    first.disconnect()

    second = connect(process.running.port, 11)

    [found] = second.openTrades()
    assert (found.order.orderRef, found.order.permId) == ("again-1", waiting.order.permId)
    second.cancelOrder(found.order)
    wait_for(second, lambda: found.orderStatus.status == "Cancelled")
    [completed] = [t for t in second.reqCompletedOrders(False) if t.order.orderRef == "again-1"]
    assert (completed.orderStatus.status, completed.order.orderId) == ("Cancelled", 0)


def test_an_error_reaches_the_client_as_an_event(process, connect):
    ib = connect(process.running.port, 12)
    heard = []
    ib.errorEvent += lambda req_id, code, text, contract: heard.append(code)
    ib.placeOrder(stock(), market_order("SELL", 1_000_000, "short-1"))
    wait_for(ib, lambda: 201 in heard)
    assert ib.qualifyContracts(stock("ZZZ")) == []
    assert 200 in heard


def test_a_client_id_in_use_is_refused_before_it_is_ready(process, connect):
    connect(process.running.port, 13)
    with RawClient(process.running.port) as second:
        second.greet(client_id=13)
        assert second.read()[:4] == ["4", "2", "-1", "326"]
        assert second.read() == []


def test_the_log_counts_orders_by_client_and_reference_while_the_gateway_runs(process, connect):
    ib = connect(process.running.port, 14)
    for ref in ("log-1", "log-2"):
        placed = ib.placeOrder(stock(), market_order("BUY", 1, ref))
        wait_for(ib, lambda placed=placed: placed.orderStatus.permId)
    received = client.message_log(process.state, direction="in", message_id=3, client_id=14)
    assert [(message.client_id, message.order_ref, len(message.fields)) for message in received] == [
        (14, "log-1", 115),
        (14, "log-2", 115),
    ]
    told = client.message_log(process.state, direction="out", client_id=14, after=received[-1].sequence)
    assert [message.message_id for message in told] == [5, 3]
    assert told[0].at == client.status(process.state).clock


def test_a_handshake_without_a_common_version_is_hung_up(process):
    with RawClient(process.running.port) as old:
        old.socket.sendall(b"API\0\0\0\0\x09v100..150")
        assert old.read() == []


def test_bytes_of_another_protocol_are_hung_up(process):
    with RawClient(process.running.port) as browser:
        browser.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert browser.read() == []


def test_frames_may_arrive_in_pieces_and_together(process):
    with RawClient(process.running.port) as raw:
        assert raw.greet(client_id=15)[0] == "176"
        raw.read_until("9")
        once = raw.framed("49", "1")
        for byte in once:
            raw.socket.sendall(bytes([byte]))
        raw.socket.sendall(once * 2)
        assert [raw.read_until("49")[-1][0] for _ in range(3)] == ["49", "49", "49"]


def test_field_counts_on_the_wire(process):
    with RawClient(process.running.port) as raw:
        raw.greet(client_id=16)
        raw.read_until("9")
        raw.send(*order_fields(1, "BUY", 1, tif="DAY", limit="1"))
        opened, status, warning = raw.read_until("5")[-1], raw.read(), raw.read()
        assert (len(opened), len(status), len(warning)) == (136, 12, 6)
        assert (opened[94], status[2], warning[3]) == ("PreSubmitted", "PreSubmitted", "399")
        raw.send("4", "1", "1", "")
        assert [raw.read()[2], raw.read()[3]] == ["Cancelled", "202"]
        raw.send("99", "0")
        assert len(raw.read_until("102")[0]) == 101


def test_a_control_line_that_is_no_command_ends_the_connection(process):
    import socket

    with socket.create_connection(("127.0.0.1", process.running.control_port), timeout=10) as channel:
        channel.sendall(b'POST / HTTP/1.1\n{"command": "stop"}\n')
        assert channel.recv(100) == b""
    assert client.status(process.state).running == process.running
