"""What a version learned from and could not have known: asked after training, before it is registered."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd

from hrp.data.listings import load_listings
from hrp.data.market import load_universe
from hrp.data.series import load_membership, load_series
from hrp.domain.identity import renamed
from hrp.domain.membership import strangers
from hrp.domain.sessions import previous_session
from hrp.ml.features import FeatureSet, Panel, compute
from hrp.wiring import App

PROBES = 3  # sessions of the reference that are computed again, its first and last among them
TOLERANCE = 1e-6  # relative: an earlier view is in other shares, which moves the last digits
_KEY = ["session", "symbol"]


def find_foresight(
    app: App,
    reference: pd.DataFrame,
    features: FeatureSet,
    first: date,
    through: date,
    known_by: datetime | None = None,
) -> list[str]:
    """The coded reasons why out-of-sample rows cannot be believed; empty if there is none.

    `UNIVERSE_LOOKAHEAD`: a name is used when it was no member. `FEATURE_LOOKAHEAD`: in some sessions, computed again as
    the night of that session would have, out of the bars up to it, its members, and the splits that were ex by it,
    a feature is another number. A split that lay ahead shows in that, and so does everything else that did.

    Args:
        reference: session, symbol (tickers of session `through`), and the features.
        first: the first session whose bars were learned from.
        known_by: the instant up to which the store was looked at.
    """
    with app.store().read() as con:
        members = load_membership(con, app.settings.universe, first, through, known_by)
    sessions = pd.DatetimeIndex(reference["session"].unique()).sort_values()
    probes = sessions[np.unique(np.linspace(0, len(sessions) - 1, PROBES).astype(int))]
    found = strangers(reference[_KEY], members)
    for session in probes:
        learned = reference[reference["session"] == session].set_index("symbol")[list(features.names)]
        found += _unlike(app, learned, features, first, session.date(), through, known_by)
    return found


def _unlike(
    app: App,
    learned: pd.DataFrame,
    features: FeatureSet,
    first: date,
    session: date,
    through: date,
    known_by: datetime | None,
) -> list[str]:
    """The first feature of a session that is not what it was known to be."""
    start = max(first, previous_session(session, features.lookback_sessions - 1))
    with app.store().read() as con:
        listings = load_listings(con, known_by)
        names = load_universe(con, app.settings.universe, session, known_by)
        bars = load_series(con, names, start, session, known_by, history=app.settings.history)
    known = compute(features, Panel.from_bars(bars), last_only=True).droplevel("session")
    called = [renamed(listings, symbol, through, session) for symbol in learned.index]
    then = known.reindex(called).to_numpy()
    differs = ~np.isclose(learned.to_numpy(), then, rtol=TOLERANCE, atol=TOLERANCE**2, equal_nan=True)
    if not differs.any():
        return []
    row, column = (int(place[0]) for place in np.nonzero(differs))
    return [
        f"FEATURE_LOOKAHEAD: {features.names[column]} of {learned.index[row]} in session {session} is "
        f"{learned.to_numpy()[row, column]:.9g} in what was learned from, {then[row, column]:.9g} by what was "
        f"known then (so are {int(differs.sum())} of {differs.size} values)"
    ]
