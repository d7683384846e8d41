from __future__ import annotations

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hrp.domain.orders import OrderSide, OrderStatus
from hrp.domain.positions import Instrument, WorkingOrder
from hrp.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, WrongAccountError
from hrp.execution.broker import BrokerConfig, IBKRBroker

from . import peer
from .night import ACCOUNT, AFTER_OPEN, buy
from .peer import Peer, error, execution, executions, hangup, silent, status, values

BRIEFLY = 0.5  # for answers that never come

AAPL = Instrument(265598, "AAPL", "NASDAQ")


def broker(server: Peer, timeout: float = 10, **changes: object) -> IBKRBroker:
    return IBKRBroker(BrokerConfig("127.0.0.1", server.port, 7, ACCOUNT, timeout=timeout, **changes))  # type: ignore[arg-type]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_nobody_listening_names_the_address_and_the_next_command():
    port = free_port()
    lost = IBKRBroker(BrokerConfig("127.0.0.1", port, 7, ACCOUNT))

    with pytest.raises(
        BrokerConnectionError,
        match=rf"no broker at 127\.0\.0\.1:{port} \(connection refused\); run: hrp gateway start, or",
    ):
        lost.connect()
    assert not lost.is_connected()


def test_a_server_that_is_silent_is_given_up_at_the_deadline():
    with (
        Peer(m71=silent) as server,
        pytest.raises(BrokerConnectionError, match=r"did not finish signing on within 0\.5 s; .*docs/ibkr-setup\.md"),
    ):
        broker(server, BRIEFLY).connect()


def test_a_server_that_hangs_up_is_given_up_at_once():
    with Peer(m71=hangup) as server, pytest.raises(BrokerConnectionError, match="closed the connection at once"):
        broker(server).connect()


def test_a_client_id_in_use_is_named_and_not_waited_for(quiet_gateway):
    with (
        quiet_gateway.broker(client_id=7),
        pytest.raises(BrokerConnectionError, match=r"client id 7 is already in use at 127\.0\.0\.1:.* keep the id"),
    ):
        quiet_gateway.broker(client_id=7).connect()


def test_the_wrong_account_is_refused_and_nothing_was_asked():
    with Peer(m71=peer.accounts("DU7654321")) as server:
        refused = broker(server)
        with pytest.raises(WrongAccountError, match="serves DU7654321, not account DU1234567"):
            refused.connect()
        assert [fields[0] for fields in server.heard] == [peer.START]
        assert not refused.is_connected()


def test_a_live_port_is_refused_before_the_socket_is_opened():
    with pytest.raises(WrongAccountError, match="port 7496 is the live port of TWS"):
        IBKRBroker(BrokerConfig("127.0.0.1", 7496, 7, ACCOUNT)).connect()


def test_nothing_can_be_asked_or_sent_before_the_account_is_proven():
    unproven = IBKRBroker(BrokerConfig("127.0.0.1", 7497, 7, ACCOUNT))
    for attempt in (
        unproven.state,
        unproven.server_time,
        unproven.next_order_id,
        lambda: unproven.place(buy("AAPL", 1), AAPL, 1),
    ):
        with pytest.raises(BrokerConnectionError, match=r"not connected to 127\.0\.0\.1:7497; call connect"):
            attempt()


def test_the_clock_is_the_servers():
    with Peer() as server, broker(server) as connected:
        assert connected.server_time() == datetime(2026, 1, 5, 22, 0, tzinfo=UTC)


def test_a_quiet_account_is_empty_because_every_list_said_so():
    with Peer() as server, broker(server) as connected:
        state = connected.state()

    assert (state.positions, state.working, state.completed, state.fills) == ((), (), (), ())
    assert state.account.cash == state.account.net_liquidation == Decimal("1000.50")


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (peer.OPEN_ORDERS, "open orders"),
        (peer.COMPLETED, "completed orders"),
        (peer.EXECUTIONS, "executions"),
        (peer.POSITIONS, "positions"),
        (peer.VALUES, "account values"),
        (peer.TIME, "time"),
    ],
)
def test_a_list_without_an_end_is_unknown_not_empty_and_drops_the_connection(number, what):
    with Peer(**{f"m{number}": silent}) as server, broker(server, BRIEFLY) as connected:
        with pytest.raises(BrokerTimeoutError, match=rf"did not finish stating its {what} within 0\.5 s"):
            connected.state()
        assert not connected.is_connected()


def test_the_servers_own_words_explain_a_missing_list():
    def read_only(_fields):
        return [error(-1, 321, "The API interface is currently in Read-Only mode.")]

    with (
        Peer(m16=read_only) as server,
        broker(server, BRIEFLY) as connected,
        pytest.raises(BrokerTimeoutError, match=r"open orders .*\(it said: 321 The API interface is currently in Read"),
    ):
        connected.state()


def test_executions_answered_by_an_error_are_not_no_executions():
    with (
        Peer(m7=lambda f: [error(f[2], 321, "Error validating request")]) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="refused to state its executions: 321 Error validating request"),
    ):
        connected.state()


def test_a_socket_lost_in_the_middle_is_an_error():
    with Peer(m61=hangup) as server, broker(server) as connected:
        with pytest.raises(BrokerConnectionError, match="was lost while it stated its positions"):
            connected.state()
        assert not connected.is_connected()


@pytest.mark.parametrize("code", [1100, 1101, 1102, 2110])
def test_a_server_cut_off_from_the_broker_spoils_the_whole_state(code):
    def cut(_fields):
        return [error(-1, code, "Connectivity between IBKR and TWS"), (62, 1)]

    with Peer(m61=cut) as server, broker(server) as connected:
        with pytest.raises(BrokerConnectionError, match=f"lost its server \\({code} Connectivity"):
            connected.state()
        assert not connected.is_connected()


def test_farm_notices_spoil_nothing():
    def chatty(_fields):
        return [error(-1, 2104, "Market data farm connection is OK"), (62, 1)]

    with Peer(m61=chatty) as server, broker(server) as connected:
        connected.state()


def test_an_account_in_another_currency_is_refused():
    pounds = values(("NetLiquidation", "1000", "GBP"), ("TotalCashValue", "1000", "GBP"))
    with (
        Peer(m76=pounds) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="states NetLiquidation in GBP, not in USD"),
    ):
        connected.state()


def test_no_positions_and_a_worth_beyond_the_cash_cannot_be_complete():
    invested = values(("NetLiquidation", "1000", "USD"), ("TotalCashValue", "200", "USD"))
    with (
        Peer(m76=invested) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="worth 1000 with 200 in cash, and the broker lists no position"),
    ):
        connected.state()


def position(con_id: int, symbol: str, quantity: str, account: str = ACCOUNT) -> peer.Message:
    return (61, 3, account, con_id, symbol, "STK", "", "0.0", "", "", "", "USD", symbol, symbol, quantity, "99.5")


def test_positions_of_this_account_alone_and_only_those_held():
    held = [position(1, "BRK B", "3"), position(2, "AAPL", "0"), position(3, "TSLA", "8", "DU9")]
    with Peer(m61=lambda _: [*held, (62, 1)]) as server, broker(server) as connected:
        [one] = connected.state().positions

    assert (one.symbol, one.con_id, one.quantity, one.entry_price) == ("BRK.B", 1, Decimal(3), Decimal("99.5"))


def test_one_symbol_held_as_two_instruments_is_for_a_person():
    with (
        Peer(m61=lambda _: [position(1, "AAPL", "3"), position(2, "AAPL", "4"), (62, 1)]) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="AAPL is held as two instruments, 1 and 2"),
    ):
        connected.state()


def test_an_execution_with_a_zone_that_ib_insync_cannot_read_is_kept():
    greenwich = executions(execution("a.b.01", "20260106 14:30:00 Greenwich Mean Time"))
    with Peer(m7=greenwich) as server, broker(server) as connected:
        [fill] = connected.state().fills

    assert fill.executed_at == datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
    assert fill.commission is None


def test_an_execution_without_a_zone_takes_the_configured_one():
    bare = executions(execution("a.b.01", "20260106  09:30:00"))
    with Peer(m7=bare) as server, broker(server, time_zone="America/New_York") as connected:
        [fill] = connected.state().fills

    assert fill.executed_at == datetime(2026, 1, 6, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("written", ["20260106  09:30:00", "20260106 09:30:00 Middle Earth Time"])
def test_an_execution_that_cannot_be_placed_in_time_is_never_lost_silently(written):
    with (
        Peer(m7=executions(execution("a.b.01", written))) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match=r"a message of 127\.0\.0\.1:.* could not be read: execution time '20260106"),
    ):
        connected.state()


def test_any_message_that_cannot_be_read_spoils_the_state():
    garbled = [(61, 3, ACCOUNT, "one", "AAPL", "STK", "", "0.0", "", "", "", "USD", "AAPL", "AAPL", "many", "99.5")]
    with (
        Peer(m61=lambda _: [*garbled, (62, 1)]) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match=r"could not be read: invalid literal .*'one'"),
    ):
        connected.state()


def test_corrections_replace_and_commissions_join():
    lines = executions(
        execution("a.b.01", "20260106 09:30:00 US/Eastern", price="101.1"),
        execution("a.b.02", "20260106 09:30:00 US/Eastern", price="101.3"),
        execution("a.b.02", "20260106 09:30:00 US/Eastern", price="101.3"),
        peer.commission("a.b.02", "1.05"),
    )
    with Peer(m7=lines) as server, broker(server) as connected:
        [first] = connected.state().fills
        [again] = connected.state().fills

    assert (first.exec_id, first.price, first.commission) == ("a.b.02", Decimal("101.3"), Decimal("1.05"))
    assert again == first


@pytest.mark.parametrize(
    ("replies", "expected", "words"),
    [
        (lambda i: [], OrderStatus.UNKNOWN, "no word within 0.5 s"),
        (lambda i: [status(i, "PreSubmitted")], OrderStatus.ACKED, "PreSubmitted"),
        (lambda i: [error(i, 201, "margin")], OrderStatus.UNKNOWN, "no word within 0.5 s; 201 margin"),
        (lambda i: [error(i, 201, "margin"), status(i, "Inactive")], OrderStatus.REJECTED, "201 margin"),
        (lambda i: [status(i, "Submitted"), error(i, 201, "late")], OrderStatus.UNKNOWN, "201 late"),
        (lambda i: [error(i, 200, "no definition")], OrderStatus.REJECTED, "200 no definition"),
        (lambda i: [error(i, 110, "minimum variation")], OrderStatus.REJECTED, "110 minimum variation"),
        (lambda i: [error(i, 10349, "TIF"), status(i, "Submitted")], OrderStatus.WORKING, "Submitted"),
        (lambda i: [error(i, 10349, "TIF")], OrderStatus.UNKNOWN, "10349 TIF"),
        (lambda i: [error(i, 103, "Duplicate order id")], OrderStatus.UNKNOWN, "103 Duplicate order id"),
        (lambda i: [status(i, "Inactive")], OrderStatus.UNKNOWN, "no word within 0.5 s"),
        (hangup, OrderStatus.UNKNOWN, "the connection was lost"),
    ],
)
def test_the_word_on_an_order_is_the_brokers_own(replies, expected, words):
    patience = BRIEFLY if expected is OrderStatus.UNKNOWN else 10
    with Peer(m3=lambda fields: replies(fields[1])) as server, broker(server, patience) as connected:
        word = connected.place(buy("AAPL", 10), AAPL, connected.next_order_id())

    assert word.status is expected
    assert words in word.message


def test_after_a_cut_no_order_leaves():
    with Peer(m49=lambda _: [error(-1, 1100, "lost"), (49, 1, peer.EPOCH)]) as server, broker(server) as connected:
        connected.server_time()
        with pytest.raises(BrokerConnectionError, match="1100 lost"):
            connected.place(buy("AAPL", 10), AAPL, 5)
        assert peer.PLACE not in {fields[0] for fields in server.heard}


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (buy("AAPL", 1, account="DU9"), "is for account DU9, this connection trades DU1234567"),
        (buy("MSFT", 1), "is for MSFT, the instrument is AAPL"),
    ],
)
def test_an_order_for_another_account_or_instrument_is_not_sent(order, message):
    with Peer() as server, broker(server) as connected:
        with pytest.raises(BrokerError, match=message):
            connected.place(order, AAPL, 5)
        assert peer.PLACE not in {fields[0] for fields in server.heard}


def test_an_order_id_in_use_never_changes_another_order():
    with Peer(m3=lambda f: [status(f[1], "Submitted")]) as server, broker(server) as connected:
        connected.place(buy("AAPL", 10), AAPL, 5)
        with pytest.raises(BrokerError, match="order id 5 is in use"):
            connected.place(buy("AAPL", 99), AAPL, 5)


def test_an_order_id_seen_in_an_execution_is_not_drawn_again():
    seen = executions(execution("a.b.01", "20260106 09:30:00 US/Eastern"))  # by this client, order id 5
    with Peer(m7=seen) as server, broker(server) as connected:
        connected.state()
        assert connected.next_order_id() > 5


def test_another_clients_order_is_not_cancelled_from_here():
    other = WorkingOrder("", 5, 3, 8, "AAPL", 1, OrderSide.BUY, Decimal(10))
    with (
        Peer() as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="belongs to client 8, this is client 7"),
    ):
        connected.cancel(other)


def test_everything_sent_has_left_before_the_connection_closes():
    with Peer() as server:
        with broker(server) as connected:
            for _ in range(60):  # ib_insync sends 45 a second and keeps the rest
                connected._link.ib.client.reqCurrentTime()
        assert wait_for(lambda: sum(fields[0] == peer.TIME for fields in server.heard) == 60)


def wait_for(condition) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_it_works_in_a_thread_without_an_event_loop(quiet_gateway):
    found = []

    def read():
        with quiet_gateway.broker() as connected:
            found.append(connected.state().account.cash)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()

    assert found == [Decimal("1000000.00")]


def test_two_connections_side_by_side_do_not_mix(quiet_gateway):
    with quiet_gateway.broker(7) as one, quiet_gateway.broker(8) as other:
        assert one.state() == other.state()
        assert one.server_time() == other.server_time()
    assert not one.is_connected()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_instruments_are_found_and_unknown_symbols_left_out(quiet_gateway):
    with quiet_gateway.broker() as connected:
        known = connected.qualify(["AAPL", "BRK.B", "TRUE", "NOSUCH", "AAPL"])

    assert list(known) == ["AAPL", "BRK.B", "TRUE"]
    assert known["BRK.B"].symbol == "BRK.B"
    assert len({instrument.con_id for instrument in known.values()}) == 3


def test_an_error_about_an_instrument_is_not_an_unknown_instrument():
    with (
        Peer(m9=lambda f: [error(f[2], 162, "pacing violation")]) as server,
        broker(server) as connected,
        pytest.raises(BrokerError, match="refused to state its instruments: 162 pacing violation"),
    ):
        connected.qualify(["AAPL"])


def test_a_lost_connection_can_be_opened_afresh():
    with Peer(m49=hangup) as server:
        connected = broker(server)
        connected.connect()
        with pytest.raises(BrokerConnectionError, match="lost while it stated its time"):
            connected.server_time()
        server.answers[peer.TIME] = peer.NORMAL[peer.TIME]
        connected.connect()
        connected.connect()
        assert connected.server_time() == datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
        connected.disconnect()


def test_an_order_works_and_is_cancelled(gateway):
    order = buy("AAPL", 10)
    with gateway.broker() as connected:
        instrument = connected.qualify(["AAPL"])["AAPL"]
        placed = connected.place(order, instrument, connected.next_order_id())
    with gateway.broker() as connected:
        [working] = connected.state().working
        word = connected.cancel(working)
        again = connected.cancel(working)
        after = connected.state()

    assert placed.status is OrderStatus.ACKED
    assert (working.order_ref, working.remaining, working.perm_id) == (order.order_ref, Decimal(10), placed.perm_id)
    assert word.status is OrderStatus.CANCELLED
    assert (again.status, again.message) == (OrderStatus.UNKNOWN, "no longer among the open orders")
    assert after.working == ()
    assert [(ended.order_ref, ended.status) for ended in after.completed] == [(order.order_ref, OrderStatus.CANCELLED)]


def test_a_fill_is_seen_with_its_price_commission_and_time(gateway):
    with gateway.broker() as connected:
        instruments = connected.qualify(["AAPL", "BRK.B"])
        for symbol, quantity in (("AAPL", 10), ("BRK.B", 5)):
            connected.place(buy(symbol, quantity), instruments[symbol], connected.next_order_id())
    gateway.advance(AFTER_OPEN)
    with gateway.broker() as connected:
        state = connected.state()

    fills = {fill.symbol: fill for fill in state.fills}
    assert (fills["AAPL"].price, fills["BRK.B"].price) == (Decimal(101), Decimal(401))
    assert fills["AAPL"].commission == Decimal(1)  # ten shares at half a cent are below the minimum of a dollar
    assert fills["AAPL"].executed_at == datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
    assert state.held() == {"AAPL": Decimal(10), "BRK.B": Decimal(5)}
    assert state.account.cash == Decimal(1_000_000) - 10 * 101 - 5 * 401 - 2
