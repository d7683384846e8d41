"""hrp breaks and hrp reconcile at a real gateway: what is explained, what locks, and a person's word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest
from workspaces import ACCOUNT, D

from hrp.data import adjustments as store_adjustments
from hrp.data.journal import load_events
from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from hrp.errors import EXIT_DONE, EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp, Said
from .desk import LOW, SECOND, THIRD, Desk, evening, midday, open_desk

Open = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(open_desk(tmp_path / "home", *given, **more))


def actions(*rows: tuple[str, object, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["symbol", "ex_session", "kind", "value"])


def synced(hrp: Hrp, desk: Desk) -> Said:
    return hrp("run", "position-sync", "--json", over=desk.workspace)


def locked(hrp: Hrp, desk: Desk) -> list[tuple[str, str]]:
    said = hrp("breaks", "--json", over=desk.workspace)
    assert said.code == (EXIT_NOT_READY if said.json["locks"] else EXIT_DONE)
    return [(lock["scope"], lock["subject"]) for lock in said.json["locks"]]


def holding_ten(hrp: Hrp, desk: Desk) -> None:
    """Ten AAPL and ten XOM are held, and ledger and broker agree."""
    assert synced(hrp, desk).code == EXIT_DONE
    desk.bought(AAPL=10, XOM=10)
    assert synced(hrp, desk).json[0]["status"] == "success"


SPLIT_AND_DIVIDEND = actions(("AAPL", THIRD, "split", 2.5), ("XOM", THIRD, "dividend", 0.91))


def test_a_split_and_a_dividend_on_record_are_explained_and_lock_nothing(hrp: Hrp, opened: Open):
    desk = opened(SPLIT_AND_DIVIDEND)
    holding_ten(hrp, desk)
    desk.at(evening(THIRD))

    said = synced(hrp, desk)

    (run,) = said.json
    assert (said.code, run["status"], run["locks"]) == (EXIT_DONE, "explained", [])
    assert [(kind, subject, cause) for kind, subject, _, _, cause, _ in run["breaks"]] == [
        ("POSITION", "AAPL", "split"), ("CASH", "dividend:XOM:2022-12-27", "dividend"),
    ]  # fmt: skip
    assert "split 5 for 2 of AAPL, ex 2022-12-27: 10 became 25" in run["alert"]
    assert desk.held() == {"AAPL": 25, "XOM": 10}
    with desk.workspace.app.store().read() as con:
        changes = store_adjustments.load_adjustments(con, ACCOUNT)
        events = load_events(con, event_type="adjusted")
    assert [(c.symbol, c.shares, c.cash) for c in changes] == [("AAPL", 15, 0), ("XOM", 0, D("9.10"))]
    assert [event.subject for event in events] == ["AAPL", "XOM"]

    again = synced(hrp, desk)

    assert (again.code, again.json[0]["status"], again.json[0]["breaks"]) == (EXIT_DONE, "success", [])
    assert locked(hrp, desk) == []
    shown = hrp("breaks", "--json", over=desk.workspace).json["breaks"]
    assert {row["cause"] for row in shown} == {"split", "dividend"}


def test_a_fraction_of_a_share_is_paid_in_cash_and_explained(hrp: Hrp, opened: Open):
    """Ten shares 1 for 4 are two and a half; half a new share is worth twice the old close."""
    desk = opened(actions(("AAPL", THIRD, "split", 0.25)))
    holding_ten(hrp, desk)
    desk.at(evening(THIRD))

    (run,) = synced(hrp, desk).json

    assert [(kind, subject) for kind, subject, *_ in run["breaks"]] == [
        ("POSITION", "AAPL"), ("CASH", "in-lieu:split:AAPL:2022-12-27"),
    ]  # fmt: skip
    assert (run["status"], desk.held()["AAPL"]) == ("explained", 2)


def test_what_the_store_has_no_record_of_locks_until_a_person_resolves_it(hrp: Hrp, opened: Open):
    desk = opened(SPLIT_AND_DIVIDEND, known=False)
    holding_ten(hrp, desk)
    desk.at(evening(THIRD))

    said = synced(hrp, desk)

    assert (said.code, said.json[0]["status"]) == (EXIT_NOT_READY, "breaks")
    assert locked(hrp, desk) == [("account", "cash"), ("instrument", "AAPL")]
    assert synced(hrp, desk).code == EXIT_NOT_READY
    with desk.workspace.app.store().read() as con:
        assert [event.subject for event in load_events(con, event_type="lock_opened")] == ["AAPL", "cash"]

    dry = hrp(
        "breaks", "resolve", "--all", "--reason", "split and dividend", "--dry-run", "--json", over=desk.workspace
    )

    assert (dry.code, dry.json["dry_run"], dry.json["open"]) == (EXIT_DONE, True, [])
    assert [row[0] for row in dry.json["resolved"]] == ["cash", "cash", "AAPL", "AAPL"]
    assert locked(hrp, desk) == [("account", "cash"), ("instrument", "AAPL")]

    one = hrp("breaks", "resolve", "AAPL", "--reason", "split", "--yes", "--json", over=desk.workspace)

    assert (one.code, one.json["open"]) == (EXIT_NOT_READY, ["cash"])
    assert hrp("breaks", "resolve", "cash", "--reason", "dividend", "--yes", over=desk.workspace).code == EXIT_DONE
    assert synced(hrp, desk).json[0]["status"] == "success"
    assert locked(hrp, desk) == []
    with desk.workspace.app.store().read() as con:
        resolved = load_events(con, event_type="break_resolved")
        changes = store_adjustments.load_adjustments(con, ACCOUNT)
    assert [(event.subject, event.actor, event.details["reason"]) for event in resolved] == [
        ("AAPL", "operator", "split"), ("cash", "operator", "dividend"),
    ]  # fmt: skip
    assert [(c.kind, c.shares, c.cash) for c in changes] == [("resolved", 15, 0), ("resolved", 0, D("9.10"))]


def test_a_trade_of_another_client_is_explained_and_becomes_part_of_the_book(hrp: Hrp, opened: Open):
    desk = opened()
    holding_ten(hrp, desk)
    desk.by_hand(Order("AAPL", OrderSide.BUY, 3, tif=TimeInForce.DAY))

    said = synced(hrp, desk)

    (run,) = said.json
    assert (said.code, run["status"]) == (EXIT_DONE, "explained")
    assert [(row[0], row[4], row[5]) for row in run["breaks"]] == [
        ("FOREIGN_FILL", "other_client", "an order of client 77 that HRP did not place")
    ]
    assert synced(hrp, desk).json[0]["status"] == "success"
    with desk.workspace.app.store().read() as con:
        (change,) = store_adjustments.load_adjustments(con, ACCOUNT)
    assert (change.shares, change.kind) == (3, "other_client")


def test_a_resting_order_of_another_client_is_named_and_locks_nothing(hrp: Hrp, opened: Open):
    desk = opened()
    holding_ten(hrp, desk)
    desk.by_hand(Order("AAPL", OrderSide.BUY, 3, OrderType.LIMIT, LOW))

    (run,) = synced(hrp, desk).json

    assert [(row[0], row[4]) for row in run["breaks"]] == [("FOREIGN_ORDER", "other_client")]
    assert (run["status"], run["locks"]) == ("explained", [])


def test_an_order_that_works_across_a_split_is_named_with_the_command_that_cancels_it(hrp: Hrp, opened: Open):
    desk = opened(actions(("AAPL", THIRD, "split", 2)))
    assert synced(hrp, desk).code == EXIT_DONE
    desk.at(evening(SECOND))
    (ref,) = desk.orders(Order("AAPL", OrderSide.BUY, 5))

    said = synced(hrp, desk)

    assert said.code == EXIT_NOT_READY
    assert "buy 5 AAPL works across the split 2 for 1 of AAPL, ex 2022-12-27" in said.json[0]["alert"]
    assert f"hrp orders cancel {ref}" in said.json[0]["alert"]


def test_reconcile_says_what_the_brokers_word_changes_and_a_dry_run_changes_nothing(hrp: Hrp, opened: Open):
    desk = opened()
    assert synced(hrp, desk).code == EXIT_DONE
    (ref,) = desk.orders(Order("AAPL", OrderSide.BUY, 5))
    desk.at(midday(SECOND))

    dry = hrp("reconcile", "--dry-run", "--json", over=desk.workspace)

    assert dry.json["orders"] == [{"order_ref": ref, "symbol": "AAPL", "was": "acked", "status": "filled"}]
    assert [(fill["symbol"], fill["quantity"]) for fill in dry.json["new fills"]] == [("AAPL", "5.000000")]
    assert [order.status for order in desk.api.get_orders(account=ACCOUNT)] == [OrderStatus.ACKED]

    assert hrp("reconcile", over=desk.workspace).code == EXIT_USAGE
    real = hrp("reconcile", "--yes", "--json", over=desk.workspace)

    assert {**real.json, "dry_run": True} == dry.json
    assert (real.code, real.json["breaks"]) == (EXIT_DONE, [])
    assert [order.status for order in desk.api.get_orders(account=ACCOUNT)] == [OrderStatus.FILLED]
    assert hrp("reconcile", "--yes", "--json", over=desk.workspace).json["orders"] == []


def test_an_order_whose_fate_is_unknown_is_ended_on_a_persons_word(hrp: Hrp, opened: Open):
    desk = opened()
    assert synced(hrp, desk).code == EXIT_DONE
    (order,) = desk.planned(Order("AAPL", OrderSide.BUY, 5))
    desk.api.order_ledger().record_status(order.order_ref, OrderStatus.SENDING, "of a client that is gone", client_id=9)

    waiting = synced(hrp, desk)
    dry = hrp("breaks", "resolve", order.order_ref, "--reason", "not in TWS", "--dry-run", over=desk.workspace)
    still = [one.status for one in desk.api.get_orders(account=ACCOUNT)]
    said = hrp("breaks", "resolve", order.order_ref, "--reason", "not in TWS", "--yes", "--json", over=desk.workspace)

    assert (waiting.code, waiting.json[0]["breaks"][0][:2]) == (EXIT_NOT_READY, ["UNKNOWN_ORDER", order.order_ref])
    assert (waiting.json[0]["locks"], still) == ([], [OrderStatus.UNKNOWN])
    assert "would be taken over" in dry.out
    assert (said.code, [row[1] for row in said.json["resolved"]]) == (
        EXIT_DONE, ["ended as not at the broker, it was unknown"],
    )  # fmt: skip
    assert [one.status for one in desk.api.get_orders(account=ACCOUNT)] == [OrderStatus.CANCELLED]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("AAPL", "--reason", "why"), "asks before it acts and here is no terminal"),
        (("AAPL",), "say why: --reason TEXT"),
        (("--reason", "why"), "name what to resolve, or --all"),
        (("AAPL", "--all", "--reason", "why"), "name what to resolve, or --all"),
        (("AAPL", "--reason", "why", "--yes"), "nothing about AAPL is open; see: hrp breaks"),
    ],
)
def test_what_cannot_be_resolved_is_wrong_usage(hrp: Hrp, opened: Open, words: tuple[str, ...], complaint: str):
    said = hrp("breaks", "resolve", *words, over=opened().workspace)

    assert (said.code, complaint in said.err) == (EXIT_USAGE, True), said.err
