"""What the contract does to an account that it takes for a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from hrp.domain.sessions import last_closed, sessions_between
from hrp.gateway import client
from hrp.wiring import SystemClock

from .live.venue import BARS, SESSIONS, SYMBOL, VARIABLES, paper_gateway

ROOT = Path(__file__).parents[2]


def test_a_real_account_sees_single_shares_far_from_the_market_and_ends_as_it_began(tmp_path: Path):
    now = SystemClock().now()
    newest = last_closed(now)
    sessions = sessions_between(newest - timedelta(days=21), newest)[-len(SESSIONS) :]
    with paper_gateway(tmp_path, sessions=sessions, clock=now) as venue:
        named = dict(zip(VARIABLES, (venue.host, str(venue.port), "41", venue.account), strict=True))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", ROOT / "tests/integration/live"],
            env={**os.environ, **named, "ENABLE_INTEGRATION": "1"},
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert venue.gateway is not None
        left = client.status(venue.gateway)
        placed = [message.fields for message in client.message_log(venue.gateway, direction="in", message_id=3)]

    assert done.returncode == 0, done.stdout
    assert "a real server" in done.stdout
    half = Decimal(BARS[SYMBOL][-1][1]) / 2
    assert placed
    assert {(fields[3], fields[16], fields[17], fields[18], fields[21]) for fields in placed} == {
        (SYMBOL, "BUY", "1", "LMT", "DAY")
    }
    assert max(Decimal(fields[19]) for fields in placed) <= half
    assert (left.working_orders, left.cash, left.net_liquidation) == (0, 1_000_000, 1_000_000)
