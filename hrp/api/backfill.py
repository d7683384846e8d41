"""Filling the store with history, in parts of which each is committed: killed anywhere, it goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from hrp.api import delivery
from hrp.data import backfills, market
from hrp.data.rows import Connection
from hrp.domain.identity import own_ticker
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import require_closed, sessions_between
from hrp.errors import DataError, SourceUnavailableError, StoreBusyError, StoreUnwritableError, UsageError
from hrp.ports import PriceSource
from hrp.wiring import App


@dataclass(frozen=True, slots=True)
class Part:
    """What is fetched and committed together: some names over all sessions."""

    symbols: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill as it stands: `parts` in order, those that were committed before in `done`."""

    source: PriceSource
    symbols: tuple[str, ...]
    sessions: tuple[date, ...]
    key: str
    parts: tuple[Part, ...]
    done: frozenset[str]

    @property
    def first(self) -> date:
        return self.sessions[0]

    @property
    def last(self) -> date:
        return self.sessions[-1]

    @property
    def waiting(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.key not in self.done)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a backfill ended.

    `rows` and `actions` are what it wrote. `begins` is the first session of which any bar of the names asked for is
    stored, None if there is none; `empty` are the sessions after it without a single one, `absent` the names without a
    bar. `failures` says of each part that could not be fetched why; it is fetched by the next run.
    """

    rows: int
    actions: int
    adjustment: Adjustment
    begins: date | None
    empty: tuple[date, ...]
    absent: tuple[str, ...]
    founded: int
    failures: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True if everything that was asked for is there."""
        return not (self.failures or self.empty or self.absent)


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    actions: int = 0
    failures: list[str] = field(default_factory=list)


def plan_backfill(
    app: App,
    source: PriceSource,
    first: date,
    last: date,
    symbols: Sequence[str] | None = None,
    universe: str = "",
    bars_a_part: int = 50_000,
) -> Backfill:
    """What fetching every session from `first` to `last` takes, and what of it is done.

    Args:
        symbols: the names; None takes those of `universe`, of the configured one by default, and all that the source
            has while there is none.
        bars_a_part: about how many bars are fetched before they are committed.

    Raises:
        UsageError: no session in the range, no such universe, or the source does not list its names.
        DataError: a name is no ticker.
        SessionError: the last session has not closed.
    """
    sessions = tuple(sessions_between(first, last))
    if not sessions:
        raise UsageError(f"the exchange has no session from {first} to {last}; give other days with --from and --to")
    require_closed(sessions[-1], app.clock.now())
    names = tuple(sorted({own_ticker(name) for name in symbols or _names(app, source, universe)}))
    if not names:
        raise UsageError(f"{source.name} has no names; give a source that has with --source, or HRP_PRICE_SOURCE")
    key = "backfill " + _digest(source.name, sessions[0], sessions[-1], *names)
    size = max(1, bars_a_part // len(sessions))
    groups = [names[start : start + size] for start in range(0, len(names), size)]
    parts = tuple(Part(group, _digest(*group)) for group in groups)
    with app.store().read() as con:
        done = backfills.parts_done(con, key)
    return Backfill(source, names, sessions, key, parts, frozenset(done))


def run_backfill(app: App, backfill: Backfill, run_id: str, on_part: Callable[[Part], None]) -> Outcome:
    """Fetch and commit each part that waits, then say what the store has and lacks.

    A part that the source gives wrongly is left for the next run and the others are fetched; a source that does not
    answer at all, or a store that cannot be written, ends it.

    Raises:
        ConfigError, SourceUnavailableError, BrokerError: the source; parts that were committed stay.
        StoreBusyError, StoreUnwritableError: the store.
    """
    tally = _Tally()
    for part in backfill.waiting:
        try:
            _fill(app, backfill, part, run_id, tally)
        except (SourceUnavailableError, StoreBusyError, StoreUnwritableError):
            raise
        except DataError as error:
            tally.failures.append(f"{part.symbols[0]} to {part.symbols[-1]}: {error}")
        on_part(part)
    return _end(app, backfill, tally)


def _fill(app: App, backfill: Backfill, part: Part, run_id: str, tally: _Tally) -> None:
    """Fetch, with the store closed; then commit bars, actions and the word that the part is done together."""
    source, first, last = backfill.source, backfill.first, backfill.last
    actions = source.fetch_actions(part.symbols, first, last)
    delivered = delivery.fetch_bars(app, source, part.symbols, first, last)
    with app.store().write() as con:
        rows = market.save_prices(con, delivered.bars, delivered.known_at, run_id, delivered.adjustment)
        told = market.save_corporate_actions(con, actions, delivered.known_at) if len(actions) else 0
        backfills.record_part(con, backfill.key, part.key, rows, told, delivered.known_at)
    tally.rows += rows
    tally.actions += told


def _end(app: App, backfill: Backfill, tally: _Tally) -> Outcome:
    """What is there now; unless something failed the backfill is over, and the first one founds the universe."""
    founded = 0
    with app.store().write() as con:
        found = backfills.load_coverage(con, backfill.symbols, backfill.first, backfill.last)
        if not tally.failures:
            founded = _found_universe(app, con, found)
            backfills.record_end(con, backfill.key, app.clock.now())
    begins = min(found.sessions, default=None)
    return Outcome(
        rows=tally.rows,
        actions=tally.actions,
        adjustment=delivery.left_in(backfill.source.adjustment),
        begins=begins,
        empty=tuple(day for day in backfill.sessions if begins and day > begins and day not in found.sessions),
        absent=tuple(symbol for symbol in backfill.symbols if symbol not in found.first_sessions),
        founded=founded,
        failures=tuple(tally.failures),
    )


def _found_universe(app: App, con: Connection, found: backfills.Coverage) -> int:
    """Make the configured universe of what came, unless there is one; how many names it got."""
    name = app.settings.universe
    if backfills.load_names(con, name) or not found.first_sessions:
        return 0
    columns = {"symbol": list(found.first_sessions), "start_session": list(found.first_sessions.values())}
    return market.save_universe(con, name, pd.DataFrame(columns).assign(end_session=None), app.clock.now())


def _names(app: App, source: PriceSource, universe: str) -> list[str]:
    with app.store().read() as con:
        names = backfills.load_names(con, universe or app.settings.universe)
    if universe and not names:
        raise UsageError(f"there is no universe {universe}; name symbols instead: --symbols AAPL,MSFT")
    return names or source.fetch_symbols()


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]
