"""History is told in today's shares, as TWS tells it."""

from __future__ import annotations

import pytest

from .support import Teller, at, open_desk

CONTRACT = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def bars(teller: Teller) -> list[tuple[str, ...]]:
    """(day, open, high, low, close, volume) of the last five sessions."""
    [answer] = teller.ask("20", "5", *CONTRACT, "0", "", "1 day", "5 D", "1", "TRADES", "1", "0", "")
    return [answer[start : start + 6] for start in range(5, len(answer), 8)]


BEFORE = ("20240102", "100.0", "104.0", "99.0", "102.0", "1000")
RESTATED = ("20240102", "50.000000", "52.000000", "49.500000", "51.000000", "2000")
AFTER = ("20240103", "103.0", "106.0", "101.0", "105.0", "1100")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (at(2, 22), [BEFORE]),  # the evening before it splits
        (at(3, 15), [RESTATED]),  # its session is running: its open is in new shares
        (at(3, 22), [RESTATED, AFTER]),
    ],
)
def test_bars_before_a_split_are_restated_from_its_open_on(tmp_path, now, told):
    file = tmp_path / "actions.csv"
    file.write_text("symbol,ex_session,kind,value\nAAA,2024-01-03,split,2\nAAA,2024-01-03,dividend,1\n")
    assert bars(Teller(open_desk(tmp_path, now, actions=str(file)))) == told
