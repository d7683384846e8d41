"""hrp orders cancel and hrp flatten at a real gateway: shown first, done once, checked afterwards."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspaces import ACCOUNT

from hrp.data.journal import load_events
from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp, Said
from .desk import LOW, SECOND, THIRD, Desk, evening, midday, open_desk

BUY, SELL = OrderSide.BUY, OrderSide.SELL


@pytest.fixture
def desk(tmp_path: Path, hrp: Hrp) -> Iterator[Desk]:
    """Synced on the evening of 2022-12-22, nothing held."""
    with open_desk(tmp_path / "home") as opened:
        assert hrp("run", "position-sync", over=opened.workspace).code == EXIT_DONE
        yield opened


def outcomes(said: Said) -> dict[str, tuple[str, str]]:
    """What was done by symbol: (shares, outcome)."""
    return {row["symbol"]: (row["shares"], row["outcome"]) for row in said.json["rows"]}


def statuses(desk: Desk) -> dict[str, OrderStatus]:
    return {order.symbol: order.status for order in desk.api.get_orders(account=ACCOUNT)}


# Cancelling


def test_working_orders_are_cancelled_once_they_were_shown(hrp: Hrp, desk: Desk):
    one, two = desk.orders(Order("AAPL", BUY, 5), Order("XOM", BUY, 7))

    dry = hrp("orders", "cancel", one, "--dry-run", "--json", over=desk.workspace)
    assert outcomes(dry) == {"AAPL": ("5", "DRY_RUN")}
    assert desk.working() == sorted([one, two])

    said = hrp("orders", "cancel", one, "--yes", "--json", over=desk.workspace)

    assert (said.code, outcomes(said)) == (EXIT_DONE, {"AAPL": ("5", "CANCELLED")})
    assert desk.working() == [two]
    assert statuses(desk) == {"AAPL": OrderStatus.CANCELLED, "XOM": OrderStatus.ACKED}

    assert outcomes(hrp("orders", "cancel", "--symbol", "XOM", "--yes", "--json", over=desk.workspace)) == {
        "XOM": ("7", "CANCELLED")
    }
    assert hrp("orders", "cancel", "--all", "--yes", over=desk.workspace).out.strip() == "no such order works"


def test_orders_of_others_are_named_and_left_alone(hrp: Hrp, desk: Desk):
    (own,) = desk.orders(Order("AAPL", BUY, 5))
    desk.by_hand(Order("XOM", BUY, 3, OrderType.LIMIT, LOW))

    said = hrp("orders", "cancel", "--all", "--yes", "--json", over=desk.workspace)

    assert (said.code, outcomes(said)) == (EXIT_DONE, {"AAPL": ("5", "CANCELLED"), "XOM": ("3", "NOT_OURS")})
    assert desk.working() == [""]
    assert own not in desk.working()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "name the orders to cancel, or --symbol SYMBOL, or --all"),
        (("REF", "--all"), "name the orders to cancel, or --symbol SYMBOL, or --all"),
        (("REF", "--yes"), "there is no order REF; see: hrp orders"),
        (("--all",), "hrp orders cancel asks before it acts and here is no terminal; look with --dry-run"),
    ],
)
def test_what_cannot_be_cancelled_is_wrong_usage(hrp: Hrp, desk: Desk, words: tuple[str, ...], complaint: str):
    said = hrp("orders", "cancel", *words, over=desk.workspace)

    assert (said.code, complaint in said.err) == (EXIT_USAGE, True), said.err


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"y\n", 0)])
def test_at_a_terminal_a_person_is_asked(
    hrp: Hrp, desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: bytes, left: int
):
    desk.orders(Order("AAPL", BUY, 5))
    keyboard, terminal = pty.openpty()
    os.write(keyboard, answer)
    with os.fdopen(terminal, "r") as typed, os.fdopen(keyboard, "wb"):
        monkeypatch.setattr(sys, "stdin", typed)
        said = hrp("orders", "cancel", "--all", over=desk.workspace)

    assert said.code == EXIT_DONE
    assert "dry run: nothing is sent" in said.out
    assert ("nothing was changed" in said.err) == bool(left)
    assert len(desk.working()) == left


# Closing


def flatten(hrp: Hrp, desk: Desk, *words: str) -> Said:
    return hrp("flatten", *words, "--json", over=desk.workspace)


def test_everything_is_closed_at_once_while_the_session_is_on(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10, XOM=7)

    dry = flatten(hrp, desk, "--all", "--dry-run")
    assert outcomes(dry) == {"AAPL": ("10", "DRY_RUN"), "XOM": ("7", "DRY_RUN")}
    assert desk.held() == {"AAPL": 10, "XOM": 7}

    said = flatten(hrp, desk, "--all", "--yes")

    assert (said.code, outcomes(said)) == (EXIT_DONE, {"AAPL": ("10", "SUBMITTED"), "XOM": ("7", "SUBMITTED")})
    assert desk.held() == {}
    assert hrp("run", "position-sync", over=desk.workspace).code == EXIT_DONE
    again = hrp("flatten", "--all", "--yes", over=desk.workspace)
    assert (again.code, again.out.strip()) == (EXIT_DONE, "nothing is held and nothing works there")


def test_after_the_close_the_sales_wait_for_the_next_open_and_a_repetition_sends_nothing(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10)
    desk.at(evening(SECOND))

    said = flatten(hrp, desk, "--all", "--yes")
    sent = desk.placed()
    again = flatten(hrp, desk, "--all", "--yes")

    assert outcomes(said) == {"AAPL": ("10", "SUBMITTED")}
    assert (again.code, again.json["rows"], desk.placed()) == (EXIT_DONE, [], sent)
    (sale,) = [o for o in desk.api.get_orders(account=ACCOUNT) if o.side is SELL]
    assert (sale.tif, sale.for_session, sale.strategy) == (TimeInForce.OPG, THIRD, "flatten")
    desk.at(midday(THIRD))
    assert desk.held() == {}


def test_what_works_on_a_name_is_cancelled_before_it_is_closed(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10, XOM=7)
    desk.at(evening(SECOND))
    desk.orders(Order("AAPL", BUY, 5), Order("XOM", BUY, 5))

    dry = flatten(hrp, desk, "--symbol", "AAPL", "--dry-run")
    assert [(row["side"], row["outcome"]) for row in dry.json["rows"]] == [("buy", "DRY_RUN"), ("sell", "DRY_RUN")]
    assert len(desk.working()) == 2

    said = flatten(hrp, desk, "--symbol", "AAPL", "--yes")

    assert [(row["side"], row["shares"], row["outcome"]) for row in said.json["rows"]] == [
        ("buy", "5", "CANCELLED"), ("sell", "10", "SUBMITTED"),
    ]  # fmt: skip
    desk.at(midday(THIRD))
    assert desk.held() == {"XOM": 12}


def test_an_order_that_was_planned_and_never_sent_is_withdrawn(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10)
    desk.at(evening(SECOND))
    desk.planned(Order("AAPL", BUY, 5), Order("XOM", BUY, 5))

    said = flatten(hrp, desk, "--all", "--yes")

    assert [(row["symbol"], row["side"], row["outcome"]) for row in said.json["rows"]] == [
        ("AAPL", "buy", "WITHDRAWN"), ("XOM", "buy", "WITHDRAWN"), ("AAPL", "sell", "SUBMITTED"),
    ]  # fmt: skip
    with desk.workspace.app.store().read() as con:
        (event,) = load_events(con, event_type="flattened")
    assert (event.actor, event.subject, len(event.details["orders"])) == ("operator", "all", 3)
    assert OrderStatus.PLANNED not in {order.status for order in desk.api.get_orders(account=ACCOUNT)}


def test_a_purchase_of_somebody_else_keeps_its_name_from_being_closed(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10)
    desk.by_hand(Order("AAPL", BUY, 3, OrderType.LIMIT, LOW, tif=TimeInForce.DAY))

    said = flatten(hrp, desk, "--all", "--yes")

    assert said.code == EXIT_NOT_READY
    assert [row["outcome"] for row in said.json["rows"]] == ["NOT_OURS", "LEFT"]
    assert desk.held() == {"AAPL": 10}


def test_a_strategy_is_closed_where_it_alone_brought_the_shares_in(hrp: Hrp, desk: Desk):
    desk.orders(Order("AAPL", BUY, 10), Order("XOM", BUY, 7), strategy="HYP-A")
    desk.orders(Order("MSFT", BUY, 3), strategy="HYP-B")
    desk.at(evening(SECOND))
    assert hrp("run", "position-sync", over=desk.workspace).code == EXIT_DONE
    desk.orders(Order("XOM", BUY, 2), strategy="HYP-B")
    desk.at(midday(THIRD))

    said = flatten(hrp, desk, "--strategy", "HYP-A", "--yes")

    assert (said.code, outcomes(said)) == (EXIT_NOT_READY, {"AAPL": ("10", "SUBMITTED"), "XOM": ("9", "LEFT")})
    assert "brought in by HYP-B too: hrp flatten --symbol XOM" in said.out
    assert desk.held() == {"MSFT": 3, "XOM": 9}


def test_nothing_is_closed_while_the_fate_of_an_order_is_unknown(hrp: Hrp, desk: Desk):
    desk.bought(AAPL=10)
    desk.at(evening(SECOND))
    (lost,) = desk.planned(Order("XOM", BUY, 5))
    desk.api.order_ledger().record_status(lost.order_ref, OrderStatus.SENDING, "by a client that is gone", client_id=9)

    said = hrp("flatten", "--all", "--yes", over=desk.workspace)

    assert (said.code, desk.held()) == (EXIT_NOT_READY, {"AAPL": 10})
    assert f"run: hrp breaks resolve {lost.order_ref}" in said.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "say what to close: --symbol SYMBOL, --strategy ID, or --all"),
        (("--all", "--symbol", "AAPL"), "say what to close"),
        (("--strategy", "HYP-Z", "--yes"), "strategy HYP-Z never had an order"),
        (("--all",), "hrp flatten asks before it acts"),
    ],
)
def test_what_cannot_be_closed_is_wrong_usage(hrp: Hrp, desk: Desk, words: tuple[str, ...], complaint: str):
    said = hrp("flatten", *words, over=desk.workspace)

    assert (said.code, complaint in said.err) == (EXIT_USAGE, True), said.err
