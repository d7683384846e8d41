"""What every page has in common: its frame, and how each column of a table is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from hrp.dashboard.views import unformatted
from hrp.errors import HRPError

_INSTANT = "YYYY-MM-DD HH:mm[Z]"


def configure() -> None:
    """Set the browser's title and the width."""
    st.set_page_config(page_title="HRP", layout="wide")


def draw(page: Callable[[], None]) -> None:
    """Draw `page`; what HRP has to complain about is one line that ends with the next command.

    A page may be opened by its address before the list of pages was ever drawn, so it brings its own frame.
    """
    configure()
    try:
        page()
    except HRPError as error:
        st.error(unformatted(str(error)))


def show(frame: pd.DataFrame, empty: str) -> None:
    """Draw `frame`, or say `empty` if it has no rows."""
    if frame.empty:
        st.caption(empty)
        return
    columns = {name: column for name, column in _columns().items() if name in frame.columns}
    st.dataframe(frame, hide_index=True, width="stretch", column_config=columns, placeholder="–")


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    instant, day = st.column_config.DatetimeColumn, st.column_config.DateColumn
    return {
        "symbol": text("symbol", width="small"),
        "hypothesis_id": text("strategy"),
        "quantity": number("shares", format="localized"),
        "entry_price": number("average cost", format="dollar"),
        "current_price": number("price", format="dollar"),
        "market_value": number("value", format="dollar"),
        "weight": number("weight", format="percent"),
        "unrealized_pnl": number("unrealized P&L", format="dollar"),
        "unrealized_pnl_pct": number("P&L %", format="percent"),
        "filled_at": instant("filled at", format=_INSTANT, timezone="UTC"),
        "filled_quantity": number("shares", format="localized"),
        "filled_price": number("price", format="dollar"),
        "value": number("value", format="dollar"),
        "commission": number("commission", format="dollar"),
        "order_type": text("type"),
        "limit_price": number("limit", format="dollar"),
        "denial": text("why denied", width="large"),
        "job": text("job"),
        "session": day("session", format="YYYY-MM-DD"),
        "started_at": instant("started at", format=_INSTANT, timezone="UTC"),
        "seconds": number("seconds", format="%.1f"),
        "error": text("error", width="large"),
        "cause": text("explained by"),
        "explanation": text("explanation", width="large"),
        "rank": number("rank", width="small"),
        "prediction": number("prediction", format="%+.4f"),
        "held": number("shares held", format="localized"),
        "model_version": number("version", width="small"),
        "drift_type": text("check"),
        "column_name": text("column"),
        "metric_value": number("value", format="%.3f"),
        "threshold": number("limit", format="%.3f"),
        "detail": text("detail", width="large"),
        "decided_at": instant("decided at", format=_INSTANT, timezone="UTC"),
        "deployed_at": instant("deployed at", format=_INSTANT, timezone="UTC"),
        "model_name": text("model"),
        "from_version": number("from", width="small"),
        "to_version": number("to", width="small"),
        "champion": number("champion", width="small"),
        "allocation": number("allocation", format="percent"),
        "reason": text("reason", width="large"),
    }
