"""What a night has left behind, at the gateway and in the ledger, and whether the two agree with a clean night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from hrp.data.db import open_published
from hrp.data.journal import verify_chain
from hrp.data.rows import Connection, fetch
from hrp.domain.breaks import UNKNOWN_ORDER
from hrp.domain.orders import LIVE, UNRESOLVED, OrderStatus
from hrp.gateway import client
from hrp.gateway.records import Status
from hrp.gateway.state import Ledger
from hrp.rehearsal.stage import Workspace

PLACE_ORDER = 3
LONG_AGO = datetime(1990, 1, 2, tzinfo=UTC)
OVERDUE = LIVE - UNRESOLVED | {OrderStatus.PLANNED}  # what is unresolved says so by itself, and stops everything
# Tables that tell how a night went, not what came of it: an attempt that was cut short is part of that.
HISTORY = frozenset({"job_runs", "lineage", "order_events"})
# Columns that differ between two runs of the same night: each run draws its id, the numbers of orders count what one
# connection asked, attempts count the crashes, and a correction raises the last number of an execution.
UNTOLD = frozenset({"run_id", "broker_order_id", "attempt", "lost", "client_id", "sending_at", "exec_id"})
_NAMES = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY ALL"
BULK = frozenset({"prices_raw", "features"})  # compared by their hash
SHOWN = 3
_TOLD = {
    "job_runs": "job, session, status",
    "lineage": "event_type, session, actor, subject",
    "order_events": "order_ref, seq, from_status, to_status",
}
_STATE = frozenset(
    {".lock", ".holder", ".log", ".env", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".wal", ".db", ".json", ""}
)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """The account at the gateway and in the ledger.

    `placed`: (reference, order id) of every placeOrder that the gateway received. `accepted`: references of the orders
    that it took. `executions`: (execution id, reference, symbol, side, shares, price, commission in USD).
    `tables`: every table of the ledger without what differs between two runs. `reports`: what the pages say after the
    list of runs, by session. `damage`: what cannot be read any more.
    """

    placed: tuple[tuple[str, str], ...]
    accepted: tuple[str, ...]
    executions: tuple[Row, ...]
    holdings: Mapping[str, Decimal]
    cash: Decimal
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    reports: Mapping[str, str]
    damage: tuple[str, ...] = ()

    def newest(self, table: str) -> list[Mapping[str, Any]]:
        """The rows of the newest session in `table`."""
        sessions = [row["session"] for row in self.tables[table]]
        return [row for row in self.tables[table] if row["session"] == max(sessions)]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong after a night that was disturbed: counts, and what differs in words."""

    duplicates: int = 0
    lost: int = 0
    breaks: int = 0
    differences: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def __add__(self, other: Findings) -> Findings:
        return Findings(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __str__(self) -> str:
        counts = [f"{name}={getattr(self, name)}" for name in ("duplicates", "lost", "breaks") if getattr(self, name)]
        return "; ".join([*counts, *self.differences[:SHOWN]]) or "nothing"


def collect(workspace: Workspace) -> Books:
    """The books as they stand; the gateway need not run."""
    with closing(Ledger(workspace.state)) as gateway:
        orders = [*gateway.ended_orders(LONG_AGO), *gateway.working_orders()]
        executions = [
            (e.exec_id, e.order_ref, _plain(e.instrument.symbol), str(e.side).lower(), str(e.quantity),
             _number(e.price), _number(e.commission))
            for e in gateway.executions(LONG_AGO.date())
        ]  # fmt: skip
        holdings = {_plain(h.instrument.symbol): Decimal(h.quantity) for h in gateway.holdings() if h.quantity}
        cash = gateway.cash
    log = client.message_log(workspace.state, direction="in", message_id=PLACE_ORDER)
    with workspace.store.read() as con:
        tables, broken = _tables(con), verify_chain(con)
    reports = {page.stem: _told(page.read_text()) for page in (workspace.home / "reports").glob("*.txt")}
    return Books(
        placed=tuple((str(message.order_ref), message.fields[1]) for message in log),
        accepted=tuple(order.order_ref for order in orders if order.status is not Status.INACTIVE),
        executions=tuple(executions),
        holdings=holdings,
        cash=cash,
        tables=tables,
        reports=reports,
        damage=() if broken is None else (f"the lineage is broken at {broken}",),
    )


@dataclass(frozen=True, slots=True)
class World:
    """Names for what a crash has left behind: equal worlds have equal futures.

    Without what differs between two runs of the same night, and without how DuckDB divides its content between the
    file and the log: it is read as the next run would read it. `books` is also without the published copies: every job
    makes a new one and none reads them.
    """

    everything: str
    books: str


def world(workspace: Workspace) -> World:
    """What was left behind in `workspace` and at its gateway."""
    with closing(Ledger(workspace.state)) as gateway:
        orders = [*gateway.ended_orders(LONG_AGO), *gateway.working_orders()]
        account = [
            sorted((o.order_ref, o.order_id, str(o.status), o.filled) for o in orders),
            sorted((e.exec_id, e.quantity, str(e.price)) for e in gateway.executions(LONG_AGO.date())),
            sorted((h.instrument.symbol, h.quantity) for h in gateway.holdings()),
            (gateway.cash, gateway.clock),
        ]
    files = sorted(path for path in workspace.home.rglob("*") if not path.is_dir() or path.is_symlink())
    with workspace.store.read() as con:
        content = {name: _hash(con, name) for name in _table_names(con)}
    pages = [(str(path.relative_to(workspace.home)), _content(path)) for path in files if path.suffix not in _STATE]
    others = [page for page in pages if not page[0].startswith("published/")]
    return World(*(sha256(repr((account, content, kept)).encode()).hexdigest() for kept in (pages, others)))


def require_readable(workspace: Workspace) -> str:
    """Nothing, or why the published copy cannot be read: a crash must not take it from its readers.

    Raises:
        DataError: it cannot.
    """
    with closing(open_published(workspace.home / "published")) as con:
        return str(con.execute("SELECT count(*) FROM orders").fetchone())


def against_clean(clean: Books, found: Books, *, same_clock: bool = True) -> Findings:
    """What of `found` is not as in the clean night; with another clock the instants of writing may differ."""
    differences = [name for name in ("accepted", "executions", "holdings", "cash") if _differ(clean, found, name)]
    for table in sorted({*clean.tables, *found.tables}):
        ours, theirs = (_lines(books.tables.get(table, ()), same_clock) for books in (clean, found))
        if ours != theirs:
            differences.append(f"{table}: {_first_difference(ours, theirs)}")
    differences += [
        f"report of {session}" for session, text in clean.reports.items() if found.reports.get(session) != text
    ]
    missing = Counter(e[1] for e in clean.executions) - Counter(e[1] for e in found.executions)
    return Findings(0, missing.total(), 0, tuple(differences)) + in_itself(found)


def in_itself(found: Books, *, stopped: bool = False) -> Findings:
    """What cannot be, whatever happened before: the ledger and the gateway tell different stories.

    If HRP has `stopped`, the order of unknown fate is a break that it has explained.
    """
    sends, orders = Counter(ref for ref, _ in found.placed), Counter(found.accepted)
    duplicates = sum(min(sends[ref], orders[ref]) - 1 for ref in sends if min(sends[ref], orders[ref]) > 1)
    duplicates += len(found.placed) - len(set(found.placed))  # the same number twice is a change of the same order
    at_gateway = {_identity(execution[0]): execution[1:] for execution in found.executions}
    booked = {
        fill["fill_id"]: (
            fill["order_ref"], fill["symbol"], fill["side"], _number(fill["quantity"]), _number(fill["price"]),
            "-" if fill["commission_usd"] is None else _number(fill["commission_usd"]),
        )
        for fill in found.tables["fills"]
    }  # fmt: skip
    lost = len(set(at_gateway.items()) ^ set(booked.items()))
    held = {row["symbol"]: row["quantity"] for row in found.newest("positions")} if found.tables["positions"] else {}
    differences = list(found.damage)
    if held != dict(found.holdings):
        differences.append(f"positions: ledger {held}, gateway {dict(found.holdings)}")
    (money,) = found.newest("equity")
    if money["cash_usd"] != found.cash:
        differences.append(f"cash: ledger {money['cash_usd']}, gateway {found.cash}")
    breaks = [row for row in found.tables["breaks"] if not (stopped and row["kind"] == UNKNOWN_ORDER)]
    return Findings(duplicates, lost, len(breaks), tuple(differences + _orders(found)))


def unsent(found: Books) -> Findings:
    """Orders of a plan that never reached the gateway, though nothing was said to stop them."""
    received = {ref for ref, _ in found.placed}
    refs = [row["order_ref"] for row in found.tables["orders"] if row["status"] != OrderStatus.DENIED]
    return Findings(differences=tuple(f"{ref} was never sent" for ref in refs if ref not in received))


def next_plan(found: Books) -> Findings:
    """Whether the plan of the newest session starts from the account as the gateway has it."""
    session = found.newest("position_syncs")[0]["session"]
    plans = [plan for plan in found.tables["plans"] if plan["session"] == session]
    if not plans:
        return Findings(differences=(f"no plan of {session}",))
    (plan,) = plans
    lines = [line for line in found.tables["plan_lines"] if line["plan_hash"] == plan["plan_hash"]]
    held = {line["symbol"]: line["held"] for line in lines if line["held"]}
    wrong = []
    if held != dict(found.holdings):
        wrong.append(f"plan of {session}: held {held}, gateway {dict(found.holdings)}")
    if plan["cash_usd"] != found.cash:
        wrong.append(f"plan of {session}: cash {plan['cash_usd']}, gateway {found.cash}")
    return Findings(differences=tuple(wrong))


def _orders(found: Books) -> list[str]:
    """Orders that the gateway took and the ledger does not know, or that stay open though their session has passed."""
    rows = {row["order_ref"]: row for row in found.tables["orders"]}
    synced = max(row["session"] for row in found.tables["position_syncs"])
    unknown = [ref for ref in found.accepted if ref not in rows or rows[ref]["status"] == OrderStatus.PLANNED]
    overdue = [ref for ref, row in rows.items() if row["status"] in OVERDUE and row["for_session"] <= synced]
    said = [f"the gateway has {ref}, the ledger does not say it was sent" for ref in unknown]
    return said + [f"{ref} is still {rows[ref]['status']} after {rows[ref]['for_session']}" for ref in overdue]


def _table_names(con: Connection) -> list[str]:
    return [row["table_name"] for row in fetch(con, _NAMES)]


def _hash(con: Connection, table: str, *without: str) -> list[dict[str, Any]]:
    """The content of `table` as one row; of what tells how a night went, what happened and not when or how fast."""
    left_out = ", ".join(f"'{name}'" for name in ("run_id", *without))
    columns = _TOLD.get(table, f"COLUMNS(c -> c NOT IN ({left_out}))")
    return fetch(con, f"SELECT count(*) AS n, sum(hash(t)) AS content FROM (SELECT {columns} FROM {table}) t")


def _content(path: Path) -> str:
    """What a file holds; of a copy of the store its name says enough."""
    if path.is_symlink():
        return str(path.readlink())
    return "" if path.suffix == ".duckdb" else path.read_text(errors="replace")


def _tables(con: Connection) -> dict[str, list[dict[str, Any]]]:
    return {
        name: _hash(con, name, "known_at")
        if name in BULK
        else [
            {column: value for column, value in row.items() if column not in UNTOLD}
            for row in fetch(con, f"SELECT * FROM {name} ORDER BY ALL")
        ]
        for name in _table_names(con)
        if name not in HISTORY
    }


def _told(page: str) -> str:
    """What a report says of the account: the list of runs before it tells how the night went."""
    return page.partition("\naccount\n")[2]


def _lines(rows: Iterable[Mapping[str, Any]], instants: bool) -> list[Row]:
    """`rows` as sorted text, with or without the instants in them."""
    return sorted(
        tuple(f"{name}={value}" for name, value in row.items() if instants or not isinstance(value, datetime))
        for row in rows
    )


def _first_difference(ours: list[Row], theirs: list[Row]) -> str:
    lacks, extra = [row for row in ours if row not in theirs], [row for row in theirs if row not in ours]
    if lacks and extra:
        pairs = [f"{new} instead of {old}" for old, new in zip(lacks[0], extra[0], strict=False) if old != new]
        return f"{lacks[0][0]}: {', '.join(pairs[:SHOWN])}"
    return f"{'lacks' if lacks else 'has also'} {' '.join((lacks or extra)[0])}"


def _differ(clean: Books, found: Books, name: str) -> bool:
    return bool(getattr(clean, name) != getattr(found, name))


def _identity(exec_id: str) -> str:
    """An execution without the suffix that each correction of it raises."""
    return exec_id.rpartition(".")[0]


def _plain(symbol: str) -> str:
    return symbol.replace(" ", ".")


def _number(value: Decimal) -> str:
    return f"{Decimal(value).normalize():f}"
