from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hrp.domain.orders import OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.domain.positions import Acknowledgement, Instrument
from hrp.errors import BrokerError, DataError
from hrp.execution import translate
from hrp.execution.ibapi import UNSET_DOUBLE, ib

from .night import ACCOUNT, buy

NOON = datetime(2026, 1, 6, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, "0.1"), (101.10, "101.1"), (1e-7, "1E-7"), (123456.789012, "123456.789012"), (0.0, "0.0"), (-2.5, "-2.5")],
)
def test_a_number_is_what_its_shortest_text_says(value, expected):
    assert translate.number(value) == Decimal(expected)


def test_the_unset_double_is_none():
    assert translate.number(UNSET_DOUBLE) is None
    assert translate.number(1.7976931348623157e308) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_an_error(value):
    with pytest.raises(BrokerError, match="where a number belongs"):
        translate.number(value)


@pytest.mark.parametrize(("value", "text"), [(10.0, "10"), (10.5, "10.5"), (UNSET_DOUBLE, "0"), (0.0, "0")])
def test_shares_are_whole_where_they_are_whole(value, text):
    assert str(translate.shares(value)) == text


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("20260106 12:00:00 US/Eastern", "", NOON),
        ("20260106 12:00:00 America/New_York", "Europe/London", NOON),
        ("20260106 17:00:00 Greenwich Mean Time", "", NOON),
        ("20260106 17:00:00 UTC", "", NOON),
        ("20260106-17:00:00", "America/New_York", NOON),
        ("20260106  12:00:00", "America/New_York", NOON),
        ("20260106 18:00:00", "Europe/Berlin", NOON),
        ("20260706 12:00:00 EST", "", datetime(2026, 7, 6, 16, 0, tzinfo=UTC)),  # TWS says EST in summer too
        ("20260706 17:00:00 British Summer Time", "", datetime(2026, 7, 6, 16, 0, tzinfo=UTC)),
    ],
)
def test_an_execution_time_of_any_form_becomes_utc(text, zone, expected):
    assert translate.instant(text, zone) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20260106  12:00:00", "has no zone; set IBKR_TIME_ZONE"),
        ("20260106 12:00:00 Middle Earth Time", "names a zone that nobody knows"),
        ("2026-01-06 12:00", "is no execution time that is known"),
        ("", "is no execution time that is known"),
    ],
)
def test_an_execution_time_that_cannot_be_placed_is_an_error(text, message):
    with pytest.raises(BrokerError, match=message):
        translate.instant(text)


@pytest.mark.parametrize(("own", "broker"), [("AAPL", "AAPL"), ("BRK.B", "BRK B"), ("TRUE", "TRUE"), ("NAN", "NAN")])
def test_symbols_go_to_the_broker_and_back(own, broker):
    assert translate.broker_symbol(own) == broker
    assert translate.own_symbol(ib.Contract(secType="STK", symbol=broker, currency="USD")) == own


@pytest.mark.parametrize("symbol", [True, None, 7, float("nan"), ""])
def test_a_symbol_that_is_no_text_is_an_error(symbol):
    with pytest.raises(DataError, match="a symbol must be a text"):
        translate.broker_symbol(symbol)


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        (ib.Contract(secType="STK", symbol="SHOP", currency="CAD"), "SHOP:CAD"),
        (ib.Contract(secType="CASH", symbol="EUR", localSymbol="EUR.USD", currency="USD"), "EUR.USD:CASH"),
        (ib.Contract(secType="OPT", symbol="AAPL", localSymbol="AAPL  260116C00150000"), "AAPL  260116C00150000:OPT"),
    ],
)
def test_what_is_no_us_dollar_stock_cannot_pass_for_one(contract, expected):
    assert translate.own_symbol(contract) == expected


def details(con_id: int, symbol: str = "AAPL", currency: str = "USD") -> ib.ContractDetails:
    contract = ib.Contract(
        secType="STK", conId=con_id, symbol=symbol, exchange="SMART", primaryExchange="NASDAQ", currency=currency
    )
    return ib.ContractDetails(contract=contract)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([details(1)], Instrument(1, "AAPL", "NASDAQ")),
        ([details(1), details(1)], Instrument(1, "AAPL", "NASDAQ")),
        ([details(1), details(2, "AAPLX"), details(3, currency="MXN")], Instrument(1, "AAPL", "NASDAQ")),
        ([], None),
        ([details(1), details(2)], None),
        ([details(2, "AAPLX")], None),
    ],
)
def test_an_instrument_is_the_one_that_bears_the_symbol(found, expected):
    assert translate.instrument("AAPL", found) == expected


def test_an_instrument_becomes_a_fully_qualified_contract():
    contract = translate.contract_of(Instrument(42, "BRK.B", "NYSE"))

    assert (contract.conId, contract.symbol, contract.secType) == (42, "BRK B", "STK")
    assert (contract.exchange, contract.primaryExchange, contract.currency) == ("SMART", "NYSE", "USD")


def test_an_order_states_account_reference_and_time_in_force():
    limit = buy("AAPL", 10, order_type=OrderType.LIMIT, limit_price=Decimal("101.37"), tif=TimeInForce.DAY)

    sent = translate.order_to_send(limit, ACCOUNT, 9)

    assert (sent.action, sent.totalQuantity, sent.orderType, sent.lmtPrice) == ("BUY", 10, "LMT", 101.37)
    assert (sent.tif, sent.account, sent.orderRef, sent.orderId) == ("DAY", ACCOUNT, limit.order_ref, 9)
    assert translate.order_to_send(buy("AAPL", 1), ACCOUNT, 9).lmtPrice == UNSET_DOUBLE


def execution(exec_id: str = "a.b.01", price: float = 101.1, shares: float = 10.0) -> ib.Execution:
    return ib.Execution(
        execId=exec_id,
        time=NOON,
        acctNumber=ACCOUNT,
        side="BOT",
        shares=shares,
        price=price,
        permId=5,
        orderRef="hrp-x",
    )


STOCK = ib.Contract(secType="STK", conId=1, symbol="AAPL", currency="USD")


NO_COMMISSION: dict[str, Decimal] = {}


def made(
    exec_id: str = "a.b.01", price: float = 101.1, commissions: dict[str, Decimal] = NO_COMMISSION, **fields: object
):
    done = execution(exec_id, price)
    for name, value in fields.items():
        setattr(done, name, value)
    return translate.fill(ib.Fill(STOCK, done, ib.CommissionReport(), NOON), commissions)


@pytest.mark.parametrize("commission", [None, Decimal("1.05"), Decimal(0)])
def test_a_commission_is_none_until_its_report_has_arrived(commission):
    fill = made(commissions={"other": Decimal(9)} | ({"a.b.01": commission} if commission is not None else {}))

    assert fill.commission == commission
    assert (fill.price, fill.quantity, fill.side, fill.executed_at) == (Decimal("101.1"), 10, OrderSide.BUY, NOON)


@pytest.mark.parametrize("price", [0.0, UNSET_DOUBLE, -1.0])
def test_an_execution_without_a_price_is_an_error(price):
    with pytest.raises(BrokerError, match=r"execution a\.b\.01 of order hrp-x has the price"):
        made(price=price)


def test_the_highest_correction_of_an_execution_stands_for_it():
    fills = translate.latest([made("a.b.02", 102.0), made("a.b.01", 101.0), made("a.c.01", 7.0), made("a.b.10", 99.0)])

    assert [(fill.exec_id, fill.price) for fill in fills] == [("a.b.10", Decimal(99)), ("a.c.01", Decimal(7))]


def test_a_correction_without_a_commission_of_its_own_keeps_that_of_what_it_corrects():
    paid = {"a.b.01": Decimal("1.05")}
    [fill] = translate.latest([made("a.b.02", commissions=paid), made("a.b.01", commissions=paid)])
    [newly] = translate.latest([made("a.b.02", commissions=paid | {"a.b.02": Decimal(2)}), made(commissions=paid)])

    assert (fill.exec_id, fill.commission, newly.commission) == ("a.b.02", Decimal("1.05"), Decimal(2))


@pytest.mark.parametrize(
    ("other", "count"),
    [
        ({}, 1),  # one execution, told under two ids
        ({"cumQty": 20.0}, 2),  # the running total says that it is another one
        ({"price": 101.2}, 2),
        ({"permId": 6}, 2),
        ({"time": NOON + timedelta(seconds=1)}, 2),
    ],
)
def test_one_execution_under_two_ids_counts_once(other, count):
    told = [made("a.b.01", cumQty=10.0), made("z.z.01", **({"cumQty": 10.0} | other))]

    assert len(translate.latest(told)) == count
    assert translate.latest(told)[0].exec_id == "a.b.01"


def test_without_a_running_total_two_ids_are_two_executions():
    assert len(translate.latest([made("a.b.01"), made("z.z.01")])) == 2


def test_sides_in_all_the_brokers_words():
    assert {word: translate.side(word) for word in ("BUY", "BOT", "SELL", "SLD", "SSHORT")} == {
        "BUY": OrderSide.BUY,
        "BOT": OrderSide.BUY,
        "SELL": OrderSide.SELL,
        "SLD": OrderSide.SELL,
        "SSHORT": OrderSide.SELL,
    }
    with pytest.raises(BrokerError, match="calls a side 'HOLD'"):
        translate.side("HOLD")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Filled", OrderStatus.FILLED),
        ("Cancelled", OrderStatus.CANCELLED),
        ("ApiCancelled", OrderStatus.CANCELLED),
        ("Inactive", OrderStatus.REJECTED),
        ("Vanished", OrderStatus.UNKNOWN),
    ],
)
def test_how_a_completed_order_ended(status, expected):
    trade = ib.Trade(STOCK, ib.Order(action="BUY", permId=5, orderRef="hrp-x"), ib.OrderStatus(status=status))

    ended = translate.completed(trade)

    assert (ended.status, ended.filled, ended.perm_id) == (expected, Decimal(0), 5)


@pytest.mark.parametrize(
    ("word", "filled", "executed", "remaining", "standing"),
    [
        ("PreSubmitted", 0.0, 0, 10, OrderStatus.ACKED),
        ("PendingCancel", 0.0, 0, 10, OrderStatus.ACKED),
        ("Submitted", 4.0, 0, 6, OrderStatus.WORKING),
        ("Submitted", 0.0, 3, 7, OrderStatus.WORKING),  # the status was skipped, the execution was not
        ("Submitted", 0.0, 10, None, None),
        ("Filled", 10.0, 0, None, None),
        ("Cancelled", 0.0, 0, None, None),
        ("Inactive", 0.0, 0, 10, OrderStatus.UNKNOWN),  # it may yet become active, so it counts
    ],
)
def test_what_remains_of_an_open_order_is_counted_from_its_size(word, filled, executed, remaining, standing):
    order = ib.Order(action="SELL", totalQuantity=10.0, permId=5, orderRef="hrp-x", orderId=3, clientId=7)
    trade = ib.Trade(STOCK, order, ib.OrderStatus(status=word, filled=filled))

    working = translate.working(trade, [made(shares=executed)] if executed else [])

    assert (working and (working.remaining, working.status)) == (remaining and (remaining, standing))
    assert working is None or working.quantity == 10


MONEY = [
    ("NetLiquidation", "1500.25", "USD"),
    ("TotalCashValue", "500.25", "USD"),
    ("TotalCashValue", "410.00", "BASE"),
    ("NetLiquidation", "1.00", "EUR"),
]


def rows(*lines: tuple[str, str, str], account: str = ACCOUNT) -> list[ib.AccountValue]:
    return [ib.AccountValue(account, tag, value, currency, "") for tag, value, currency in lines]


def test_money_is_chosen_by_currency_and_account():
    money = translate.account(ACCOUNT, [*rows(*MONEY), *rows(("NetLiquidation", "9", "USD"), account="DU9")])

    assert (money.net_liquidation, money.cash, money.currency) == (Decimal("1500.25"), Decimal("500.25"), "USD")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "states NetLiquidation in no currency at all, not in USD"),
        ([("NetLiquidation", "1", "GBP"), ("TotalCashValue", "1", "GBP")], "states NetLiquidation in GBP, not in USD"),
        ([("NetLiquidation", "1", "USD")], "states TotalCashValue in no currency at all"),
        ([("NetLiquidation", "", "USD"), ("TotalCashValue", "1", "USD")], "states NetLiquidation as '', which is no"),
        ([("NetLiquidation", "NaN", "USD"), ("TotalCashValue", "1", "USD")], "as NaN, which is no amount"),
    ],
)
def test_money_that_is_missing_is_an_error(lines, message):
    with pytest.raises(BrokerError, match=message):
        translate.account(ACCOUNT, rows(*lines))


SENT = ("PendingSubmit", 0)
FAKED = ("Cancelled", 10349)
REJECTION = {201: "201 Exchange is closed"}


@pytest.mark.parametrize(
    ("log", "perm_id", "errors", "expected"),
    [
        ([SENT], 0, {}, None),
        ([SENT], 5, {}, OrderStatus.ACKED),
        ([SENT, ("PreSubmitted", 0)], 5, {}, OrderStatus.ACKED),
        ([SENT, ("Filled", 0)], 5, {}, OrderStatus.WORKING),  # only executions fill an order
        ([SENT, FAKED], 0, {10349: "10349 TIF set"}, None),
        ([SENT, FAKED, ("Submitted", 0)], 5, {10349: "10349 TIF set"}, OrderStatus.WORKING),
        ([SENT, ("Submitted", 0), FAKED], 5, {10349: "10349 TIF set"}, OrderStatus.WORKING),
        ([SENT, ("Cancelled", 201)], 0, REJECTION, None),  # the status has not confirmed it
        ([SENT, ("Cancelled", 201)], 5, REJECTION, None),
        ([SENT, ("Cancelled", 201), ("Inactive", 0)], 5, REJECTION, OrderStatus.REJECTED),
        ([SENT, ("Cancelled", 201), ("Cancelled", 0)], 5, REJECTION, OrderStatus.REJECTED),
        ([SENT, ("Cancelled", 0)], 5, {}, OrderStatus.CANCELLED),
        ([SENT, ("Inactive", 0)], 5, {}, None),
        ([SENT, ("Cancelled", 200)], 0, {200: "200 No security definition"}, OrderStatus.REJECTED),
        ([SENT], 0, {110: "110 price variation"}, OrderStatus.REJECTED),
        ([SENT, ("Submitted", 0), ("Cancelled", 321)], 5, {321: "321 validation"}, None),  # it had become an order
        ([SENT, ("Cancelled", 103)], 0, {103: "103 Duplicate order id"}, OrderStatus.UNKNOWN),
        ([SENT, ("PreSubmitted", 0)], 5, {399: "399 held until the open"}, OrderStatus.ACKED),
    ],
)
def test_what_the_broker_has_said_of_an_order(log, perm_id, errors, expected):
    trade = logged(log, perm_id)

    word = translate.answer(trade, errors)

    assert (word and word.status) == expected


def logged(log: list[tuple[str, int]], perm_id: int) -> ib.Trade:
    entries = [ib.TradeLogEntry(NOON, status, "", code) for status, code in log]
    state = ib.OrderStatus(status=log[-1][0] if log else "Submitted", permId=perm_id)
    return ib.Trade(STOCK, ib.Order(permId=perm_id), state, [], entries)


@pytest.mark.parametrize(
    ("log", "errors", "expected"),
    [
        ([], {}, None),
        ([("Cancelled", 0)], {}, Acknowledgement(OrderStatus.CANCELLED, 5, "Cancelled")),
        ([("Filled", 0)], {}, Acknowledgement(OrderStatus.FILLED, 5, "filled before it could be cancelled")),
        ([("Cancelled", 161)], {161: "161 x"}, Acknowledgement(OrderStatus.UNKNOWN, 5, "161 x")),
        ([("Cancelled", 10147)], {10147: "10147 y"}, Acknowledgement(OrderStatus.UNKNOWN, 5, "10147 y")),
    ],
)
def test_what_the_broker_has_said_of_a_cancellation(log, errors, expected):
    assert translate.cancel_answer(logged(log, 5), errors) == expected
