"""How the account of the paper gateway trades, chosen when it is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Hrp

MARKET = {
    "symbol": ["AAA"], "session": [date(2024, 1, 2)], "open": [100.0], "high": [104.0], "low": [99.0],
    "close": [102.0], "volume": [1000],
}  # fmt: skip


@pytest.fixture
def owner(hrp: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hrp]:
    """A workspace whose gateway has a market of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = {"HRP_HOME": tmp_path / "home", "IBKR_ACCOUNT": "DU1234567", "IBKR_PORT": port}
    for name, value in chosen.items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "home" / "gateway").mkdir(parents=True)
    pd.DataFrame(MARKET).to_parquet(tmp_path / "home" / "gateway" / "market.parquet")
    yield hrp
    hrp("gateway", "stop")


def test_the_terms_of_the_account_are_given_at_the_start_and_kept(owner: Hrp, tmp_path: Path):
    (tmp_path / "actions.csv").write_text("symbol,ex_session,kind,value\n")
    terms = [
        "--commission=tiered", "--volume-share=0.1", "--closing-cutoff-minutes=15", "--base-currency=GBP",
        "--rate=1.25", "--actions=actions.csv",
    ]  # fmt: skip
    assert owner("gateway", "start", "--cash", "1000.00", *terms).code == 0
    now = owner("gateway", "status", "--json").json
    assert (now["cash_usd"], now["net_liquidation_usd"]) == ("0.00", "1250.00")
    owner("gateway", "stop")

    (tmp_path / "actions.csv").write_text("symbol,ex_session,kind,value\nAAA,2024-01-06,split,2\n")
    refused = owner("gateway", "start")

    assert refused.code != 0
    assert "actions.csv" in refused.err
    assert "an ex_session that is a session" in refused.err


def test_terms_that_make_no_sense_are_told_as_the_gateway_told_them(owner: Hrp):
    refused = owner("gateway", "start", "--volume-share", "2")
    assert refused.code != 0
    assert "--volume-share '2' is not a fraction in (0, 1]" in refused.err
