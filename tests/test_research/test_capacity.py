from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hrp.errors import DataError
from hrp.research.capacity import Rebalancing, capacity_usd, cost_sensitivity, participation, rebalance

DAYS = pd.bdate_range("2024-01-02", periods=5)


def frame(rows: int = 5, **columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=DAYS[:rows], dtype="float64")


@pytest.fixture
def done() -> Rebalancing:
    """Half and half, set anew once, while A doubles between the two fills."""
    opens = frame(A=[9.0, 10.0, 20.0, 20.0, 20.0], B=[9.0, 10.0, 10.0, 10.0, 10.0])
    return rebalance(frame(rows=2, A=[0.5, 0.5], B=[0.5, 0.5]), opens)


def test_weights_that_prices_moved_are_traded_back(done):
    # 1 USD became 0.5 × 2 + 0.5 = 1.5, of which A is 2/3 and B 1/3
    assert done.trades["A"].tolist() == pytest.approx([0.5, 0.5 - 2 / 3])
    assert done.trades["B"].tolist() == pytest.approx([0.5, 0.5 - 1 / 3])
    assert done.earned.tolist() == pytest.approx([0.5, 0.0])
    assert done.turnover.tolist() == pytest.approx([0.5, 1 / 6])


def test_earnings_are_those_of_an_account_that_holds_shares():
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2020-01-01", periods=60)
    opens = pd.DataFrame(50 * np.exp(rng.normal(0, 0.02, (60, 4)).cumsum(axis=0)), index=days, columns=list("ABCD"))
    weights = pd.DataFrame(rng.dirichlet(np.ones(5), 12)[:, :4], index=days[:58:5], columns=list("ABCD"))

    equity, cash, shares, traded = 1.0, 1.0, np.zeros(4), []
    for day, wanted in weights.iterrows():
        price = opens.to_numpy()[days.get_loc(day) + 1]
        equity = cash + shares @ price
        target = wanted.to_numpy() * equity / price
        traded.append(np.abs((target - shares) * price).sum() / equity)
        cash, shares = cash - (target - shares) @ price, target
    done = rebalance(weights, opens)

    assert (1 + done.earned).prod() == pytest.approx(equity)
    assert (2 * done.turnover).tolist() == pytest.approx(traded)


def test_a_name_that_does_not_open_is_valued_as_before():
    opens = frame(A=[9.0, 10.0, np.nan, 20.0, 20.0])

    done = rebalance(frame(rows=3, A=[1.0, 1.0, np.nan]), opens)

    assert done.earned.tolist() == pytest.approx([0.0, 1.0, 0.0])
    assert done.trades["A"].tolist() == pytest.approx([1.0, 0.0, -1.0])


def test_weights_without_prices_are_refused():
    with pytest.raises(DataError, match=r"B has weights and no opens \(1 such names\)"):
        rebalance(frame(A=[1.0] * 5, B=[0.0] * 5), frame(A=[1.0] * 5))


def test_costs_are_a_share_of_what_is_traded(done):
    table = cost_sensitivity(done, multiples=(0, 1, 10), cost_pct=0.01)

    # traded 1.0 and 1/3 of equity: 1 % of it is lost, ten times as much at 10
    assert table.index.tolist() == [0, 1, 10]
    growth = [1.5 * 1.0, (1.5 - 0.01) * (1 - 0.01 / 3), (1.5 - 0.1) * (1 - 0.1 / 3)]
    assert (1 + table["annual_return"]).tolist() == pytest.approx([whole ** (252 / 2) for whole in growth])
    assert table["turnover_a_year"].tolist() == pytest.approx([252 / 6] * 3)
    assert table["sharpe"].is_monotonic_decreasing


def test_a_trade_is_a_share_of_the_volume_known_when_it_is_decided(done):
    volume = frame(A=[100.0, 300.0, 1e9, 1e9, 1e9], B=[0.0, 50.0, 1e9, 1e9, 1e9])

    shares = participation(done, volume, capital_usd=30.0)

    # A: 15 of 100, then 5 of the mean 200; B: 15 of nothing, then 5 of the mean 25
    assert shares["A"].tolist() == pytest.approx([0.15, 0.025])
    assert shares["B"].tolist() == pytest.approx([np.inf, 0.2])


def test_the_capacity_is_where_the_trades_reach_the_share(done):
    volume = frame(A=[100.0] * 5, B=[1000.0] * 5)

    whole = capacity_usd(done, volume, share=0.01, covered=1.0)
    most = capacity_usd(done, volume, share=0.01, covered=0.75)

    assert whole == pytest.approx(0.01 * 100 / 0.5)  # the first purchase of A
    assert most == pytest.approx(0.01 * 100 / (1 / 6))  # but for that one, the sale of A
    assert participation(done, volume, whole).to_numpy().max() == pytest.approx(0.01)


def test_what_trades_nothing_has_no_capacity():
    nothing = rebalance(frame(A=[0.0] * 5), frame(A=[1.0] * 5))

    with pytest.raises(DataError, match="trade nothing"):
        capacity_usd(nothing, frame(A=[1.0] * 5))
