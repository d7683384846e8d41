"""The charts of a tear sheet, each as one inline SVG picture (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from hrp.domain.resampling import block_length, mean_interval
from hrp.domain.sessions import SESSIONS_A_YEAR

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, AMBER, RED, GREY = "#2563eb", "#b45309", "#dc2626", "#94a3b8"
COSTS = ("#93c5fd", BLUE, AMBER, RED)
STYLE: Any = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "text.color": INK,
    "axes.edgecolor": GRID, "axes.labelcolor": MUTED, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.8, "xtick.color": MUTED,
    "ytick.color": MUTED, "legend.frameon": False, "legend.fontsize": 8.5, "lines.linewidth": 1.4,
    "date.converter": "concise",
}  # fmt: skip
ROLLING, SEED = 126, 7
WIDTH, HEIGHT = 5.6, 2.5


@mpl.rc_context(STYLE)
def equity_chart(equity: pd.Series[float], benchmark: pd.Series[float] | None) -> str:
    """Equity in USD, and what the same cash would be in all names at equal weights."""
    figure, axes = _axes(width=2 * WIDTH + 0.3, height=2.9)
    if benchmark is not None:
        axes.plot(benchmark.index, benchmark, color=GREY, label="all names at equal weights, without costs")
    axes.plot(equity.index, equity, color=BLUE, label="out-of-sample backtest, net")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd / 1e6:,.2f} M"))
    axes.set_ylabel("USD")
    axes.legend(loc="upper left", ncols=2)
    return _svg(figure, "Equity")


@mpl.rc_context(STYLE)
def drawdown_chart(equity: pd.Series[float]) -> str:
    """How far below its peak the equity was, a fraction."""
    below = equity / equity.cummax() - 1
    figure, axes = _axes()
    axes.fill_between(below.index, below, 0, color=RED, alpha=0.25, linewidth=0)
    axes.plot(below.index, below, color=RED, linewidth=0.9)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _svg(figure, "Drawdown")


@mpl.rc_context(STYLE)
def sharpe_chart(equity: pd.Series[float]) -> str:
    """Annual Sharpe ratio of the last `ROLLING` sessions."""
    returns = equity.pct_change()
    rolling = returns.rolling(ROLLING)
    ratio = rolling.mean() / rolling.std() * np.sqrt(SESSIONS_A_YEAR)
    figure, axes = _axes()
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.plot(ratio.index, ratio, color=BLUE)
    return _svg(figure, "Rolling Sharpe ratio")


@mpl.rc_context(STYLE)
def ic_chart(daily: pd.Series[float], horizon: int) -> str:
    """Mean rank IC of each quarter with its 95 % interval, over the band of the whole time."""
    quarters = daily.groupby(pd.PeriodIndex(daily.index, freq="Q"))
    rows = [(period.to_timestamp() + pd.Timedelta(45, "D"), *_mean_with_interval(part, horizon))
            for period, part in quarters]  # fmt: skip
    when, means, lows, highs = zip(*rows, strict=True)
    whole, low, high = _mean_with_interval(daily, horizon)
    figure, axes = _axes()
    axes.axhspan(low, high, color=BLUE, alpha=0.12, linewidth=0)
    axes.axhline(whole, color=BLUE, linewidth=0.9)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.vlines(when, lows, highs, color=GREY, linewidth=2)
    axes.plot(when, means, "o", color=INK, markersize=4)
    return _svg(figure, "Rank correlation of prediction and return")


@mpl.rc_context(STYLE)
def turnover_chart(turnover: pd.Series[float]) -> str:
    """Half of the value traded in each month, as a multiple of equity."""
    figure, axes = _axes()
    axes.bar(pd.DatetimeIndex(turnover.index), turnover, width=22, color=BLUE, alpha=0.75)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _svg(figure, "Turnover a month")


@mpl.rc_context(STYLE)
def cost_chart(curves: Mapping[float, pd.Series[float]]) -> str:
    """Equity at multiples of the cost of trading."""
    figure, axes = _axes()
    for color, (multiple, equity) in zip(COSTS, curves.items(), strict=True):
        axes.plot(equity.index, equity, color=color, label=f"{multiple:g}x", linewidth=1.2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd / 1e6:,.2f} M"))
    axes.legend(loc="upper left", ncols=len(COSTS), handlelength=1.2, columnspacing=1.2)
    return _svg(figure, "Equity by cost")


def _mean_with_interval(values: pd.Series[float], horizon: int) -> tuple[float, float, float]:
    numbers = np.asarray(values, dtype=np.float64)
    low, high = mean_interval(numbers, block_length(len(numbers), horizon), seed=SEED)
    return float(numbers.mean()), low, high


def _axes(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(length=0)
    axes.xaxis.grid(False)
    return figure, axes


def _svg(figure: Figure, label: str) -> str:
    """The picture as an element of a page: equal data, equal text."""
    text = StringIO()
    with mpl.rc_context({"svg.hashsalt": label}):  # names inside a picture are its own on the page
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    _, start, rest = text.getvalue().partition("<svg ")
    unsized = re.sub(r'(?<= )(width|height)="[\d.]+pt" ?', "", rest, count=2)
    return f'{start}role="img" aria-label="{label}" {unsized}'
