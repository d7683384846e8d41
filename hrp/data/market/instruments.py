"""What the broker knows symbols as."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hrp.data.rows import Connection, fetch, insert, utc, where
from hrp.domain.positions import Instrument


def save_instruments(con: Connection, instruments: Iterable[Instrument], known_at: datetime) -> int:
    """Add the instruments that are new or have changed; how many rows were written."""
    stored = set(_latest_instruments(con))
    news = {instrument for instrument in instruments if instrument not in stored}
    records = [
        {
            "con_id": instrument.con_id,
            "symbol": instrument.symbol,
            "primary_exchange": instrument.primary_exchange,
            "currency": instrument.currency,
            "known_at": known_at,
        }
        for instrument in sorted(news, key=lambda instrument: instrument.con_id)
    ]
    return insert(con, "instruments", records)


def load_instruments(con: Connection, known_by: datetime | None = None) -> dict[str, Instrument]:
    """The instrument that each symbol names, as known by `known_by`; of two that bore it, the one learned of last."""
    return {instrument.symbol: instrument for instrument in _latest_instruments(con, known_by)}


def _latest_instruments(con: Connection, known_by: datetime | None = None) -> list[Instrument]:
    clause, params = where({"known_at <= ?": known_by and utc(known_by)})
    sql = f"""
    SELECT con_id, symbol, primary_exchange, currency FROM instruments {clause}
    QUALIFY row_number() OVER (PARTITION BY con_id ORDER BY known_at DESC) = 1 ORDER BY known_at, con_id
    """
    return [Instrument(**row) for row in fetch(con, sql, params)]
