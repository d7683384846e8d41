"""From nothing to resting orders, one command after the other, as the README tells a newcomer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrp.errors import EXIT_NOT_READY

from .conftest import Hrp

EVENING = "2022-12-28T23:30:00+00:00"


@pytest.fixture
def newcomer(hrp: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hrp]:
    """A folder with nothing in it but a choice of where the workspace goes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = {"HRP_HOME": tmp_path / "home", "IBKR_ACCOUNT": "DU1234567", "IBKR_PORT": port, "HRP_CLOCK": EVENING}
    for name, value in chosen.items():
        monkeypatch.setenv(name, str(value))
    yield hrp
    hrp("gateway", "stop")


def test_the_path_by_hand_leads_from_nothing_to_resting_orders(newcomer: Hrp):
    hrp = newcomer
    assert "hrp init" in hrp("init").out
    assert hrp("init").code == 0
    assert hrp("doctor").code == EXIT_NOT_READY

    assert hrp("run", "prices").code == 0
    trained = hrp("train", "alpha", "--from", "2010-01-04", "--json").json
    assert (trained["version"], "mean_rank_ic" in trained["metrics"]) == (1, True)
    preview = hrp("models", "promote", "alpha", "1", "--dry-run", "--json").json
    assert preview["reasons"] == []
    assert hrp("models", "history", "--json").json == []
    promoted = hrp("models", "promote", "alpha", "1", "--strategy", "Alpha", "--json").json
    assert promoted == {"model": "alpha", "version": 1, "strategy": "HYP-2022-001"}
    assert [row["alias"] for row in hrp("models", "list", "alpha", "--json").json] == ["champion"]

    backtest = hrp("backtest", "alpha", "--from", "2022-06-01", "--json").json
    assert set(backtest["stats"]) >= {"total_return", "sharpe", "max_drawdown", "turnover_a_year"}

    assert hrp("gateway", "start", "--clock", EVENING).code == 0
    assert hrp("run", "quality").code == 0
    assert hrp("doctor").code == 0

    dry = {run["job"]: run for run in hrp("run", "nightly", "--dry-run", "--json").json}
    assert hrp("orders", "--json").json == []
    real = {run["job"]: run for run in hrp("run", "nightly", "--no-trading-dry-run", "--json").json}
    assert dry["live-trader"]["plan_hash"] == real["live-trader"]["plan_hash"]
    assert [row["status"] for row in hrp("orders", "--json").json] == ["acked", "acked"]
    # Two of twenty names at a tenth of 1,000,000 USD each.
    assert hrp("gateway", "status", "--json").json["working_orders"] == 2

    assert len(hrp("gateway", "log", "--message", "3", "--direction", "in", "--json").json) == 2
    assert "would be frozen" in hrp("models", "rollback", "alpha", "--dry-run").out
    assert hrp("models", "freeze", "alpha", "--reason", "a look first").code == 0
    assert hrp("models", "history", "--json").json[0]["action"] == "freeze"
    assert hrp("models", "unfreeze", "alpha").code == 0
    assert hrp("models", "allocate", "alpha", "0.5", "--json").json["allocation"] == "0.5"
    assert hrp("models", "retire", "alpha").code == 0
    assert hrp("gateway", "stop", "--json").json == {"stopped": True}
