"""The layouts of every server version from 157 to 178, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from hrp.gateway import client
from hrp.gateway.errors import ProtocolError
from hrp.gateway.layouts import COMPLETED_ORDER, CONTRACT_DETAILS, EXEC_DETAILS, LAYOUTS, OPEN_ORDER, OUTBOUND, named
from hrp.gateway.messages import parse
from hrp.gateway.session import Session

from .support import ACCOUNT, Teller, at, open_desk, write_market
from .test_messages import Recorder, limit_order, stock

VERSIONS = (157, 164, 169, 173, 176, 178)
COUNTS = {
    "5": (128, 131, 131, 136, 136, 135),
    "101": (96, 96, 96, 101, 101, 100),
    "11": (31, 31, 31, 31, 31, 32),
    "10": (39, 40, 40, 40, 40, 40),
    "4": (5, 5, 6, 6, 6, 6),
}
ORDER_COUNTS = (110, 113, 115, 115, 115, 114)
SAME_EVERYWHERE = {
    "1": 7, "2": 5, "3": 12, "6": 6, "7": 20, "8": 3, "9": 3, "15": 3, "17": 13, "49": 3, "52": 3, "53": 2, "54": 3,
    "55": 3, "57": 3, "58": 4, "59": 8, "61": 16, "62": 2, "63": 7, "64": 3, "73": 8, "74": 3, "81": 5, "88": 3,
    "93": 5, "94": 5, "95": 7, "102": 1,
}  # fmt: skip


class Old(Teller):
    """A client of one version that has bought ten shares, and holds a working and a refused order."""

    def __init__(self, folder: Any, version: int) -> None:
        super().__init__(open_desk(folder, at(2, 22)))
        self.session.version = version
        self.written = Recorder(version)
        self.ask_for("placeOrder", 1, stock(), limit_order(lmtPrice=103.5))
        self.told = self.mine(self.desk.advance(at(3, 22))[1])
        self.told += self.ask_for("placeOrder", 2, stock(), limit_order(lmtPrice=1.0))
        self.told += self.ask_for("placeOrder", 3, stock(), limit_order(totalQuantity=0.5))

    def ask_for(self, method: str, *arguments: Any) -> list[tuple[str, ...]]:
        """Ask as the real client library of this version would write it."""
        return self.ask(*self.written(method, *arguments))


@pytest.fixture
def everything(tmp_path, loop):
    """Every message that a client of a version can be sent, the first of each number."""
    from ib_insync import ExecutionFilter

    def ask(version: int) -> dict[str, tuple[str, ...]]:
        old = Old(tmp_path, version)
        number = old.desk.books.ledger.instrument("AAA").con_id
        listed = [("reqOpenOrders",), ("reqCompletedOrders", False), ("reqExecutions", 5, ExecutionFilter()),
                  ("reqContractDetails", 6, stock()), ("reqPositions",), ("reqAccountUpdates", True, ACCOUNT),
                  ("reqAccountUpdatesMulti", 7, ACCOUNT, "", False), ("reqAccountSummary", 8, "All", "NetLiquidation"),
                  ("reqMatchingSymbols", 9, "A"), ("reqMarketRule", 26), ("reqCurrentTime",),
                  ("reqPnL", 10, ACCOUNT, ""), ("reqPnLSingle", 11, ACCOUNT, "", number),
                  ("reqHeadTimeStamp", 12, stock(), "TRADES", True, 1), ("reqMarketDataType", 3),
                  ("reqHistoricalData", 13, stock(), "", "1 D", "1 day", "TRADES", True, 1, False, []),
                  ("reqMktData", 14, stock(), "", True, False, [])]  # fmt: skip
        told = [*old.told, *old.welcome, *(fields for asked in listed for fields in old.ask_for(*asked))]
        return {fields[0]: fields for fields in reversed(told)}

    return ask


@pytest.mark.parametrize(("place", "version"), [*enumerate(VERSIONS)])
def test_every_message_has_as_many_fields_as_its_version(everything, place, version):
    messages = everything(version)
    counts = {number: len(fields) for number, fields in messages.items()}
    assert {number: counts.pop(number) for number in COUNTS} == {n: counts[place] for n, counts in COUNTS.items()}
    assert len(messages["79"]) == 3 + (8 if version >= 176 else 6)
    del counts["79"]
    assert counts == SAME_EVERYWHERE


@pytest.mark.parametrize("version", [157, 158, 159, 160, 162, 163, 164, 166, 169, 170, 173, 176, 177, 178])
def test_the_fields_that_never_change_stand_where_they_stand_at_every_version(everything, version):
    messages = everything(version)
    opened, completed = named(OUTBOUND, messages["5"]), named(OUTBOUND, messages["101"])
    assert {name: opened[name] for name in ("order_ref", "delta_neutral_order_type", "dn_open_close", "oca_type",
            "exempt_code", "clearing_intent", "adjusted_order_type", "right", "account")} == {
        "order_ref": "book-1", "delta_neutral_order_type": "None", "dn_open_close": "?", "oca_type": "3",
        "exempt_code": "-1", "clearing_intent": "IB", "adjusted_order_type": "None", "right": "?", "account": ACCOUNT,
    }  # fmt: skip
    assert (completed["status"], completed["total_quantity"], completed["filled_quantity"]) == ("Filled", "0", "10")
    assert completed["completed_status"] == "Filled Size: 10"
    pegs = (opened.get("min_compete_size"), opened.get("compete_offset"))
    assert pegs == (("100", "0.02") if version >= 170 else (None, None))
    assert ("fa_profile" in opened, "fa_profile" in completed) == ((version <= 176,) * 2)
    executed = named(OUTBOUND, messages["11"])
    assert (executed["side"], executed["shares"], executed["last_liquidity"]) == ("BOT", "10", "2")
    assert executed.get("pending_price_revision") == ("0" if version == 178 else None)
    layout = LAYOUTS[OUTBOUND][CONTRACT_DETAILS]
    details = dict(zip([layout.names[at] for at in layout.at(version)], messages["10"][1:], strict=True))
    assert (details["symbol"], details["stock_type"], details["time_zone"]) == ("AAA", "COMMON", "US/Eastern")


@pytest.mark.parametrize(("place", "version"), [*enumerate(VERSIONS)])
def test_an_order_of_the_real_client_is_read_whole_at_every_version(loop, place, version):
    fields = Recorder(version)("placeOrder", 42, stock(), limit_order())
    if version >= 177:
        fields = fields[:42] + fields[43:]  # the client library does not know that faProfile is gone
    assert len(fields) == ORDER_COUNTS[place]
    assert parse(fields, version).sent["order_ref"] == "book-1"
    for torn in ((*fields, "0"), fields[:-1]):
        with pytest.raises(ProtocolError, match="message 3"):
            parse(torn, version)


OTHERS = [
    (168, 169, ("cancelOrder", 4)),
    (175, 176, ("reqContractDetails", 5)),
]


@pytest.mark.parametrize(("before", "since", "asked"), OTHERS)
def test_a_request_that_grew_is_read_at_its_own_version_alone(loop, before, since, asked):
    method, number = asked
    arguments = (number,) if method == "cancelOrder" else (number, stock())
    old, new = Recorder(before)(method, *arguments), Recorder(since)(method, *arguments)
    assert len(new) == len(old) + 1
    assert parse(old, before) == parse(new, since)
    for fields, version in ((old, since), (new, before)):
        with pytest.raises(ProtocolError):
            parse(fields, version)


OFFERS = [
    (176, "v157..176", 176), (176, "v100..157", 157), (176, "v157..178", 176), (176, "v100..176 +PACEAPI", 176),
    (178, "v157..178", 178), (178, "v100..225", 178), (157, "v157..178", 157), (163, "v157..176", 163),
]  # fmt: skip


@pytest.mark.parametrize(("own", "offer", "spoken"), OFFERS)
def test_the_lower_of_both_newest_versions_is_spoken(tmp_path, own, offer, spoken):
    desk, session = open_desk(tmp_path, at(2, 22)), Session()
    desk.version = own
    assert desk.greet(session, offer)[0] == str(spoken) == str(session.version)


@pytest.mark.parametrize("version", [157, 163, 178])
def test_the_real_client_trades_at_another_version(tmp_path, connect, version):
    from ib_insync import MarketOrder, Stock

    state = tmp_path / "state"
    market = write_market(tmp_path / "market.parquet")
    running = client.start(state, market, ACCOUNT, clock=at(3, 15), server_version=version)
    try:
        ib = connect(running.port, 1)
        assert ib.client.serverVersion() == min(version, 176)
        contract = Stock("AAA", "SMART", "USD")
        assert ib.qualifyContracts(contract) == [contract]
        done = ib.placeOrder(contract, MarketOrder("BUY", 10, tif="DAY", account=ACCOUNT, orderRef="old"))
        while not (done.fills and done.fills[0].commissionReport.commission):
            ib.waitOnUpdate(timeout=5)
        assert [(fill.execution.price, fill.execution.orderRef) for fill in done.fills] == [(103.0, "old")]
        assert [t.order.orderRef for t in ib.reqCompletedOrders(False)] == ["old"]
        assert len(ib.reqExecutions()) == 1
    finally:
        client.stop(state)


def test_names_are_found_for_every_count_that_was_written():
    for number in (OPEN_ORDER, COMPLETED_ORDER, CONTRACT_DETAILS, EXEC_DETAILS):
        layout = LAYOUTS[OUTBOUND][number]
        for version in (157, 164, 170, 178):
            names = [layout.names[place] for place in layout.at(version)]
            fields = (str(number), *names)
            assert named(OUTBOUND, fields) == dict(zip(names, names, strict=True))
