"""Orders and questions at a desk without sockets: what comes back, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from hrp.gateway.clock import tws_text
from hrp.gateway.errors import GatewayError
from hrp.gateway.session import Session

from .support import ACCOUNT, Teller, at, brief, open_desk, order_fields


@pytest.fixture
def evening(tmp_path) -> Teller:
    """A client on the evening of 2024-01-02, AAA at 102, BRK B at 360.50, 100,000 USD."""
    return Teller(open_desk(tmp_path, at(2, 22)))


@pytest.fixture
def midday(tmp_path) -> Teller:
    """A client during 2024-01-03, AAA opened at 103."""
    return Teller(open_desk(tmp_path, at(3, 17)))


def holding(teller: Teller, quantity: int = 10) -> Teller:
    """The same client after it bought AAA at 103 on 2024-01-03, in the evening."""
    teller.order(1, "BUY", quantity)
    teller.advance(at(3, 22))
    return teller


def cash(teller: Teller) -> Decimal:
    return teller.desk.books.ledger.cash


FILLED = [
    "exec 1 BOT 10 at 103.0",
    "order 1 Filled",
    "status 1 Filled 10/0 at 103.0",
    "order 1 Filled",
    "status 1 Filled 10/0 at 103.0",
    "commission 1.00",
]


def test_a_client_that_names_itself_learns_accounts_next_id_and_data_farms(evening):
    assert [fields[:4] for fields in evening.welcome] == [
        ("15", "1", ACCOUNT), ("9", "1", "1"), *[("4", "2", "-1", code) for code in ("2104", "2106", "2158")],
    ]  # fmt: skip


def test_a_market_order_on_the_open_waits_and_fills_at_the_open(evening):
    assert evening.order(1, "BUY", 10) == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0"]
    assert evening.advance(at(3, 14, 29)) == []
    assert evening.advance(at(3, 14, 30)) == ["order 1 Submitted", "status 1 Submitted 0/10 at 0.0", *FILLED]
    assert cash(evening) == Decimal("98969.00")  # 100000 - 10 x 103 - 1.00


def test_a_market_order_during_the_session_fills_at_once_at_the_open_of_the_day(midday):
    got = midday.order(1, "BUY", 10, tif="DAY")
    assert got == ["order 1 Submitted", "status 1 Submitted 0/10 at 0.0", *FILLED]


def test_an_order_on_the_open_sent_during_the_session_waits_for_the_next_one(midday):
    assert midday.order(1, "BUY", 10) == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0"]
    assert "exec 1 BOT 10 at 104.0" in midday.advance(at(4, 22))


def test_a_day_order_sent_after_hours_is_held_with_a_warning(evening):
    got = evening.order(1, "BUY", 10, tif="DAY", limit="100")
    assert got == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0", "error 1 399"]


ON_THE_OPEN = [("BUY", "103", True), ("BUY", "102.99", False), ("BUY", "104", True)]


@pytest.mark.parametrize(("side", "limit", "fills"), ON_THE_OPEN)
def test_a_limit_order_on_the_open_fills_at_the_open_or_ends(evening, side, limit, fills):
    evening.order(1, side, 10, limit=limit)
    told = evening.advance(at(3, 14, 30))
    assert told[2:] == (FILLED if fills else ["status 1 Cancelled 0/10 at 0.0", "error 1 202"])


def test_a_resting_limit_fills_at_its_limit_at_the_close_if_the_session_reached_it(evening):
    evening.order(1, "BUY", 10, tif="DAY", limit="101")
    assert evening.advance(at(3, 20, 59)) == ["order 1 Submitted", "status 1 Submitted 0/10 at 0.0"]
    assert evening.advance(at(3, 21))[0] == "exec 1 BOT 10 at 101"


def test_a_day_order_that_does_not_fill_ends_at_the_close(evening):
    evening.order(1, "BUY", 10, tif="DAY", limit="100.99")
    assert evening.advance(at(3, 21))[2:] == ["status 1 Cancelled 0/10 at 0.0", "error 1 202"]


def test_an_order_good_till_cancelled_stays_over_the_close(evening):
    evening.order(1, "BUY", 10, tif="GTC", limit="100")
    assert evening.advance(at(5, 22)) == ["order 1 Submitted", "status 1 Submitted 0/10 at 0.0"]
    assert evening.desk.books.ledger.order(7, 1).status == "Submitted"


def test_without_a_bar_an_order_on_the_open_ends_at_the_open_and_a_day_order_at_the_close(tmp_path):
    teller = Teller(open_desk(tmp_path, at(3, 22)))
    teller.order(1, "BUY", 1, "BRK B")
    teller.order(2, "BUY", 1, "BRK B", tif="DAY")
    assert "status 1 Cancelled 0/1 at 0.0" in teller.advance(at(4, 14, 30))
    assert teller.advance(at(4, 21)) == ["status 2 Cancelled 0/1 at 0.0", "error 2 202"]


def test_sales_fill_before_purchases(evening):
    holding(evening)
    evening.order(2, "BUY", 1, "AAA")
    evening.order(3, "SELL", 10, "AAA")
    told = [line for line in evening.advance(at(4, 22)) if line.startswith("exec")]
    assert told == ["exec 3 SLD 10 at 104.0", "exec 2 BOT 1 at 104.0"]
    # 98969 + 1040 - 1.00 - 104 - 1.00
    assert cash(evening) == Decimal("99903.00")


REFUSED = [
    ("an order of another account", {"account": "DU7654321"}, 5, "AAA", "321"),
    ("an unknown symbol", {}, 5, "ZZZ", "200"),
    ("a stock that is not listed yet", {}, 5, "NEW", "200"),
    ("the spelling of another vendor", {}, 5, "BRK.B", "200"),
    ("a fraction of a share", {}, "1.5", "AAA", "10318"),
    ("no shares", {}, 0, "AAA", "434"),
    ("an order type it does not model", {"kind": "STP"}, 5, "AAA", "387"),
    ("a time in force it does not model", {"tif": "FOK"}, 5, "AAA", "10052"),
    ("an order that shall not be transmitted", {"transmit": "0"}, 5, "AAA", "321"),
    ("a limit order without a limit", {"kind": "LMT"}, 5, "AAA", "321"),
    ("a limit between two cents", {"limit": "100.005"}, 5, "AAA", "110"),
    ("an exchange it does not have", {"exchange": "LSE"}, 5, "AAA", "200"),
]


@pytest.mark.parametrize(("terms", "quantity", "symbol", "code"), [row[1:] for row in REFUSED],
                         ids=[row[0] for row in REFUSED])  # fmt: skip
def test_what_is_refused_leaves_no_order_and_no_used_id(evening, terms, quantity, symbol, code):
    assert evening.order(1, "BUY", quantity, symbol, **terms) == [f"error 1 {code}"]
    assert evening.desk.books.ledger.working_orders() == []
    assert evening.ask("8", "1", "1") == [("9", "1", "1")]


def test_an_instruction_it_does_not_model_is_named(evening):
    fields = order_fields(1, "BUY", 1)
    fields[83] = ""
    fields[50] = "1"
    [refusal] = evening.ask(*fields)
    assert refusal[3] == "321"
    assert "all_or_none" in refusal[4]


INACTIVE = ["error 1 201", "order 1 Inactive", "status 1 Inactive 0/{0} at 0.0"]


def test_a_purchase_beyond_buying_power_is_rejected_and_kept_as_inactive(evening):
    # 981 x 102 = 100062 > 100000 >= 980 x 102 = 99960
    assert evening.order(1, "BUY", 981) == [line.format(981) for line in INACTIVE]
    assert evening.order(2, "BUY", 980)[0] == "order 2 PreSubmitted"
    [completed, _] = evening.ask("99", "0")
    assert (completed[77], completed[95][:18]) == ("Inactive", "Rejected by System")


def test_working_purchases_use_up_buying_power(evening):
    evening.order(1, "BUY", 500)
    assert evening.order(2, "BUY", 481)[0] == "error 2 201"
    assert evening.order(3, "BUY", 480)[0] == "order 3 PreSubmitted"


def test_working_sales_add_to_buying_power(evening):
    holding(evening, 900)  # 900 x 105 = 94500 held, net liquidation 100000 - 900 x 103 - 4.50 + 94500 = 101795.50
    evening.order(2, "SELL", 900)
    assert evening.order(3, "BUY", 1870)[0] == "error 3 201"  # 196350 > 101795.50 + 94500
    assert evening.order(4, "BUY", 1869)[0] == "order 4 PreSubmitted"  # 196245


def test_nothing_is_sold_short(evening):
    holding(evening)
    evening.order(2, "SELL", 6)
    assert evening.order(3, "SELL", 5)[0] == "error 3 201"
    assert evening.order(4, "SELL", 4)[0] == "order 4 PreSubmitted"


def test_an_order_id_is_used_once(evening):
    holding(evening)
    evening.order(4, "BUY", 1)
    assert evening.order(1, "BUY", 10) == ["error 1 104"]
    assert evening.order(3, "BUY", 10) == ["error 3 103"]
    assert evening.ask("8", "1", "1") == [("9", "1", "5")]


def test_a_working_order_is_changed_under_its_own_id(evening):
    evening.order(1, "BUY", 10, limit="101")
    before = evening.desk.books.ledger.order(7, 1)
    assert evening.order(1, "BUY", 12, limit="104") == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/12 at 0.0"]
    after = evening.desk.books.ledger.order(7, 1)
    assert (after.perm_id, after.quantity, after.limit) == (before.perm_id, 12, Decimal("104"))
    assert evening.order(1, "SELL", 12, limit="104") == ["error 1 105"]


def test_a_change_beyond_buying_power_leaves_the_order_as_it_was(evening):
    evening.order(1, "BUY", 10, limit="101")
    assert evening.order(1, "BUY", 5000, limit="101") == ["error 1 201"]
    assert evening.desk.books.ledger.order(7, 1).quantity == 10


def test_a_cancelled_order_says_so_once_and_cannot_be_cancelled_again(evening):
    evening.order(1, "BUY", 10)
    assert brief(evening.ask("4", "1", "1", "")) == ["status 1 Cancelled 0/10 at 0.0", "error 1 202"]
    assert brief(evening.ask("4", "1", "1", "")) == ["error 1 10148"]
    assert brief(evening.ask("4", "1", "9", "")) == ["error 9 10147"]
    assert evening.advance(at(3, 22)) == []


def test_orders_of_another_client_are_seen_but_not_cancelled(evening):
    evening.order(1, "BUY", 10)
    other = Teller(evening.desk, client_id=8)
    assert brief(other.ask("5", "1")) == []
    assert brief(other.ask("16", "1")) == ["order 1 PreSubmitted", "status 1 PreSubmitted 0/10 at 0.0"]
    assert brief(other.ask("4", "1", "1", "")) == ["error 1 10147"]
    assert other.welcome[1] == ("9", "1", "1")


def test_a_global_cancel_ends_the_orders_of_all_clients(evening):
    evening.order(1, "BUY", 10)
    other = Teller(evening.desk, client_id=8)
    other.order(1, "BUY", 1)
    deliveries = evening.desk.receive(other.session, ("58", "1"))
    assert brief(evening.mine(deliveries)) == ["status 1 Cancelled 0/10 at 0.0", "error 1 202"]
    assert brief(other.mine(deliveries)) == ["status 1 Cancelled 0/1 at 0.0", "error 1 202"]


def test_a_what_if_order_is_answered_twice_and_not_kept(evening):
    first, second = evening.ask(*order_fields(1, "BUY", 10, what_if="1"))
    assert (first[93], first[98], second[98]) == ("1", "1.7976931348623157E308", "1020.00")
    assert (second[104], second[105], second[106]) == ("", "1.00", "1.00")
    assert evening.desk.books.ledger.working_orders() == []


def test_a_client_id_in_use_is_refused_and_freed_when_its_owner_leaves(evening):
    second = Teller(evening.desk, client_id=7)
    assert brief(second.welcome) == ["error -1 326"]
    evening.desk.leave(second.session)
    evening.desk.leave(evening.session)
    assert Teller(evening.desk, client_id=7).welcome[1][0] == "9"


def test_executions_and_completed_orders_are_those_of_the_trading_day(evening):
    holding(evening)
    ask = ("7", "3", "5", "0", "", "", "", "", "", "")
    assert [fields[0] for fields in evening.ask(*ask)] == ["11", "59", "55"]
    assert [fields[0] for fields in evening.ask("99", "0")] == ["101", "102"]
    evening.advance(at(4, 5))  # midnight at the exchange: 2024-01-04 is a session
    assert [fields[0] for fields in evening.ask(*ask)] == ["55"]
    assert [fields[0] for fields in evening.ask("99", "0")] == ["102"]


def test_what_happened_on_friday_is_shown_over_the_weekend_and_no_longer_on_monday(tmp_path):
    teller = Teller(open_desk(tmp_path, at(4, 22)))
    teller.order(1, "BUY", 10)
    teller.advance(at(8, 4, 59))  # a minute before midnight at the exchange
    assert brief(teller.ask("7", "3", "5", "0", "", "", "", "", "", ""))[0] == "exec 1 BOT 10 at 110.0"
    assert [fields[0] for fields in teller.ask("99", "0")] == ["101", "102"]
    teller.advance(at(8, 5))
    assert brief(teller.ask("7", "3", "5", "0", "", "", "", "", "", "")) == []
    assert [fields[0] for fields in teller.ask("99", "0")] == ["102"]


NARROWED = [
    (("0", "", "", "", "", "", ""), 1),
    (("7", ACCOUNT, "", "AAA", "", "", "BUY"), 1),
    (("8", "", "", "", "", "", ""), 0),
    (("0", "", "20240103-14:30:01", "", "", "", ""), 0),
    (("0", "", "20240103 09:30:00 US/Eastern", "", "", "", ""), 1),
    (("0", "", "", "BRK B", "", "", ""), 0),
    (("0", "", "", "", "", "", "SELL"), 0),
]


@pytest.mark.parametrize(("narrowed", "count"), NARROWED)
def test_executions_are_narrowed_by_the_filter(evening, narrowed: Sequence[str], count):
    holding(evening)
    assert len(brief(evening.ask("7", "3", "5", *narrowed))) == 2 * count


FIELD_COUNTS = {"5": 136, "101": 101, "11": 31, "10": 40, "4": 6, "3": 12, "61": 16, "7": 20, "59": 8, "9": 3}


def test_every_message_has_the_number_of_fields_that_clients_expect(evening):
    holding(evening)
    evening.order(2, "BUY", 1, tif="DAY", limit="1")
    contract = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    asked = [
        *evening.ask("5", "1"), *evening.ask("99", "0"), *evening.ask("7", "3", "5", *[""] * 7),
        *evening.ask("9", "8", "6", *contract, "0", "", "", ""), *evening.ask("61", "1"), *evening.ask("8", "1", "1"),
        *evening.ask("6", "2", "1", ACCOUNT), *evening.ask("4", "1", "99", ""),
    ]  # fmt: skip
    counts = {fields[0]: len(fields) for fields in asked}
    assert {number: counts[number] for number in FIELD_COUNTS} == FIELD_COUNTS


def test_an_order_is_told_with_the_reference_and_the_number_the_broker_gave_it(evening):
    evening.order(1, "BUY", 10, ref="night-1")
    [opened, status, _] = evening.ask("5", "1")
    assert (opened[23], opened[25], opened[30]) == ("night-1", status[6], f"{status[6]}.0/{ACCOUNT}/100")
    evening.advance(at(3, 22))
    [done, _] = evening.ask("99", "0")
    assert (done[22], done[23], done[13], done[87]) == ("night-1", status[6], "0", "10")
    assert (done[94], done[95]) == ("20240103 09:30:00 US/Eastern", "Filled Size: 10")


def test_positions_and_account_values_are_sent_again_when_something_changed(evening):
    evening.ask("61", "1")
    evening.ask("6", "2", "1", ACCOUNT)
    evening.order(1, "BUY", 10)
    told = evening.mine(evening.desk.advance(at(3, 21))[1])
    [position] = [fields for fields in told if fields[0] == "61"]
    assert position[14:] == ("10", "103.100000")
    values = {(fields[2], fields[4]): fields[3] for fields in told if fields[0] == "6"}
    assert values["NetLiquidation", "USD"] == "100019.00"  # 98969 + 10 x 105
    assert values["CashBalance", "BASE"] == "98969.00"


def test_a_position_that_was_sold_is_told_as_zero_on_its_last_day(evening):
    holding(evening)
    evening.order(2, "SELL", 10)
    evening.advance(at(4, 22))
    assert [fields[14] for fields in evening.ask("61", "1")[:-1]] == ["0"]
    evening.advance(at(5, 22))
    assert evening.ask("61", "1") == [("62", "1")]


def test_profit_and_loss_of_the_day(evening):
    holding(evening)
    assert evening.ask("92", "3", ACCOUNT, "") == [("94", "3", "19.00", "19.00", "0.00")]
    con_id = str(evening.desk.books.ledger.instrument("AAA").con_id)
    assert evening.ask("94", "4", ACCOUNT, "", con_id) == [("95", "4", "10", "19.00", "19.00", "0.00", "1050.00")]
    evening.order(2, "SELL", 4)
    evening.advance(at(4, 22))
    # sold 4 x 104 - 1.00 of 10 that cost 1031.00: realized 415.00 - 412.40; 6 x 107 held
    [row] = evening.ask("92", "3", ACCOUNT, "")
    assert row[2:] == ("7.00", "23.40", "2.60")  # 415 + 642 - 1050; 642 - 618.60


def test_an_account_summary_holds_the_tags_asked_for(evening):
    rows = evening.ask("62", "1", "3", "All", "NetLiquidation,BuyingPower,$LEDGER")
    assert rows[0] == ("63", "1", "3", ACCOUNT, "NetLiquidation", "100000.00", "USD")
    assert {row[6] for row in rows[2:-1]} == {"BASE"}
    assert rows[-1] == ("64", "1", "3")


def test_a_question_about_another_account_is_refused(evening):
    for ask in (("6", "2", "1", "DU9"), ("76", "1", "3", "DU9", "", "0"), ("92", "3", "DU9", "")):
        assert [fields[3] for fields in evening.ask(*ask)] == ["321"]


def history(teller: Teller, duration: str = "3 D", end: str = "", size: str = "1 day") -> list[tuple[str, ...]]:
    contract = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    return teller.ask("20", "5", *contract, "0", end, size, duration, "1", "TRADES", "1", "0", "")


def test_history_never_shows_the_running_session(midday):
    [answer] = history(midday)
    assert (answer[4], answer[5], answer[9]) == ("1", "20240102", "102.0")


HISTORIES = [
    ("1 D", "", ["20240105"]),
    ("2 D", "20240104-21:00:00", ["20240103", "20240104"]),
    ("1 W", "", ["20240102", "20240103", "20240104", "20240105"]),
    ("1 D", "20240104 15:59:59 US/Eastern", ["20240103"]),
]


@pytest.mark.parametrize(("duration", "end", "days"), HISTORIES)
def test_history_holds_the_sessions_asked_for(tmp_path, duration, end, days):
    [answer] = history(Teller(open_desk(tmp_path, at(7, 12))), duration, end)
    assert list(answer[5::8]) == days


@pytest.mark.parametrize("asked", [{"size": "1 min"}, {"duration": "x"}, {"end": "soon"}, {"end": "20230101-00:00:00"}])
def test_a_history_it_does_not_have_is_error_162(evening, asked):
    assert [fields[3] for fields in history(evening, **asked)] == ["162"]


def quote(teller: Teller) -> list[tuple[str, ...]]:
    contract = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    return teller.ask("1", "11", "5", *contract, "0", "", "1", "0", "")


def test_prices_are_for_clients_that_take_delayed_data(evening):
    assert [fields[3] for fields in quote(evening)] == ["354"]
    evening.ask("59", "1", "3")
    warning, kind, parameters, *ticks, end = quote(evening)
    assert (warning[3], kind, parameters[0], end) == ("10167", ("58", "1", "5", "3"), "81", ("57", "1", "5"))
    assert {fields[3]: fields[4] for fields in ticks} == {
        "68": "102.0", "76": "100.0", "72": "104.0", "73": "99.0", "74": "1000",
    }  # fmt: skip


def test_during_a_session_only_its_open_is_a_price(midday):
    midday.ask("59", "1", "3")
    ticks = {fields[3]: fields[4] for fields in quote(midday)[3:-1]}
    assert ticks == {"68": "103.0", "76": "103.0", "75": "102.0"}


def test_an_unknown_symbol_is_error_200_and_nothing_else(evening):
    contract = ("0", "ZZZ", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    assert brief(evening.ask("9", "8", "6", *contract, "0", "", "", "")) == ["error 6 200"]


def test_a_symbol_keeps_its_contract_number(evening, tmp_path):
    number = evening.desk.books.ledger.instrument("AAA").con_id
    evening.desk.books.ledger.close()
    assert open_desk(tmp_path, at(2, 22)).books.ledger.instrument("AAA").con_id == number


def test_the_clock_goes_forward_only(evening):
    with pytest.raises(GatewayError, match="cannot go back"):
        evening.desk.advance(at(2, 21, 59))
    assert evening.desk.advance(at(2, 22))[0].opens == 0


def test_an_early_close_is_a_close(tmp_path):
    from datetime import UTC, datetime

    desk = open_desk(tmp_path, datetime(2023, 11, 23, 22, tzinfo=UTC))
    done, _ = desk.advance(datetime(2023, 11, 24, 18, tzinfo=UTC))  # 13:00 in New York, the day after Thanksgiving
    assert (done.opens, done.closes) == (1, 1)


def test_a_message_it_cannot_read_is_answered_and_logged(evening):
    assert brief(evening.ask("3", "1", "x")) == ["error -1 320"]
    assert brief(evening.ask("4711")) == ["error -1 320"]
    assert Teller(evening.desk, client_id=9).ask("49", "1") == [("49", "1", str(int(at(2, 22).timestamp())))]


VERSIONS = [("v157..176", "176"), ("v100..157", "157"), ("v157..178", "176"), ("v100..176 +PACEAPI", "176")]


@pytest.mark.parametrize(("offer", "version"), VERSIONS)
def test_the_newest_common_version_is_spoken(evening, offer, version):
    assert evening.desk.greet(Session(), offer) == (version, tws_text(at(2, 22)))


@pytest.mark.parametrize("offer", ["v100..156", "v177..200", "GET / HTTP/1.1"])
def test_without_a_common_version_there_is_no_answer(evening, offer):
    assert evening.desk.greet(Session(), offer) is None
