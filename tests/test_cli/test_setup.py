"""hrp init, doctor, resolve, schedule and the settings that they start from."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import ACCOUNT, HYPOTHESIS, SESSIONS, Workspace, empty_workspace, finished_workspace

from hrp.config import env_example
from hrp.data import orders as store_orders
from hrp.data.journal import load_events
from hrp.domain.orders import OrderSide, OrderStatus, order_ref
from hrp.errors import EXIT_NOT_READY, EXIT_USAGE

from .conftest import Hrp

REF = order_ref(SESSIONS[-2], ACCOUNT, HYPOTHESIS, "AAPL", OrderSide.BUY)


def test_init_writes_the_example_settings_and_only_then_makes_the_store(hrp: Hrp, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HRP_HOME", str(tmp_path / "home"))
    assert "then again: hrp init" in hrp("init").out
    assert (tmp_path / ".env").read_text() == env_example()
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "home").exists()
    assert hrp("init").code == 0
    assert hrp("status").code == 0


def test_init_again_keeps_what_is_there(hrp: Hrp, tmp_path: Path):
    (tmp_path / ".env").write_text(f"HRP_HOME={tmp_path / 'home'}\nHRP_MAX_ORDERS=7\n")
    assert "migrations" in hrp("init").out
    assert "up to date" in hrp("init").out
    assert "HRP_MAX_ORDERS=7" in (tmp_path / ".env").read_text()


def test_doctor_names_everything_that_is_missing_and_what_to_do(hrp: Hrp, tmp_path: Path):
    workspace = empty_workspace(tmp_path / "home", IBKR_PORT=1)
    said = hrp("doctor", "--json", over=workspace)
    state = {check["check"]: check for check in said.json}
    assert said.code == EXIT_NOT_READY
    assert [name for name, check in state.items() if check["ok"]] == ["workspace", "store", "lineage", "models"]
    assert "run: hrp run prices" in state["prices"]["detail"]
    assert "run: hrp train" in state["strategies"]["detail"]
    assert "127.0.0.1:1" in state["broker"]["detail"]


@pytest.fixture
def unknown_order(tmp_path: Path) -> Workspace:
    workspace = finished_workspace(tmp_path / "home")
    ledger = store_orders.StoreLedger(workspace.app.store(), workspace.app.clock.now)
    ledger.record_status(REF, OrderStatus.SENDING, "about to be sent", broker_order_id=7)
    return workspace


def status_of(workspace: Workspace) -> OrderStatus:
    with workspace.app.store().read() as con:
        return next(order.status for order in store_orders.load_orders(con) if order.order_ref == REF)


def test_an_order_whose_fate_is_unknown_is_ended_by_a_person_and_leaves_a_trace(hrp: Hrp, unknown_order: Workspace):
    said = hrp("resolve", REF, "--reason", "not in TWS", over=unknown_order)
    assert said.code == 0
    assert status_of(unknown_order) is OrderStatus.CANCELLED
    with unknown_order.app.store().read() as con:
        (event,) = load_events(con, event_type="order_resolved")
    assert (event.subject, event.details) == (REF, {"was": "sending", "reason": "not in TWS"})


def test_a_dry_resolve_changes_nothing(hrp: Hrp, unknown_order: Workspace):
    said = hrp("resolve", REF, "--reason", "not in TWS", "--dry-run", over=unknown_order)
    assert "would be cancelled" in said.out
    assert status_of(unknown_order) is OrderStatus.SENDING


def test_an_order_whose_fate_is_known_is_not_ended_by_hand(hrp: Hrp, finished: Workspace):
    said = hrp("resolve", REF, "--reason", "tidying", over=finished)
    assert said.code == EXIT_USAGE
    assert f"order {REF} is pending" in said.err
    assert "there is no order nonsense" in hrp("resolve", "nonsense", "--reason", "typo", over=finished).err


def test_the_schedule_can_be_looked_at_without_installing_it(hrp: Hrp, finished: Workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    said = hrp("schedule", "install", "--dry-run", over=finished)
    assert said.code == 0
    assert "would write com.hrp.live-trader" in said.out
    assert not (tmp_path / ".config").exists()
    assert not (tmp_path / "Library").exists()


def test_a_command_that_does_not_exist_is_wrong_usage(hrp: Hrp):
    assert hrp("sell-everything").code == EXIT_USAGE
