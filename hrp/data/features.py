"""The feature table: one writer, replaced per (feature set, session), so a rerun converges to the same rows."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from hrp.data.frames import registered, require_symbols, require_unique
from hrp.data.rows import Connection, fetch_value, utc


def save_features(con: Connection, feature_set: str, session: date, wide: pd.DataFrame, known_at: datetime) -> int:
    """Replace the features of one set and session; how many values were written.

    Args:
        wide: one row per symbol (the index, text, unique), one column per feature; NaN where it cannot be computed.
    """
    require_symbols(wide.index, f"features {feature_set}")
    require_unique(wide.index.to_frame(name="symbol"), f"features {feature_set}")
    long = wide.rename_axis(index="symbol", columns=None).reset_index()
    long = long.melt(id_vars="symbol", var_name="feature", value_name="value")
    con.execute("DELETE FROM features WHERE feature_set = ? AND session = ?", [feature_set, session])
    sql = """
    INSERT INTO features BY NAME
    SELECT $feature_set AS feature_set, symbol, $session::DATE AS session, feature, value::DOUBLE AS value,
           $known_at::TIMESTAMPTZ AS known_at
    FROM long
    """
    with registered(con, "long", long):
        con.execute(sql, {"feature_set": feature_set, "session": session, "known_at": utc(known_at)})
    return len(long)


def load_features(con: Connection, feature_set: str, session: date) -> pd.DataFrame:
    """The features of one set and session: index `symbol`, columns the features, both sorted, float64.

    A value that could not be computed is NaN. The frame is empty if none are stored.
    """
    sql = "SELECT symbol, feature, value FROM features WHERE feature_set = ? AND session = ?"
    long = con.execute(sql, [feature_set, session]).df()
    return long.pivot(index="symbol", columns="feature", values="value").rename_axis(columns=None)


def features_known_at(con: Connection, feature_set: str, session: date) -> datetime | None:
    """The instant up to which the stored features of one set and session have looked at the store; None without any."""
    sql = "SELECT max(known_at) FROM features WHERE feature_set = ? AND session = ?"
    return fetch_value(con, sql, [feature_set, session])  # type: ignore[no-any-return]
