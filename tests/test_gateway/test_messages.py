"""Every request as the real client library writes it is read to its last field."""

from __future__ import annotations

from typing import Any

import pytest

from hrp.gateway import requests
from hrp.gateway.errors import ProtocolError
from hrp.gateway.messages import parse
from hrp.gateway.placeorder import PlaceOrder

from .support import order_fields


class Recorder:
    """The message writer of ib_insync at one server version, without a socket."""

    def __init__(self, version: int = 176) -> None:
        from ib_insync.client import Client
        from ib_insync.wrapper import Wrapper

        self.client = Client(Wrapper(None))
        self.client._serverVersion = version
        self.client.connState = Client.CONNECTED
        self.client.clientId = 5
        self.sent: list[tuple[str, ...]] = []
        self.client.sendMsg = lambda text: self.sent.append(tuple(text.split("\0")[:-1]))

    def __call__(self, method: str, *arguments: Any) -> tuple[str, ...]:
        getattr(self.client, method)(*arguments)
        return self.sent.pop()


@pytest.fixture
def written(loop):
    return Recorder()


def stock(**changes: Any) -> Any:
    from ib_insync import Contract

    return Contract(**{"secType": "STK", "symbol": "AAA", "exchange": "SMART", "currency": "USD", **changes})


def limit_order(**changes: Any) -> Any:
    from ib_insync import Order

    terms = {"action": "BUY", "totalQuantity": 10, "orderType": "LMT", "lmtPrice": 99.5, "tif": "OPG"}
    return Order(**{**terms, "account": "DU1234567", "orderRef": "book-1", **changes})


def test_an_order_of_the_real_client_is_read_whole(written):
    fields = written("placeOrder", 42, stock(conId=77), limit_order())

    request = parse(fields, 176)

    assert len(fields) == 115
    assert isinstance(request, PlaceOrder)
    assert request.order_id == 42
    expected = {
        "con_id": "77", "symbol": "AAA", "action": "BUY", "total_quantity": "10", "order_type": "LMT",
        "lmt_price": "99.5", "aux_price": "", "tif": "OPG", "account": "DU1234567", "order_ref": "book-1",
        "transmit": "1", "exempt_code": "-1", "what_if": "0", "condition_count": "0", "manual_order_time": "",
    }  # fmt: skip
    assert {name: request.sent[name] for name in expected} == expected


def conditional(kind: str) -> Any:
    import ib_insync

    return limit_order(conditions=[getattr(ib_insync, f"{kind}Condition")()])


CONDITIONS = ["Price", "Time", "Margin", "Execution", "Volume", "PercentChange"]


@pytest.mark.parametrize("kind", CONDITIONS)
def test_an_order_with_a_condition_is_read_whole(written, kind):
    request = parse(written("placeOrder", 1, stock(), conditional(kind)), 176)

    assert request.sent["condition_count"] == "1"
    assert request.sent["conditions_cancel_order"] == "0"


UNUSUAL = {
    "scale": {"scalePriceIncrement": 0.5, "scaleInitLevelSize": 5},
    "hedge": {"hedgeType": "B", "hedgeParam": "1"},
    "delta neutral": {"deltaNeutralOrderType": "MKT"},
    "peg bench": {"orderType": "PEG BENCH"},
    "peg mid": {"orderType": "PEG MID"},
    "peg best": {"orderType": "PEG BEST", "competeAgainstBestOffset": float("inf")},
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_order_is_read_whole(written, name):
    assert parse(written("placeOrder", 1, stock(), limit_order(**UNUSUAL[name])), 176).sent["order_ref"] == "book-1"


def test_an_algorithm_is_read_whole(written):
    from ib_insync import TagValue

    order = limit_order(algoStrategy="Vwap", algoParams=[TagValue("a", "1"), TagValue("b", "2")])
    assert parse(written("placeOrder", 1, stock(), order), 176).sent["algo_param_count"] == "2"


def test_a_combination_is_read_whole(written):
    from ib_insync import ComboLeg, OrderComboLeg

    legs = [ComboLeg(conId=1, ratio=1, action="BUY"), ComboLeg(conId=2, ratio=1, action="SELL")]
    order = limit_order(orderComboLegs=[OrderComboLeg(1.0), OrderComboLeg(2.0)])
    request = parse(written("placeOrder", 1, stock(secType="BAG", comboLegs=legs), order), 176)
    assert (request.sent["leg_count"], request.sent["leg_price_count"]) == ("2", "2")
    assert isinstance(parse(written("reqMktData", 3, stock(secType="BAG", comboLegs=legs), "", True, False, []), 176),
                      requests.MarketData)  # fmt: skip


@pytest.mark.parametrize("change", [lambda fields: [*fields, "0"], lambda fields: fields[:-1]])
def test_an_order_with_a_field_too_many_or_too_few_is_refused(change):
    with pytest.raises(ProtocolError, match="message 3"):
        parse(tuple(change(order_fields(1, "BUY", 1))), 176)


def asks(*, contract: Any = None) -> list[tuple[str, tuple[Any, ...], object]]:
    """Method of the client, its arguments, and the request it means."""
    query = requests.ContractQuery(0, "AAA", "STK", "SMART", "USD")
    return [
        ("startApi", (), requests.StartApi(5)),
        ("reqCurrentTime", (), requests.Plain("current_time")),
        ("reqPositions", (), requests.Positions()),
        ("cancelPositions", (), requests.Cancel(requests.Positions, 0)),
        ("reqAccountUpdates", (True, "DU1"), requests.AccountUpdates(True, "DU1")),
        ("reqAccountUpdatesMulti", (4, "DU1", "", False), requests.AccountUpdatesMulti(4, "DU1")),
        ("cancelAccountUpdatesMulti", (4,), requests.Cancel(requests.AccountUpdatesMulti, 4)),
        ("reqAccountSummary", (4, "All", "A,$LEDGER:ALL"), requests.AccountSummary(4, ("A", "$LEDGER:ALL"))),
        ("cancelAccountSummary", (4,), requests.Cancel(requests.AccountSummary, 4)),
        ("reqOpenOrders", (), requests.Plain("open_orders")),
        ("reqAllOpenOrders", (), requests.Plain("all_open_orders")),
        ("reqAutoOpenOrders", (True,), requests.Plain("auto_open_orders")),
        ("reqCompletedOrders", (False,), requests.Plain("completed_orders")),
        ("cancelOrder", (9,), requests.CancelOrder(9)),
        ("reqGlobalCancel", (), requests.Plain("global_cancel")),
        ("reqIds", (1,), requests.Plain("next_id")),
        ("reqManagedAccts", (), requests.Plain("managed_accounts")),
        ("setServerLogLevel", (2,), requests.Plain("log_level")),
        ("reqContractDetails", (3, contract), requests.ContractDetails(3, query)),
        ("reqMatchingSymbols", (3, "AA"), requests.MatchingSymbols(3, "AA")),
        ("reqMarketRule", (26,), requests.MarketRule(26)),
        ("reqHeadTimeStamp", (3, contract, "TRADES", True, 2), requests.HeadTimestamp(3, query, True)),
        ("cancelHeadTimeStamp", (3,), requests.Cancel(requests.HeadTimestamp, 3)),
        ("reqMarketDataType", (3,), requests.MarketDataType(3)),
        ("reqMktData", (3, contract, "", True, False, []), requests.MarketData(3, query, True)),
        ("cancelMktData", (3,), requests.Cancel(requests.MarketData, 3)),
        (
            "reqHistoricalData",
            (3, contract, "", "5 D", "1 day", "TRADES", True, 1, False, []),
            requests.HistoricalData(3, query, "", "1 day", "5 D", "TRADES", False),
        ),
        ("cancelHistoricalData", (3,), requests.Cancel(requests.HistoricalData, 3)),
        ("reqPnL", (3, "DU1", ""), requests.PnL(3, "DU1")),
        ("cancelPnL", (3,), requests.Cancel(requests.PnL, 3)),
        ("reqPnLSingle", (3, "DU1", "", 77), requests.PnLSingle(3, "DU1", 77)),
        ("cancelPnLSingle", (3,), requests.Cancel(requests.PnLSingle, 3)),
    ]


@pytest.mark.parametrize("index", range(len(asks())), ids=[name for name, _, _ in asks()])
def test_a_request_of_the_real_client_is_read_whole(written, index):
    method, arguments, expected = asks(contract=stock())[index]
    assert parse(written(method, *arguments), 176) == expected


def test_a_request_for_executions_is_read_whole(written):
    from ib_insync import ExecutionFilter

    narrowed = ExecutionFilter(clientId=2, acctCode="DU1", time="20240103-09:30:00", symbol="AAA", side="BUY")
    expected = requests.Executions(8, 2, "DU1", "20240103-09:30:00", "AAA", "BUY")
    assert parse(written("reqExecutions", 8, narrowed), 176) == expected


def test_an_unknown_number_is_refused():
    with pytest.raises(ProtocolError, match="message 4711"):
        parse(("4711", "1"), 176)
