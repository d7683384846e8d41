"""The tear sheet: a page that needs nothing else, whose figures are those of the backtest behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from hrp.domain.portfolio import Limits
from hrp.research.backtest import BacktestResult, run_backtest
from hrp.research.frictions import annual_return, equity_at
from hrp.research.tearsheet import TearSheet, monthly_returns, monthly_turnover, render, sharpe

from .markets import random_market

LIMITS = Limits(max_positions=4, max_position_pct=Decimal("0.25"), max_order_value_usd=Decimal(100_000))
METRICS = {"mean_rank_ic": 0.0213, "trials": 3.0, "hit_rate": float("nan"), "oos_sessions": 120.0}


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    market = random_market(seed=5)
    inputs = (market.weights, market.predictions, market.opens, market.closes)
    return run_backtest(*inputs, cash=Decimal(100_000), credit_usd=Decimal(100_000), limits=LIMITS)


@pytest.fixture(scope="module")
def sheet(result: BacktestResult) -> TearSheet:
    days = result.equity.index
    return TearSheet(
        name="alpha v2", lead="Trained <through> 2020 & after", metrics=METRICS, trials=3.0,
        params={"data_sha256": "ab" * 32, "horizon": "5"}, features=("momentum_21", "rsi_14"),
        daily_ic=pd.Series(np.linspace(-0.1, 0.2, len(days)), index=days), horizon=5, result=result,
        benchmark=result.equity * 1.01,
        checks=[{"check": "mean rank IC", "figure": 0.0213, "bar": "> 0", "verdict": "passed", "reason": ""}],
        hypothesis={"hypothesis": "HYP-2026-001, testing"}, held_out={"mean_rank_ic": 0.0117},
    )  # fmt: skip


class Page(HTMLParser):
    """What a reader of the page meets: pictures by name, cells of tables, and what would be fetched from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures, self.fetched, self.rows, self.inside = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "svg":
            self.pictures.append(found["aria-label"])
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th", "b")
        self.fetched += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value[:1] != "#"]
        self.fetched += [tag] if tag in ("script", "link", "iframe", "img") else []

    def handle_data(self, data):
        if self.inside and self.rows:
            self.rows[-1].append(data)

    def handle_endtag(self, tag):
        self.inside = False


def test_the_page_has_every_picture_and_fetches_nothing(sheet: TearSheet):
    page = Page(render(sheet))

    assert page.pictures == [
        "Equity", "Drawdown", "Rolling Sharpe ratio", "Rank correlation of prediction and return", "Turnover a month",
        "Equity by cost",
    ]  # fmt: skip
    assert page.fetched == []


def test_the_figures_of_the_page_are_those_of_the_backtest_after_costs(sheet: TearSheet, result: BacktestResult):
    text, rows = render(sheet), Page(render(sheet)).rows
    net = equity_at(result, 1)

    assert f"<b>{annual_return(net):+.1%}</b><span>return a year, net</span>" in text
    assert f"<b>{sharpe(net):.2f}</b><span>Sharpe ratio</span>" in text
    at_five = equity_at(result, 5)
    assert ["5x", f"{annual_return(at_five):+.2%}", f"{sharpe(at_five):.2f}", f"{at_five.iloc[-1]:,.0f}"] in rows
    assert ["mean_rank_ic", "0.0213", "0.0117"] in rows
    assert ["hit_rate", "-", "-"] in rows
    assert ["data_sha256", "ab" * 32] in rows
    assert ["hypothesis", "HYP-2026-001, testing"] in rows
    assert ["mean rank IC", "0.0213", "> 0", "passed"] in rows
    assert "<span>momentum_21</span><span>rsi_14</span>" in text
    assert "Trained &lt;through&gt; 2020 &amp; after" in text


def test_without_a_backtest_the_page_says_why_and_keeps_the_rest(sheet: TearSheet):
    text = render(replace(sheet, result=None, missing="there are no prices", benchmark=None, held_out={}))
    page = Page(text)

    assert "No backtest: there are no prices" in text
    assert page.pictures == ["Rank correlation of prediction and return"]
    assert ["mean_rank_ic", "0.0213"] in page.rows
    nothing = render(replace(sheet, result=None, daily_ic=sheet.daily_ic.head(0)))
    assert "The store does not know what followed the predictions." in nothing


def test_equal_input_gives_the_same_page(sheet: TearSheet):
    assert render(sheet) == render(sheet)


def test_the_returns_of_the_months_make_that_of_the_year():
    days = pd.bdate_range("2023-11-01", "2024-02-29")
    equity = pd.Series(100 * 1.001 ** np.arange(len(days)), index=days)

    table = monthly_returns(equity)

    assert table.loc[2023, 11] == pytest.approx(1.001**21 - 1)  # 22 days, the first of which is where it begins
    assert table.loc[2023, 12] == pytest.approx(1.001**21 - 1)
    assert table.loc[2024, "year"] == pytest.approx(equity.iloc[-1] / equity["2023-12-29"] - 1)
    assert table.loc[2023].isna().sum() == 10


def test_turnover_of_the_months_adds_up_to_what_was_traded(result: BacktestResult):
    turnover, filled = monthly_turnover(result), result.orders[result.orders["status"] == "filled"]
    equity = result.equity.groupby(pd.Grouper(freq="MS")).mean().to_numpy()

    assert (turnover.to_numpy() * equity * 2).sum() == pytest.approx((filled["quantity"] * filled["price"]).sum())


def test_a_curve_that_does_not_move_has_no_sharpe_ratio():
    assert np.isnan(sharpe(pd.Series([1.0, 1.0, 1.0])))
    assert np.isnan(sharpe(pd.Series([1.0])))
