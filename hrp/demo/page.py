"""The demo's report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from hrp.demo.play import Outcome, Playbill
from hrp.demo.stage import Stage
from hrp.demo.words import denials, figures, seconds_by_job

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #1f2933; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } .lead { color: #52606d; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .6rem; }
th { border-bottom: 2px solid #cbd2d9; } td { border-bottom: 1px solid #e4e7eb; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write_page(stage: Stage, bill: Playbill, outcome: Outcome) -> Path:
    """Write `reports/demo.html` of the demo's workspace."""
    sections = [
        ("The account", _equity_chart(outcome)),
        ("How far below its peak", _drawdown_chart(outcome)),
        ("What it showed", _table(("figure", "value"), figures(stage, bill, outcome))),
        ("Holdings at the end", _holdings(outcome)),
        ("Fills", _fills(outcome)),
        ("Denials", _table(("session", "order", "reason"), denials(outcome)) if denials(outcome) else "<p>none</p>"),
        ("The backtest before promotion", _long_backtest(bill)),
        ("Time by job", _table(("job", "runs", "seconds a run"), seconds_by_job(bill))),
    ]
    body = "".join(f"<h2>{escape(title)}</h2>{content}" for title, content in sections)
    lead = f"{len(stage.nights)} nights from {stage.nights[0]} to {stage.nights[-1]} on the closes of 20 US stocks"
    note = (
        "Only the closes are real. Open, high, low and volume were made by a seeded rule, so no return here means much."
    )
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>HRP demo</title>"
        f"<style>{STYLE}</style><h1>HRP demo</h1><p class='lead'>{lead}. {note}</p>{body}</html>"
    )
    path = stage.app.settings.home / "reports" / "demo.html"
    path.write_text(page, encoding="utf-8")
    return path


def _equity_chart(outcome: Outcome) -> str:
    days = [row.session for row in outcome.equity]
    paper = [float(row.net_liquidation_usd) for row in outcome.equity]
    index = outcome.index[str(days[0]) : str(days[-1])]
    figure = go.Figure()
    figure.add_scatter(x=days, y=paper, name="paper account", line={"width": 4})
    backtest = outcome.nights_backtest.equity
    figure.add_scatter(x=backtest.index, y=backtest, name="backtest of the same nights", line={"dash": "dot"})
    figure.add_scatter(x=index.index, y=index / index.iloc[0] * paper[0], name="S&P 500, scaled")
    return _chart(figure, "USD", first=True)


def _drawdown_chart(outcome: Outcome) -> str:
    equity = pd.Series({row.session: float(row.net_liquidation_usd) for row in outcome.equity})
    figure = go.Figure()
    figure.add_scatter(x=list(equity.index), y=equity / equity.cummax() - 1, fill="tozeroy", name="drawdown")
    figure.update_yaxes(tickformat=".1%")
    return _chart(figure, "below the peak")


def _long_backtest(bill: Playbill) -> str:
    equity = bill.long_backtest.equity
    figure = go.Figure()
    figure.add_scatter(x=equity.index, y=equity, name="out-of-sample backtest")
    rows = [(name, f"{value:,.4g}") for name, value in bill.long_backtest.stats.items()]
    return _chart(figure, "USD") + _table(("figure", "value"), rows)


def _holdings(outcome: Outcome) -> str:
    rows = [
        (p.symbol, f"{p.quantity:,.0f}", f"{p.entry_price:,.2f}", f"{p.market_value or 0:,.2f}")
        for p in outcome.positions
    ]
    return _table(("symbol", "shares", "average cost USD", "value USD"), rows) if rows else "<p>none</p>"


def _fills(outcome: Outcome) -> str:
    rows = [
        (f"{f.executed_at:%Y-%m-%d}", f.symbol, f.side, f"{f.quantity:,.0f}", f"{f.price:,.2f}", f"{f.commission}")
        for f in outcome.fills
    ]
    return _table(("day", "symbol", "side", "shares", "price USD", "commission USD"), rows)


def _chart(figure: go.Figure, unit: str, *, first: bool = False) -> str:
    """The chart as HTML; the first one carries the library for all."""
    figure.update_layout(
        height=360, margin={"l": 60, "r": 20, "t": 20, "b": 40}, yaxis_title=unit, template="plotly_white",
        legend={"orientation": "h", "y": 1.1},
    )  # fmt: skip
    html: str = figure.to_html(full_html=False, include_plotlyjs=first)
    return html


def _table(columns: tuple[str, ...], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
