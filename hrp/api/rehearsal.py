"""The paper gateway over the workspace's own prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd

from hrp.data import market
from hrp.domain.sessions import FIRST_SESSION
from hrp.errors import RequirementNotMetError
from hrp.gateway import client
from hrp.gateway.layouts import USUAL_VERSION
from hrp.gateway.process import Running
from hrp.wiring import App

MARKET_COLUMNS = ["symbol", "session", "open", "high", "low", "close", "volume"]


def write_market(bars: pd.DataFrame, path: Path) -> Path:
    """Write bars (symbol, session, open, high, low, close, volume) as the gateway's market, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    frame = bars[MARKET_COLUMNS].assign(session=pd.to_datetime(bars["session"]).dt.date)
    frame.to_parquet(draft, index=False)
    draft.replace(path)
    return path


def export_market(app: App) -> Path:
    """The stored prices as the gateway's market.

    Raises:
        RequirementNotMetError: the store has no prices.
    """
    with app.store().read() as con:
        newest = market.newest_session(con)
        if newest is None:
            raise RequirementNotMetError("the store has no prices for the gateway to trade at; run: hrp run prices")
        bars = market.load_prices(con, None, FIRST_SESSION, newest)
    return write_market(bars, app.settings.gateway_dir / "market.parquet")


def start_gateway(
    app: App,
    port: int,
    clock: datetime | None,
    cash: Decimal,
    terms: Mapping[str, str] | None = None,
    scenario: str | None = None,
    server_version: int = USUAL_VERSION,
) -> Running:
    """Start the paper gateway of the workspace, or find it running; the last three as in `hrp.gateway.client.start`."""
    account = app.settings.require_account()
    state = app.settings.gateway_dir
    running = client.running(state)
    path = state / "market.parquet"
    if running is None and not path.exists():
        path = export_market(app)
    return client.start(
        state,
        path,
        account,
        port=port,
        clock=clock,
        cash=cash,
        terms=terms,
        scenario=scenario,
        server_version=server_version,
    )
