"""What the dashboard displays, as frames and figures: plain functions of what was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hrp.data.looks import Row
from hrp.data.trading import Equity
from hrp.domain.breaks import Lock
from hrp.domain.positions import Break

POSITIONS = ("symbol", "quantity", "entry_price", "current_price", "market_value", "weight", "unrealized_pnl",
             "unrealized_pnl_pct", "hypothesis_id")  # fmt: skip
TRADES = ("filled_at", "symbol", "side", "filled_quantity", "filled_price", "value", "commission", "status")
ORDERS = ("symbol", "side", "quantity", "order_type", "limit_price", "status", "denial")
RUNS = ("job", "session", "status", "started_at", "seconds", "error")
BREAKS = ("kind", "subject", "ledger", "broker", "cause", "explanation")
LOCKS = ("scope", "subject", "kind", "session", "reason")
PREDICTIONS = ("rank", "symbol", "prediction", "held")
ALARMS = ("session", "drift_type", "column_name", "method", "metric_value", "threshold", "verdict", "detail")
CHECKS = ("hypothesis_id", "model_version", *ALARMS[1:])
LEDGER = ("decided_at", "model_name", "action", "state", "from_version", "to_version", "actor", "reason")
STRATEGIES = ("hypothesis_id", "title", "status", "model_name", "champion", "allocation", "deployed_at")

PAPER, BACKTEST, INDEX = "#93c5fd", "#b45309", "#94a3b8"  # the backtest is drawn thin on top of the account
_MARKED_UP_TO = 10  # points; a longer line looks better without markers


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """`rows` as a frame of `columns`; money and shares become floats, because they are only looked at."""
    frame = pd.DataFrame([[row[column] for column in columns] for row in rows], columns=list(columns))
    for column in columns:
        if any(isinstance(value, Decimal) for value in frame[column]):
            frame[column] = frame[column].astype(float)
    return frame


def positions_table(rows: Sequence[Row], equity: Equity) -> pd.DataFrame:
    """Holdings with their weight, a fraction of net liquidation."""
    total = equity.net_liquidation_usd
    return table(({**row, "weight": _ratio(row["market_value"], total)} for row in rows), POSITIONS)


def trades_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Executions with their value in USD."""
    return table(({**row, "value": row["filled_quantity"] * row["filled_price"]} for row in rows), TRADES)


def breaks_table(breaks: Sequence[Break]) -> pd.DataFrame:
    """Differences between ledger and broker."""
    return table(map(asdict, breaks), BREAKS)


def locks_table(locks: Sequence[Lock]) -> pd.DataFrame:
    """What must not be traded until a person has resolved it."""
    return table(map(asdict, locks), LOCKS)


def predictions_table(predictions: pd.DataFrame, positions: Sequence[Row]) -> pd.DataFrame:
    """Predictions, the best first, with the shares that are held of each name."""
    held = {row["symbol"]: float(row["quantity"]) for row in positions}
    frame = predictions.sort_values(["prediction", "symbol"], ascending=[False, True], ignore_index=True)
    frame = frame.assign(rank=frame.index + 1, held=[held.get(symbol, 0.0) for symbol in frame["symbol"]])
    return frame[list(PREDICTIONS)]


def change_since(equity: Sequence[Equity]) -> str | None:
    """The change of net liquidation since the sync before the last, in words; None at the first sync."""
    if len(equity) < 2:
        return None
    before, now = equity[-2], equity[-1]
    change = now.net_liquidation_usd - before.net_liquidation_usd
    return f"{change:+,.2f} USD since {before.session}"


def unrealized(equity: Equity, positions: Sequence[Row]) -> Decimal | None:
    """Unrealised P&L in USD at the last sync; None if a holding has no price, for then nobody knows it."""
    priced = all(row["current_price"] is not None for row in positions)
    return equity.unrealized_pnl_usd if priced else None


def money(amount: Decimal | None) -> str:
    """An amount in USD as text; one that is not known is said to be so."""
    return "not known" if amount is None else f"{amount:,.2f}"


def equity_figure(equity: Sequence[Equity], tracking: pd.DataFrame) -> go.Figure:
    """The account's net liquidation beside the backtest of the same nights and the index, scaled to the same start.

    Args:
        tracking: columns session, paper_equity_usd, backtest_equity_usd, index_level; may be empty.
    """
    days = [pd.Timestamp(row.session) for row in equity]
    paper = pd.Series([float(row.net_liquidation_usd) for row in equity], index=days)
    figure = go.Figure()
    mode = "lines+markers" if len(paper) <= _MARKED_UP_TO else "lines"
    known = tracking.dropna(subset=["index_level"])
    if not known.empty:
        scaled = known["index_level"] / known["index_level"].iloc[0] * known["paper_equity_usd"].iloc[0]
        figure.add_scatter(x=known["session"], y=scaled, name="index, scaled", mode=mode, line={"color": INDEX})
    figure.add_scatter(x=paper.index, y=paper, name="paper account", mode=mode, line={"color": PAPER, "width": 8})
    known = tracking.dropna(subset=["backtest_equity_usd"])
    if not known.empty:
        line = {"color": BACKTEST, "width": 2}
        figure.add_scatter(x=known["session"], y=known["backtest_equity_usd"], name="backtest", mode=mode, line=line)
    return _laid_out(figure)


def _laid_out(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        yaxis={"title": "USD", "tickformat": ",.0f"},
        xaxis={"tickformat": "%d %b<br>%Y", "rangebreaks": [{"bounds": ["sat", "mon"]}]},
    )
    return figure


def unformatted(text: str) -> str:
    """`text` with a backslash before everything that Markdown would take for layout."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!$~|:&])", r"\\\1", text)


def _ratio(part: Decimal | None, whole: Decimal) -> float | None:
    return None if part is None or not whole else float(part / whole)
