"""Order types, times in force and the hours in which the exchange takes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from .support import Teller, at, brief, open_desk, write_market


@pytest.fixture
def evening(tmp_path) -> Teller:
    """A client on the evening of 2024-01-02; AAA opens at 103, trades at 101 to 106, closes at 105 the next day."""
    return Teller(open_desk(tmp_path, at(2, 22)))


@pytest.fixture
def midday(tmp_path) -> Teller:
    """A client during 2024-01-03."""
    return Teller(open_desk(tmp_path, at(3, 17)))


LISTED = [("AAA", date(2023, 11, 1), 100.0, 100.0, 100.0, 100.0, 1)]

ON_OPEN_HOURS = [
    (at(2, 20, 59), True),
    (at(2, 21), False),  # the close
    (at(2, 21) + timedelta(seconds=9), False),
    (at(2, 21) + timedelta(seconds=10), True),
    (at(3, 14, 27), True),
    (at(3, 14, 28), False),  # 09:28 in New York
    (at(3, 14, 29), False),
    (at(3, 14, 30), True),  # the open: for the next one
    (at(6, 21), True),  # a Saturday
    (datetime(2023, 11, 24, 18, 0, 5, tzinfo=UTC), False),  # an early close, 13:00 in New York
    (datetime(2023, 11, 24, 18, 0, 10, tzinfo=UTC), True),
]


@pytest.mark.parametrize("terms", [{}, {"limit": "400"}], ids=["market", "limit"])
@pytest.mark.parametrize(("now", "takes"), ON_OPEN_HOURS)
def test_the_exchange_is_closed_for_on_open_orders_after_a_close_and_from_0928_to_the_open(tmp_path, now, takes, terms):
    write_market(tmp_path / "market.parquet", LISTED)
    teller = Teller(open_desk(tmp_path, now))
    answer = teller.order(1, "BUY", 1, **terms)
    assert answer[0] == ("order 1 PreSubmitted" if takes else "error 1 201")
    if not takes:
        [completed, _] = teller.ask("99", "0")
        assert "Exchange is closed" in completed[95]


ON_CLOSE_HOURS = [
    (at(3, 20, 49), {}, True),
    (at(3, 20, 50), {}, False),  # 15:50 in New York
    (at(3, 20, 59), {}, False),
    (at(3, 21), {}, True),  # the close: for the next one
    (at(3, 20, 44), {"closing_cutoff_minutes": "15"}, True),
    (at(3, 20, 45), {"closing_cutoff_minutes": "15"}, False),
    (datetime(2023, 11, 24, 17, 49, tzinfo=UTC), {}, True),  # an early close, 13:00 in New York
    (datetime(2023, 11, 24, 17, 50, tzinfo=UTC), {}, False),
]


@pytest.mark.parametrize("kind", ["MOC", "LOC"])
@pytest.mark.parametrize(("now", "terms", "takes"), ON_CLOSE_HOURS)
def test_the_exchange_is_closed_for_on_close_orders_before_a_close(tmp_path, now, terms, takes, kind):
    write_market(tmp_path / "market.parquet", LISTED)
    teller = Teller(open_desk(tmp_path, now, **terms))
    answer = teller.order(1, "BUY", 1, kind=kind, limit="101", tif="DAY")
    assert (answer[0] != "error 1 201") == takes


@pytest.mark.parametrize("kind", ["MOC", "LOC"])
@pytest.mark.parametrize("tif", ["OPG", "GTC", "GTD", "IOC"])
def test_an_order_on_the_close_is_for_the_day(midday, kind, tif):
    assert midday.order(1, "BUY", 1, kind=kind, limit="110", tif=tif, good_till="20240105") == ["error 1 113"]
    assert midday.order(1, "BUY", 1, kind=kind, limit="110", tif="")[0] == "order 1 Submitted"


ON_CLOSE = [("MOC", "", True), ("LOC", "105", True), ("LOC", "104.99", False)]


@pytest.mark.parametrize(("kind", "limit", "fills"), ON_CLOSE)
@pytest.mark.parametrize("client", ["evening", "midday"])
def test_an_order_on_the_close_trades_at_the_close_or_ends(request, client, kind, limit, fills):
    teller = request.getfixturevalue(client)
    teller.order(1, "BUY", 10, kind=kind, limit=limit, tif="DAY")
    assert not any(line.startswith("exec") for line in teller.advance(at(3, 20, 59)))
    told = teller.advance(at(3, 21))
    assert told[0] == ("exec 1 BOT 10 at 105.0" if fills else "status 1 Cancelled 0/10 at 0.0")


def test_outside_rth_changes_nothing_for_orders_in_auctions(evening):
    evening.order(1, "BUY", 1, outside_rth="1")
    evening.order(2, "BUY", 1, kind="MOC", tif="DAY", outside_rth="1")
    told = [line for line in evening.advance(at(3, 22)) if line.startswith("exec")]
    assert told == ["exec 1 BOT 1 at 103.0", "exec 2 BOT 1 at 105.0"]


def test_an_immediate_order_trades_at_once_or_ends(midday):
    assert "status 1 Filled 10/0 at 103.0" in midday.order(1, "BUY", 10, tif="IOC", limit="103")
    refused = midday.order(2, "BUY", 10, tif="IOC", limit="102.99")
    assert refused[2:] == ["status 2 Cancelled 0/10 at 0.0", "error 2 202"]


def test_an_immediate_order_sent_after_hours_trades_at_the_open_or_ends(evening):
    assert evening.order(1, "BUY", 10, tif="IOC", limit="102.99")[2] == "error 1 399"
    assert evening.advance(at(3, 14, 30))[2:] == ["status 1 Cancelled 0/10 at 0.0", "error 1 202"]


ENDS = [
    ("20240103", at(3, 21)),
    ("20240106", at(5, 21)),  # a Saturday: the close before it
    ("20240104 12:00:00 US/Eastern", at(4, 17)),
    ("20240104-12:00:00", at(4, 12)),
    ("20240103 22:00:00 UTC", at(3, 22)),
]


@pytest.mark.parametrize(("good_till", "ends"), ENDS)
def test_an_order_good_till_a_date_ends_at_that_close_or_instant(evening, good_till, ends):
    evening.order(1, "BUY", 10, tif="GTD", good_till=good_till, limit="90")
    evening.advance(ends - timedelta(seconds=1))
    assert evening.desk.books.ledger.order(7, 1).status.is_working
    told = evening.mine(evening.desk.advance(ends + timedelta(hours=1))[1])
    assert brief(told)[-2:] == ["status 1 Cancelled 0/10 at 0.0", "error 1 202"]
    assert evening.desk.books.ledger.order(7, 1).ended_at == ends


def test_an_order_whose_time_is_up_at_noon_does_not_trade_in_the_afternoon(evening):
    evening.order(1, "BUY", 10, tif="GTD", good_till="20240103 17:00:00 UTC", limit="102")
    evening.order(2, "BUY", 10, tif="GTD", good_till="20240103", limit="102")
    assert [line for line in evening.advance(at(3, 22)) if line.startswith("exec")] == ["exec 2 BOT 10 at 102"]


def test_an_advance_counts_opens_and_closes_and_no_expiries(evening):
    evening.order(1, "BUY", 10, tif="GTD", good_till="20240103 17:00:00 UTC", limit="90")
    done, _ = evening.desk.advance(at(3, 22))
    assert (done.opens, done.closes, done.fills, done.ended) == (1, 1, 0, 1)


BAD_ENDS = [("GTD", ""), ("GTD", "soon"), ("GTD", "20240102"), ("GTD", "20240102 21:59:59 UTC"), ("DAY", "20240104")]


@pytest.mark.parametrize(("tif", "good_till"), BAD_ENDS)
def test_an_end_that_is_missing_past_or_out_of_place_is_refused(evening, tif, good_till):
    assert evening.order(1, "BUY", 10, tif=tif, good_till=good_till, limit="90") == ["error 1 321"]


def test_a_working_order_may_be_given_another_end(evening):
    evening.order(1, "BUY", 10, tif="GTD", good_till="20240103", limit="90")
    assert evening.order(1, "BUY", 10, tif="GTD", good_till="20240104", limit="90")[0] == "order 1 PreSubmitted"
    [opened, *_] = evening.ask("5", "1")
    assert opened[36] == "20240104"
    evening.advance(at(3, 22))
    assert evening.desk.books.ledger.order(7, 1).status.is_working
    evening.advance(at(4, 22))
    assert not evening.desk.books.ledger.order(7, 1).status.is_working
