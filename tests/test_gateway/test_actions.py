"""Splits and dividends: what they do to holdings, cash and orders, once."""

from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from hrp.domain.corporate_actions import ActionKind
from hrp.errors import DataError
from hrp.gateway.actions import Action, read_actions, split
from hrp.gateway.clock import Event, EventKind
from hrp.gateway.events import happen
from hrp.gateway.records import Holding, Instrument

from .support import BARS, Teller, at, brief, open_desk, write_market

HEADER = "symbol,ex_session,kind,value\n"

# AAA closes at 105 on 2024-01-03 and splits two for one, or one for four, on 2024-01-04
HALVED = [
    row if row[0] != "AAA" or row[1] < date(2024, 1, 4) else (*row[:2], 52.0, 54.0, 51.0, 53.0, 2000) for row in BARS
]


def actions_file(folder: Path, *rows: str) -> str:
    path = folder / "actions.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return str(path)


def holder(folder: Path, *rows: str, bars=BARS, quantity: int = 11) -> Teller:
    """A client that bought AAA at 103 on 2024-01-03, in the evening, with `rows` ahead."""
    write_market(folder / "market.parquet", bars)
    teller = Teller(open_desk(folder, at(2, 22), actions=actions_file(folder, *rows)))
    teller.order(1, "BUY", quantity)
    teller.advance(at(3, 22))
    return teller


def held(teller: Teller) -> Holding:
    return teller.desk.books.ledger.holding(teller.desk.books.ledger.instrument("AAA"))


def cash(teller: Teller) -> Decimal:
    return teller.desk.books.ledger.cash


AFTER_PURCHASE = Decimal("100000") - 11 * 103 - 1


def test_a_dividend_is_paid_at_the_open_on_the_shares_held_at_the_close_before(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,dividend,0.255", "BRK.B,2024-01-04,dividend,9")
    teller.order(2, "SELL", 11)
    teller.advance(at(4, 14, 29))
    assert cash(teller) == AFTER_PURCHASE
    teller.advance(at(4, 14, 30))
    # 11 x 0.255 = 2.805; the shares are sold at 104 in the same opening
    assert cash(teller) == AFTER_PURCHASE + Decimal("2.81") + 11 * 104 - 1


def test_shares_bought_on_the_ex_session_get_no_dividend(tmp_path):
    teller = Teller(open_desk(tmp_path, at(2, 22), actions=actions_file(tmp_path, "AAA,2024-01-03,dividend,1")))
    teller.order(1, "BUY", 10)
    teller.advance(at(3, 22))
    assert cash(teller) == Decimal("100000") - 1030 - 1


def test_a_split_makes_more_shares_of_the_same_cost_and_value(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,2", bars=HALVED)
    before = held(teller)
    teller.advance(at(4, 14, 30))
    assert (held(teller).quantity, held(teller).cost, cash(teller)) == (22, before.cost, AFTER_PURCHASE)
    assert teller.desk.books.valuation().net_liquidation == AFTER_PURCHASE + 22 * 52
    assert teller.ask("61", "1")[0][14:] == ("22", "51.545455")  # 1134.00 / 22


def test_a_reverse_split_pays_the_fraction_in_cash_at_the_close_before(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,0.25")
    teller.advance(at(4, 14, 30))
    # 11 x 0.25 = 2.75: 0.75 of a new share, 105 / 0.25 each, is 315.00; 0.75 of 2.75 of 1134.00 is 309.27
    assert (held(teller).quantity, cash(teller)) == (2, AFTER_PURCHASE + Decimal("315.00"))
    assert held(teller).cost == Decimal("1134.00") - Decimal("309.27")


def test_a_split_to_less_than_a_share_leaves_cash_alone():
    tenth = Action(date(2024, 1, 4), "AAA", ActionKind.SPLIT, Decimal("0.1"))
    after, paid = split(Holding(Instrument(1, "AAA"), 9, Decimal("900.00")), tenth, Decimal("1000"))
    assert (after.quantity, after.cost, paid) == (0, Decimal("0.00"), Decimal("900.00"))


def test_a_third_that_is_stored_with_eight_decimals_is_a_third():
    third = Action(date(2024, 1, 4), "AAA", ActionKind.SPLIT, Decimal("0.33333333"))
    held = Holding(Instrument(1, "AAA"), 9, Decimal("900.00"))
    assert split(held, third, Decimal("300")) == (Holding(held.instrument, 3, held.cost), Decimal("0.00"))


def test_a_split_of_nothing_held_pays_nothing():
    half = Action(date(2024, 1, 4), "AAA", ActionKind.SPLIT, Decimal("0.5"))
    nothing = Holding(Instrument(1, "AAA"), 0, Decimal("0.00"))
    assert split(nothing, half, Decimal("1000")) == (nothing, Decimal("0.00"))


def test_of_two_actions_in_one_session_the_dividend_is_on_the_old_shares(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,2", "AAA,2024-01-04,dividend,1", bars=HALVED)
    teller.advance(at(4, 14, 30))
    assert (held(teller).quantity, cash(teller)) == (22, AFTER_PURCHASE + 11)


def test_a_split_ends_every_order_in_its_name_and_no_other(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,0.25")
    teller.order(2, "BUY", 5, tif="GTC", limit="50")
    teller.order(3, "BUY", 5, tif="GTD", good_till="20240105", limit="50")
    teller.order(4, "SELL", 11)  # four times what is left after it
    teller.order(5, "BUY", 1, "BRK B", tif="GTC", limit="50")
    told = [line for line in teller.advance(at(4, 14, 30)) if line.startswith(("status", "exec", "error"))]
    assert told[:6] == [
        "status 2 Cancelled 0/5 at 0.0", "error 2 202", "status 3 Cancelled 0/5 at 0.0", "error 3 202",
        "status 4 Cancelled 0/11 at 0.0", "error 4 202",
    ]  # fmt: skip
    assert told[6:] == ["status 5 Submitted 0/1 at 0.0"]
    assert {fields[95] for fields in teller.ask("99", "0")[:-1]} == {"Cancelled because of a corporate action"}


def test_a_dividend_leaves_orders_as_they_are(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,dividend,1")
    teller.order(2, "BUY", 5, tif="GTC", limit="50")
    teller.advance(at(4, 22))
    assert brief(teller.ask("5", "1")) == ["order 2 Submitted", "status 2 Submitted 0/5 at 0.0"]


def test_until_a_name_trades_again_its_last_close_is_that_of_a_new_share(tmp_path):
    halted = [row for row in HALVED if row[0] != "AAA" or row[1] != date(2024, 1, 4)]
    teller = holder(tmp_path, "AAA,2024-01-04,split,2", bars=halted)
    worth = teller.desk.books.valuation().net_liquidation
    teller.advance(at(4, 22))
    assert teller.desk.books.view.last_price("AAA") == Decimal("52.5")
    assert teller.desk.books.valuation().net_liquidation == worth


def test_the_profit_of_the_day_of_a_split_is_not_made_of_the_split(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,2", bars=HALVED)
    teller.advance(at(4, 22))
    [row] = teller.ask("94", "4", "DU1234567", "", str(held(teller).instrument.con_id))
    assert row[2:4] == ("22", "11.00")  # 22 x 53 - 22 x 52.50


def test_an_action_happens_once_however_often_the_file_is_read(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,split,2", bars=HALVED)
    teller.advance(at(4, 14, 30))
    write_market(tmp_path / "market.parquet", [*HALVED, ("AAA", date(2024, 1, 8), 53.0, 53.0, 53.0, 53.0, 10)])
    teller.desk.books.ledger.close()
    again = open_desk(tmp_path, at(2, 22))  # the path of the actions is part of the state
    again.advance(at(8, 22))
    assert again.books.ledger.holding(again.books.ledger.instrument("AAA")).quantity == 22


def test_an_open_that_happened_again_would_be_refused_and_pay_nothing(tmp_path):
    teller = holder(tmp_path, "AAA,2024-01-04,dividend,1")
    books = teller.desk.books
    teller.advance(at(4, 14, 30))
    paid = cash(teller)
    again = Event(at(4, 14, 30), date(2024, 1, 4), EventKind.OPEN)
    with pytest.raises(sqlite3.IntegrityError, match="applied_actions"), books.ledger.transaction():
        happen(books, again)
    assert cash(teller) == paid


def test_a_file_of_actions_that_was_rewritten_is_read_again(tmp_path):
    teller = holder(tmp_path)
    actions_file(tmp_path, "AAA,2024-01-04,dividend,1")
    teller.advance(at(4, 22))
    assert cash(teller) == AFTER_PURCHASE + 11


def test_actions_come_from_parquet_as_well(tmp_path):
    frame = {"symbol": ["BRK.B"], "ex_session": [date(2024, 1, 4)], "kind": ["split"], "value": [Decimal("1.50000000")]}
    pd.DataFrame(frame).to_parquet(tmp_path / "actions.parquet")
    assert read_actions(tmp_path / "actions.parquet") == [
        Action(date(2024, 1, 4), "BRK B", ActionKind.SPLIT, Decimal("1.5"))
    ]


BAD = [
    ("AAA,2024-01-06,split,2", "needs a positive value and an ex_session that is a session"),
    ("AAA,2024-01-04,split,0", "needs a positive value"),
    ("AAA,2024-01-04,split,NaN", "needs a positive value"),
    ("AAA,2024-01-04,merger,2", "is no split or dividend"),
    ("AAA,someday,split,2", "is no split or dividend"),
    ("AAA,2024-01-04,split,", "is no split or dividend"),
    ("AAA,2024-01-04,split,2\nAAA,2024-01-04,split,3", "holds the split of AAA on 2024-01-04 twice"),
]


@pytest.mark.parametrize(("row", "words"), BAD)
def test_a_row_that_is_no_action_is_refused(tmp_path, row, words):
    with pytest.raises(DataError, match=words):
        read_actions(Path(actions_file(tmp_path, row)))


def test_a_file_without_the_columns_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("symbol,value\nAAA,2\n")
    with pytest.raises(DataError, match=r"lacks the columns \['ex_session', 'kind'\]"):
        read_actions(tmp_path / "a.csv")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_actions(tmp_path / "a.parquet")
