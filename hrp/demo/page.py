"""The demo's report as one HTML page that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path

import plotly.graph_objects as go

from hrp.demo.play import Outcome, Playbill
from hrp.demo.stage import Stage
from hrp.demo.words import denials, figures, seconds_by_job
from hrp.domain.pnl import drawdowns

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #1f2933; }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 .6rem; font-size: 1.2rem; } .lead { color: #52606d; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .3rem 1.6rem .3rem 0; vertical-align: top; }
th { border-bottom: 2px solid #cbd2d9; font-weight: 600; } td { border-bottom: 1px solid #e4e7eb; }
.number { text-align: right; } summary { cursor: pointer; color: #1f6feb; margin-bottom: .6rem; }
"""
PAPER, BACKTEST, INDEX = "#93c5fd", "#b45309", "#94a3b8"  # the backtest is drawn thin on top of the account
_NUMBER = re.compile(r"[+-]?[\d,]+(\.\d+)?(e[+-]?\d+)?%?|not known")


def write_page(stage: Stage, bill: Playbill, outcome: Outcome) -> Path:
    """Write `reports/demo.html` of the demo's workspace."""
    sections = [
        ("The account", _equity_chart(outcome)),
        ("How far below its peak", _drawdown_chart(outcome)),
        ("What it showed", _table(("figure", "value"), figures(stage, bill, outcome))),
        ("Holdings at the end", _holdings(outcome)),
        ("Fills", _fills(outcome)),
        ("Denials", _table(("session", "order", "reason"), denials(outcome))),
        ("The backtest of two years out of sample", _long_backtest(bill)),
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
    backtest = outcome.nights_backtest.equity
    figure = go.Figure()
    figure.add_scatter(x=index.index, y=index / index.iloc[0] * paper[0], name="S&P 500, scaled", line_color=INDEX)
    figure.add_scatter(x=days, y=paper, name="paper account", line={"color": PAPER, "width": 8})
    line = {"color": BACKTEST, "width": 2}
    figure.add_scatter(x=backtest.index, y=backtest, name="backtest of the same nights", line=line)
    return _chart(figure, "USD", ",.0f", first=True)


def _drawdown_chart(outcome: Outcome) -> str:
    days = [row.session for row in outcome.equity]
    below = [-float(depth) for depth in drawdowns([row.net_liquidation_usd for row in outcome.equity])]
    figure = go.Figure()
    figure.add_scatter(x=days, y=below, fill="tozeroy", name="drawdown", line_color=PAPER)
    return _chart(figure, "below the peak", ".1%", height=220)


def _long_backtest(bill: Playbill) -> str:
    equity = bill.long_backtest.equity
    figure = go.Figure()
    figure.add_scatter(x=equity.index, y=equity, name="out-of-sample backtest", line_color=BACKTEST)
    rows = [
        (name.replace("_", " "), f"{value:,.2f}" if abs(value) > 1 else f"{value:.4f}")
        for name, value in bill.long_backtest.stats.items()
    ]
    return _chart(figure, "USD", ",.0f") + _table(("figure", "value"), rows)


def _holdings(outcome: Outcome) -> str:
    rows = [
        (p.symbol, f"{p.quantity:,.0f}", _usd(p.entry_price), _usd(p.current_price), _usd(p.market_value))
        for p in outcome.positions
    ]
    return _table(("symbol", "shares", "average cost USD", "price USD", "value USD"), rows)


def _fills(outcome: Outcome) -> str:
    columns = ("day", "symbol", "side", "shares", "price USD", "value USD", "commission USD")
    rows = [
        (f"{f.executed_at:%Y-%m-%d}", f.symbol, f.side, f"{f.quantity:,.0f}", _usd(f.price),
         _usd(f.quantity * f.price), _usd(f.commission))
        for f in outcome.fills
    ]  # fmt: skip
    return f"<details><summary>all {len(rows)} fills</summary>{_table(columns, rows)}</details>"


def _usd(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"{amount:,.2f}"


def _chart(figure: go.Figure, unit: str, ticks: str, *, height: int = 340, first: bool = False) -> str:
    """The chart as HTML; the first one carries the library for all."""
    figure.update_layout(
        height=height, margin={"l": 80, "r": 10, "t": 10, "b": 40}, template="plotly_white", hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        yaxis={"title": unit, "tickformat": ticks}, xaxis={"rangebreaks": [{"bounds": ["sat", "mon"]}]},
    )  # fmt: skip
    html: str = figure.to_html(full_html=False, include_plotlyjs=first, config={"displayModeBar": False})
    return html


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or the word none; a column of nothing but numbers stands to the right."""
    if not rows:
        return "<p>none</p>"
    styles = [" class='number'" if all(map(_NUMBER.fullmatch, cells)) else "" for cells in zip(*rows, strict=True)]
    head = _row("th", columns, styles)
    return f"<table>{head}{''.join(_row('td', row, styles) for row in rows)}</table>"


def _row(tag: str, cells: Sequence[str], styles: Sequence[str]) -> str:
    row = "".join(f"<{tag}{style}>{escape(cell)}</{tag}>" for cell, style in zip(cells, styles, strict=True))
    return f"<tr>{row}</tr>"
