"""What is displayed, out of what was read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hrp.dashboard import views
from hrp.data.trading import Equity

NOW = datetime(2022, 12, 28, 23, 30, tzinfo=UTC)
DAYS = [date(2022, 12, 27), date(2022, 12, 28)]
EQUITY = [
    Equity(day, "DU1", Decimal(value), Decimal(10), NOW, unrealized_pnl_usd=Decimal(5))
    for day, value in zip(DAYS, (1000, 990), strict=True)
]
TRACKING = pd.DataFrame(
    {
        "session": pd.to_datetime(DAYS),
        "paper_equity_usd": [1000.0, 990.0],
        "backtest_equity_usd": [1000.0, 991.0],
        "index_level": [4000.0, 3960.0],
    }
)


def test_unrealized_profit_is_not_known_while_a_holding_has_no_price() -> None:
    priced, unpriced = {"current_price": Decimal(3)}, {"current_price": None}

    assert views.unrealized(EQUITY[-1], [priced]) == 5
    assert views.unrealized(EQUITY[-1], [priced, unpriced]) is None
    assert views.money(None) == "not known"


def test_a_holding_without_a_price_has_no_weight() -> None:
    row = dict.fromkeys(views.POSITIONS) | {"symbol": "TRUE", "quantity": Decimal(3)}

    frame = views.positions_table([row], EQUITY[-1])

    assert frame["symbol"].tolist() == ["TRUE"]
    assert frame["weight"].isna().all()


def test_the_change_is_told_with_the_session_it_counts_from() -> None:
    assert views.change_since(EQUITY) == "-10.00 USD since 2022-12-27"
    assert views.change_since(EQUITY[:1]) is None


def test_the_chart_shows_account_backtest_and_the_index_from_the_accounts_start() -> None:
    lines = {line.name: list(line.y) for line in views.equity_figure(EQUITY, TRACKING).data}

    assert lines == {
        "paper account": [1000, 990],
        "backtest": [1000, 991],
        "index, scaled": [1000, pytest.approx(990)],
    }


def test_without_a_backtest_the_chart_shows_the_account_alone() -> None:
    assert [line.name for line in views.equity_figure(EQUITY, TRACKING[:0]).data] == ["paper account"]


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1))
def test_text_is_shown_as_it_stands(text: str) -> None:
    (block,) = [token for token in MarkdownIt().parse(views.unformatted("x" + text)) if token.type == "inline"]

    assert "".join(token.content for token in block.children or []) == "x" + text
