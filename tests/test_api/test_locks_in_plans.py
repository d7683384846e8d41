"""What is in doubt is not traded: locks and coming splits in the plan of a night."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from workspaces import ACCOUNT, EVE, LAST, NOW, finished_workspace

from hrp.api.platform import PlatformAPI
from hrp.data import adjustments, market
from hrp.data.rows import Connection
from hrp.domain.breaks import Lock, LockScope
from hrp.domain.plan import Plan
from hrp.domain.positions import Account, BrokerState, Position
from hrp.domain.quality import Effect, Finding

from .test_books import D


def lock(scope: LockScope, subject: str) -> Callable[[Connection], object]:
    kind = "POSITION" if scope is LockScope.INSTRUMENT else "CASH"
    one = Lock(ACCOUNT, scope, subject, kind, "ledger=1, broker=2", EVE, NOW)
    return lambda con: adjustments.open_lock(con, one)


def split(symbol: str, ex_session: object) -> Callable[[Connection], object]:
    row = {"symbol": symbol, "ex_session": ex_session, "kind": "split", "value": 2.0, "source": "test"}
    return lambda con: market.save_corporate_actions(con, pd.DataFrame([row]), NOW)


def plan(home: Path, *arranged: Callable[[Connection], object], **held: int) -> Plan:
    api = PlatformAPI(finished_workspace(home).app)
    with api.app.store().write() as con:
        con.execute("UPDATE drift_checks SET verdict = 'ok'; DELETE FROM orders")
        for arrange in arranged:
            arrange(con)
    positions = tuple(Position(symbol, D(shares), D(100)) for symbol, shares in held.items())
    state = BrokerState(Account(ACCOUNT, D(100_000), D(50_000)), positions, (), (), (), NOW)
    return api.make_plan(EVE, api.get_nights(EVE), state)


def clips(made: Plan, symbol: str) -> list[tuple[str, str]]:
    return next([(clip.limit, clip.detail) for clip in line.clips] for line in made.lines if line.symbol == symbol)


@pytest.mark.parametrize(
    ("arranged", "code", "words"),
    [
        (lock(LockScope.INSTRUMENT, "XOM"), "BREAK", "kind=POSITION, since=2022-12-27, ledger=1, broker=2"),
        (split("XOM", LAST), "CORPORATE_ACTION", "split 2 for 1 of XOM, ex 2022-12-28"),
    ],
)
def test_a_name_in_doubt_stays_as_it_is(tmp_path: Path, arranged: Callable, code: str, words: str):
    """XOM has the worst prediction: it would be sold."""
    assert [order.symbol for order in plan(tmp_path / "free", XOM=10).orders if order.signed_quantity < 0] == ["XOM"]

    made = plan(tmp_path / "held", arranged, XOM=10)

    assert clips(made, "XOM") == [(code, words)]
    assert "XOM" not in {order.symbol for order in (*made.orders, *made.denied)}


@pytest.mark.parametrize("ex_session", [EVE, "2022-12-29"])
def test_a_split_of_another_session_freezes_nothing(tmp_path: Path, ex_session: object):
    made = plan(tmp_path, split("XOM", ex_session), XOM=10)

    assert "XOM" in {order.symbol for order in made.orders}


def test_a_lock_of_the_account_denies_every_purchase_and_no_sale(tmp_path: Path):
    made = plan(tmp_path, lock(LockScope.ACCOUNT, "cash"), XOM=10)

    assert [order.symbol for order in made.orders] == ["XOM"]
    assert {order.denial for order in made.denied} == {"BREAK: kind=CASH, since=2022-12-27, ledger=1, broker=2"}


def test_the_graver_reason_is_the_one_on_record(tmp_path: Path):
    finding = Finding(EVE, "FLAT", "XOM", Effect.QUARANTINE, "why")
    made = plan(
        tmp_path,
        split("XOM", LAST),
        lock(LockScope.INSTRUMENT, "XOM"),
        lambda con: market.save_findings(con, EVE, [finding], "test"),
        XOM=10,
    )

    assert [code for code, _ in clips(made, "XOM")] == ["QUARANTINED"]
