"""What `hrp gateway` shows: the message log, and the scenarios there are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from test_gateway.support import RawClient, order_fields

from hrp.gateway import scenario

from .conftest import Hrp

MARKET = {
    "symbol": ["AAA"], "session": [date(2024, 1, 2)], "open": [100.0], "high": [104.0], "low": [99.0],
    "close": [102.0], "volume": [1000],
}  # fmt: skip
REF = "hrp-20240102-AAA-B1-abcdef12"


@pytest.fixture
def owner(hrp: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hrp]:
    """A workspace whose gateway swallows the second order and has heard two."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = {"HRP_HOME": tmp_path / "home", "IBKR_ACCOUNT": "DU1234567", "IBKR_PORT": port}
    for name, value in chosen.items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "home" / "gateway").mkdir(parents=True)
    pd.DataFrame(MARKET).to_parquet(tmp_path / "home" / "gateway" / "market.parquet")
    storm = ["--scenario", "dialog-swallows-burst", "--server-version", "178"]
    assert hrp("gateway", "start", "--clock", "2024-01-02T23:00:00+00:00", *storm).code == 0
    _send_orders(port)
    yield hrp
    hrp("gateway", "stop")


def _send_orders(port: int) -> None:
    with RawClient(port) as raw:
        assert raw.greet("v157..178", client_id=7)[0] == "178"
        for number, ref in ((1, REF), (2, "other")):
            order = order_fields(number, "BUY", 10, account="DU1234567", ref=ref)
            raw.send(*order[:42], *order[43:])  # faProfile is gone at 177
        raw.send("49", "1")
        raw.read_until("49")


def test_the_log_is_a_line_a_message_by_name_and_telling_fields(owner: Hrp):
    lines = owner("gateway", "log", "--order-ref", REF).out.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "at (UTC) way who message id symbol what",
        f"2024-01-02 23:00:00 in 7 placeOrder 1 AAA BUY 10 MKT OPG ref={REF}",
        f"2024-01-02 23:00:00 out 7 openOrder 1 AAA BUY 10 PreSubmitted ref={REF} p…",
        "2024-01-02 23:00:00 out 7 orderStatus 1 AAA PreSubmitted filled=0 left=10 at=0.0 perm=1500000001",
    ]
    whole = owner("gateway", "log").out.splitlines()
    assert max(map(len, whole)) <= 120
    assert len(whole) > len(lines)


def test_the_log_is_narrowed_and_read_by_programs(owner: Hrp):
    orders = owner("gateway", "log", "--message", "placeOrder", "--json").json
    assert [(entry["message_id"], entry["named"]["order_ref"]) for entry in orders] == [(3, REF), (3, "other")]
    assert owner("gateway", "log", "--message", "3", "--direction", "in", "--json").json == orders
    assert len(owner("gateway", "log", "--symbol", "AAA", "--direction", "out", "--json").json) == 2
    [newest] = owner("gateway", "log", "--last", "1", "--message", "placeOrder", "--json").json
    assert newest["named"]["order_ref"] == "other"
    assert "fault 1" in owner("gateway", "log", "--direction", "note").out
    assert owner("gateway", "log", "--symbol", "ZZZ").out == "no messages\n"


WRONG = [
    (["--message", "order"], "there is no message 'order'; names: "),
    (["--direction", "up"], "not in, out or note"),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_a_filter_that_fits_nothing_is_refused(owner: Hrp, words: list[str], told: str):
    refused = owner("gateway", "log", *words)
    assert (refused.code, told in refused.err) == (2, True)


def test_the_scenarios_are_listed_with_what_happens(hrp: Hrp):
    rows = hrp("gateway", "scenarios", "--json").json
    assert [row["name"] for row in rows] == scenario.names()
    assert rows[0].keys() == {"name", "about", "seen"}
    shown = hrp("gateway", "scenarios").out
    assert all(name in shown for name in scenario.names())


def test_a_scenario_that_nobody_has_is_refused(hrp: Hrp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HRP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IBKR_ACCOUNT", "DU1234567")
    (tmp_path / "home" / "gateway").mkdir(parents=True)
    pd.DataFrame(MARKET).to_parquet(tmp_path / "home" / "gateway" / "market.parquet")
    refused = hrp("gateway", "start", "--scenario", "storm")
    assert (refused.code, "there is no scenario 'storm'" in refused.err) == (2, True)
