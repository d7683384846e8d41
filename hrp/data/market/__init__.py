"""Bars, corporate actions, universe, instruments and quality findings. Every function takes an open connection.

What is known about the past changes, so bars, actions, membership and instruments are never overwritten: a new
statement is a new row with its `known_at`, and a reader may ask for what was known by an instant.
"""

from hrp.data.market.actions import ACTION_COLUMNS, actions_of, load_corporate_actions, save_corporate_actions
from hrp.data.market.bars import (
    BAR_COLUMNS,
    load_closes,
    load_prices,
    load_stated,
    newest_closes,
    newest_session,
    save_prices,
)
from hrp.data.market.findings import load_findings, save_findings
from hrp.data.market.instruments import load_instruments, save_instruments
from hrp.data.market.universe import MEMBER_COLUMNS, load_members, load_universe, save_universe

__all__ = [
    "ACTION_COLUMNS", "BAR_COLUMNS", "MEMBER_COLUMNS", "actions_of", "load_closes", "load_corporate_actions",
    "load_findings", "load_instruments", "load_members", "load_prices", "load_stated", "load_universe",
    "newest_closes", "newest_session", "save_corporate_actions", "save_findings", "save_instruments", "save_prices",
    "save_universe",
]  # fmt: skip
