"""What a feature reads, shown on the stored prices."""

from __future__ import annotations

from hrp.data import market
from hrp.domain.sessions import previous_session
from hrp.ml.features import Panel, feature_named
from hrp.ml.lookahead import Verdict, examine, made_panel
from hrp.wiring import App

SESSIONS = 60  # beyond the look-back: the sessions at which the feature is put to the test


def check_feature(app: App, name: str) -> Verdict:
    """Whether a registered feature reads the future, or more of the past than it declares.

    It is tried on the stored bars of the universe, its look-back and `SESSIONS` more; on made bars if the store holds
    fewer sessions.

    Raises:
        UsageError: there is no such feature.
    """
    feature = feature_named(name)
    needed = feature.lookback_sessions + SESSIONS
    stored = _stored(app, needed)
    return examine(feature, made_panel(needed) if stored is None else stored)


def _stored(app: App, sessions: int) -> Panel | None:
    with app.store().read() as con:
        newest = market.newest_session(con)
        if newest is None:
            return None
        members = market.load_universe(con, app.settings.universe, newest)
        bars = market.load_prices(con, members, previous_session(newest, sessions - 1), newest)
    panel = Panel.from_bars(bars) if len(bars) else None
    return panel if panel is not None and len(panel.sessions) == sessions else None
