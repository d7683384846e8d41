"""What the pages say, over real workspaces; nothing in them is stood in for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from workspaces import ACCOUNT, CASH, EVE, HYPOTHESIS, LAST, NOW, Workspace, bars, empty_workspace, finished_workspace

from hrp.api.rehearsal import write_market
from hrp.data import adjustments, trading
from hrp.data.db import open_published
from hrp.domain.breaks import Lock, LockScope
from hrp.gateway import client

from .conftest import Open


def said(elements: object) -> list[str]:
    """The texts of `elements` as a person reads them, without what keeps Markdown from laying them out."""
    return [element.value.replace("\\", "") for element in elements]  # type: ignore[attr-defined]


def tables(at: AppTest) -> list[dict[str, list[object]]]:
    return [frame.value.to_dict("list") for frame in at.dataframe]


def table_with(at: AppTest, *columns: str) -> dict[str, list[object]]:
    (found,) = [table for table in tables(at) if set(columns) <= table.keys()]
    return found


def test_the_first_page_shows_the_account_as_the_broker_stated_it(finished: Workspace, open_page: Open) -> None:
    at = open_page(finished)

    assert not at.exception
    assert {metric.label: metric.value for metric in at.metric} == {
        "Portfolio value, USD": "100,338.00",
        "Unrealized P&L, USD": "340.00",
        "Open positions": "2",
        "Cash, USD": "86,298.00",
    }
    assert at.metric[0].delta == f"+338.00 USD since {EVE}"


def test_positions_are_listed_with_value_weight_and_gain(finished: Workspace, open_page: Open) -> None:
    positions = table_with(open_page(finished), "entry_price")

    assert positions["symbol"] == ["NA", "AAPL"]
    assert positions["quantity"] == [70, 50]
    assert positions["market_value"] == [7840, 6200]
    assert positions["weight"] == [pytest.approx(7840 / 100338), pytest.approx(6200 / 100338)]
    assert positions["unrealized_pnl"] == [140, 200]
    assert positions["hypothesis_id"] == [HYPOTHESIS, HYPOTHESIS]


def test_trades_and_the_last_nights_orders_are_listed_with_what_was_denied(
    finished: Workspace, open_page: Open
) -> None:
    at = open_page(finished)

    trades = table_with(at, "filled_price")
    assert list(zip(trades["symbol"], trades["side"], trades["value"], strict=True)) == [
        ("AAPL", "buy", 6000),
        ("NA", "buy", 7700),
    ]
    orders = table_with(at, "denial")
    assert dict(zip(orders["symbol"], orders["denial"], strict=True))["TRUE"] == "MAX_ORDERS: orders=3, limit=2"


def test_a_strategy_shows_model_deployment_predictions_and_drift(finished: Workspace, open_page: Open) -> None:
    at = open_page(finished)

    texts = said(at.markdown)
    assert f"**{HYPOTHESIS}** Ridge over *price* features" in texts
    assert {"core-ridge v1", "2022-12-28 23:30Z", f"5 names, session {EVE}"} <= set(texts)
    assert f":red-badge[drift, session {EVE}]" in texts
    predictions = table_with(at, "rank")
    assert predictions["symbol"] == ["AAPL", "MSFT", "NA", "TRUE", "XOM"]
    assert predictions["held"] == [50, 0, 70, 0, 0]
    alarms = table_with(at, "metric_value")
    assert (alarms["column_name"], alarms["metric_value"]) == (["momentum"], [0.41])


def test_breaks_and_the_last_runs_are_shown(finished: Workspace, open_page: Open) -> None:
    at = open_page(finished)

    assert table_with(at, "explanation")["explanation"] == ["bought by hand"]
    runs = table_with(at, "started_at")
    assert (runs["job"], runs["status"], runs["error"]) == (["position-sync"], ["breaks"], ["1 break"])


def test_what_is_locked_is_shown_with_the_command_that_resolves_it(tmp_path: Path, open_page: Open) -> None:
    workspace = finished_workspace(tmp_path)
    lock = Lock(ACCOUNT, LockScope.INSTRUMENT, "TRUE", "POSITION", "ledger=0, broker=5", LAST, NOW)
    with workspace.app.store().write(publish=True) as con:
        adjustments.open_lock(con, lock)

    at = open_page(workspace)

    assert table_with(at, "scope")["subject"] == ["TRUE"]
    assert "hrp breaks resolve SUBJECT" in said(at.error)[0]


def test_the_models_page_shows_the_ledger_and_every_drift_check(finished: Workspace, open_page: Open) -> None:
    at = open_page(finished, "models")

    assert not at.exception
    assert table_with(at, "reason")["action"] == ["promote"]
    assert table_with(at, "threshold")["verdict"] == ["drift", "ok"]


def test_what_a_job_publishes_is_on_the_page_the_next_time_it_is_drawn(tmp_path: Path, open_page: Open) -> None:
    workspace = finished_workspace(tmp_path)
    at = open_page(workspace, "trading")
    with workspace.app.store().write(publish=True) as con:
        trading.save_breaks(con, LAST, ACCOUNT, [])

    at.run()

    assert "None: ledger and broker agree." in said(at.caption)


def test_without_a_store_the_page_says_which_command_makes_one(tmp_path: Path, open_page: Open) -> None:
    workspace = empty_workspace(tmp_path)
    for copy in workspace.app.settings.published_dir.iterdir():
        copy.unlink()

    for page in ("trading", "models"):
        at = open_page(workspace, page)

        assert not at.exception
        assert said(at.error) == [f"no published copy in {tmp_path / 'published'}; run: hrp init"]


def test_an_empty_store_is_shown_as_empty(tmp_path: Path, open_page: Open) -> None:
    at = open_page(empty_workspace(tmp_path))

    assert not at.exception
    assert said(at.info) == ["No account was synced yet; press Sync positions, or run: hrp run position-sync"]
    assert {"No trades yet.", "No job has run yet; run: hrp run nightly"} <= set(said(at.caption))


def test_a_wrong_setting_is_one_line(tmp_path: Path, open_page: Open) -> None:
    workspace = empty_workspace(tmp_path)
    workspace.env_file.write_text("HRP_TOP_PCT=7\n", encoding="utf-8")

    at = open_page(workspace, "trading")

    assert not at.exception
    assert "HRP_TOP_PCT='7'" in said(at.error)[0]


def test_a_drift_check_without_predictions_says_what_must_run_first(tmp_path: Path, open_page: Open) -> None:
    at = open_page(empty_workspace(tmp_path), "trading")

    at.button(key="drift").click().run()

    assert not at.exception
    assert said(at.error) == [
        f"drift-monitor for {LAST} needs predictions first; run: hrp run predictions --session {LAST}"
    ]


@pytest.fixture
def at_the_gateway(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that has seen no sync, beside a paper gateway of its own with 100,000 USD."""
    gateway = tmp_path / "gateway"
    path = write_market(bars(), gateway / "market.parquet")
    running = client.start(gateway, path, ACCOUNT, clock=NOW, cash=CASH[EVE])
    try:
        yield empty_workspace(tmp_path, IBKR_PORT=running.port)
    finally:
        client.stop(gateway)


def test_sync_positions_fetches_the_account_and_shows_it_at_once(at_the_gateway: Workspace, open_page: Open) -> None:
    at = open_page(at_the_gateway, "trading")
    assert not at.metric

    at.button(key="sync").click().run()

    assert not at.exception
    assert not at.error
    assert said(at.success)[0].startswith(f"position-sync for {LAST}: success")
    assert at.metric[0].value == "100,000.00"
    con = open_published(at_the_gateway.app.settings.published_dir)
    assert [row.cash_usd for row in trading.load_equity(con, ACCOUNT)] == [CASH[EVE]]
    con.close()
