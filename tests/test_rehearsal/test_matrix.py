"""Every tenth boundary of the crash matrix; `make rehearse` plays it whole. And what it must find, it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hrp.rehearsal.books import Books, Findings, against_clean, in_itself, next_plan, unsent
from hrp.rehearsal.case import Case
from hrp.rehearsal.effects import CONNECT
from hrp.rehearsal.matrix import Matrix, Play, Result, play
from hrp.rehearsal.processes import Act, Doom

from . import planted

PARTS = 6
STEP = 10


def played(cases: list[Play]) -> list[Result]:
    return [result for found in play(cases) for result in found]


def wrong(results: list[Result]) -> list[str]:
    return [
        f"{result.part}, {result.where}: {result.trouble or result.findings}" for result in results if not result.fine
    ]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_night_killed_at_any_boundary_ends_as_a_clean_one_or_asks(night: Matrix, part: int) -> None:
    results = played(night.kills(STEP)[part::PARTS])

    assert wrong(results) == []
    assert {result.part for result in results} == {"killed, run again", "killed, next session only"}


def test_a_sync_killed_at_any_boundary_ends_as_a_clean_one(morning: Matrix) -> None:
    assert wrong(played(morning.kills(STEP))) == []


def test_of_two_nights_at_once_one_is_refused(night: Matrix) -> None:
    to_the_broker = [effect.ordinal for effect in night.clean.effects if effect.kind == CONNECT]

    assert wrong(night.two_at_once(to_the_broker[-1])) == []


@pytest.mark.parametrize("act", [Act.KILL_GATEWAY, Act.KILL_BOTH, Act.FULL_DISK])
def test_what_ends_under_the_night_is_set_up_again_and_the_night_goes_on(night: Matrix, act: Act) -> None:
    assert wrong(night.disturbed(Doom(_first_order(night), act))) == []


def _first_order(night: Matrix) -> int:
    return next(effect.ordinal for effect in night.clean.effects if effect.kind == "send" and "place" in effect.chain)


# What must be found


@pytest.fixture
def clean(night: Matrix) -> Books:
    return night.clean.books


def without(books: Books, table: str, symbol: str = "") -> Books:
    """The books without a row of one table."""
    rows = [row for row in books.tables[table] if not symbol or row["symbol"] == symbol]
    return replace(books, tables={**books.tables, table: [row for row in books.tables[table] if row is not rows[0]]})


def changed(books: Books, table: str, **values: object) -> Books:
    """The books with other values in the last row of one table."""
    *rows, last = books.tables[table]
    return replace(books, tables={**books.tables, table: [*rows, {**last, **values}]})


def test_the_clean_night_agrees_with_itself(clean: Books) -> None:
    assert against_clean(clean, clean) == Findings()
    assert unsent(clean) == Findings()


def test_a_fill_that_the_ledger_lost_is_found(clean: Books) -> None:
    assert in_itself(without(clean, "fills")).lost == 1


def test_an_order_that_never_filled_is_found(clean: Books) -> None:
    short = replace(clean, executions=clean.executions[:-1])

    assert against_clean(clean, short).lost == 2  # the gateway lacks it, and the ledger has one that nobody reported


def test_a_fill_at_another_price_is_found(clean: Books) -> None:
    assert in_itself(changed(clean, "fills", price=Decimal("1.23"))).lost == 2


def test_orders_that_are_sent_twice_are_found(clean: Books, case: Case, call: Callable[..., Any]) -> None:
    books = call(planted.every_order_twice, case.workspace)

    assert in_itself(books).duplicates == len(books.placed) - len(clean.placed) > 0


@pytest.mark.parametrize(
    ("table", "values", "said"),
    [
        ("positions", {"quantity": Decimal(1)}, "positions: ledger"),
        ("equity", {"cash_usd": Decimal(1)}, "cash: ledger 1, gateway"),
        ("orders", {"status": "acked"}, "is still acked after"),
        ("orders", {"status": "planned"}, "the ledger does not say it was sent"),
    ],
)
def test_a_ledger_that_tells_another_story_is_found(
    clean: Books, table: str, values: Mapping[str, object], said: str
) -> None:
    assert said in str(in_itself(changed(clean, table, **values)))


def test_a_break_is_found(clean: Books) -> None:
    broken = replace(clean, tables={**clean.tables, "breaks": [{"kind": "CASH"}]})

    assert in_itself(broken).breaks == 1


def test_a_plan_from_another_account_than_the_true_one_is_found(clean: Books) -> None:
    assert "plan of" in str(next_plan(replace(clean, cash=Decimal(1))))


def test_another_report_is_found(clean: Books) -> None:
    other = replace(clean, reports={session: f"{text} " for session, text in clean.reports.items()})

    assert "report of" in str(against_clean(clean, other))


def test_a_process_that_hangs_is_ended_and_says_where_it_stood(call: Callable[..., Any]) -> None:
    assert "hung for 1 s at" in call(planted.waits_for_ever, seconds=1)


def test_a_process_that_crashes_says_why(call: Callable[..., Any]) -> None:
    assert call(planted.crashes) == "RuntimeError: nobody foresaw this"
