"""What trading costs: worked out by hand on three sessions, and against the backtest's own bookkeeping."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest

from hrp.domain.commission import ibkr_fixed
from hrp.domain.portfolio import Limits
from hrp.research.backtest import run_backtest
from hrp.research.frictions import SLIPPAGE, annual_return, equity_at

from .markets import random_market

CASH, CREDIT = Decimal(100_000), Decimal(100_000)
LIMITS = Limits(max_positions=4, max_position_pct=Decimal("0.25"), max_order_value_usd=Decimal(100_000))
DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"], name="session")


def backtest(**options: object):
    market = random_market(seed=5)
    inputs = (market.weights, market.predictions, market.opens, market.closes)
    return run_backtest(*inputs, cash=CASH, credit_usd=CREDIT, limits=LIMITS, **options)


def test_every_multiple_of_the_cost_is_taken_off_from_the_session_of_the_fill_on():
    orders = pd.DataFrame({
        "for_session": DAYS[[1, 1, 2]], "quantity": [10, 20, 30], "price": [100.0, 50.0, 10.0],
        "commission": [1.0, 2.0, 0.0], "status": ["filled", "filled", "expired"],
    })  # fmt: skip
    result = replace(backtest(), equity=pd.Series([1000.0, 990.0, 995.0], index=DAYS), orders=orders)
    cost = 3.0 + 2000 * SLIPPAGE  # two fills of 1,000 USD; what expired costs nothing

    assert equity_at(result, 0).tolist() == [1000.0, 993.0, 998.0]
    assert equity_at(result, 1).tolist() == [1000.0, 993.0 - cost, 998.0 - cost]
    assert equity_at(result, 5).tolist() == [1000.0, 993.0 - 5 * cost, 998.0 - 5 * cost]


def test_without_any_cost_it_is_the_same_trades_without_their_commissions():
    result = backtest()
    paid = result.orders["commission"].sum()

    assert paid > 0
    assert equity_at(result, 0).iloc[-1] == pytest.approx(result.equity.iloc[-1] + paid)
    assert result.stats["commissions_usd"] == pytest.approx(paid)
    assert (equity_at(result, 2) <= equity_at(result, 1)).all()


def test_twice_the_commission_at_the_broker_is_twice_the_commission_here():
    cheap = backtest()
    dear = backtest(commission=lambda shares, price: 2 * ibkr_fixed(shares, price))
    first = cheap.orders["for_session"].iloc[0]  # later trades differ, because there is less to invest
    before = cheap.orders[cheap.orders["for_session"] == first]
    slippage = SLIPPAGE * (before["quantity"] * before["price"]).sum()

    assert equity_at(cheap, 2)[first] + 2 * slippage == pytest.approx(dear.equity[first], abs=0.01)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([100.0, *[110.0] * 252], 0.10), ([100.0, *[121.0] * 504], 0.10), ([100.0, 0.0], -1.0), ([100.0, -5.0], -1.0)],
)
def test_growth_is_stated_for_a_year_of_sessions(values: list[float], expected: float):
    assert annual_return(pd.Series(values)) == pytest.approx(expected)
