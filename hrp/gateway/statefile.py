"""The file of the durable state: its layout, transactions, facts about the account, and every message.

One request, or one session event, is one transaction; its messages are in it. WAL with synchronous=FULL: what a client
was told survives kill -9 and a power cut, and the message log can be read while the gateway writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hrp.domain.commission import to_cents
from hrp.gateway.errors import GatewayError
from hrp.gateway.layouts import message_number
from hrp.gateway.schema import FILE_NAME, SCHEMA, VERSION, cents, usd
from hrp.gateway.terms import USD, Terms, read_terms


class StateFile:
    """The state file, apart from its tables of orders and holdings."""

    def __init__(self, state_dir: Path) -> None:
        """Open the file in `state_dir`, or make it.

        Raises:
            GatewayError: there is a file that this version of the gateway did not write.
        """
        self.terms = Terms()  # until `found`
        path = state_dir / FILE_NAME
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            self._require_version(path)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            self.close()
            raise GatewayError(f"the gateway's state {path} cannot be used: {error}; move it away") from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored together, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        outcome = "ROLLBACK"
        try:
            yield
            outcome = "COMMIT"
        finally:
            self._connection.execute(outcome)

    def found(self, account: str, clock: datetime, cash: Decimal, said: Mapping[str, str] | None = None) -> None:
        """Begin with `clock` and `cash` if this file is new; otherwise what it holds stands.

        Args:
            cash: in the base currency.
            said: terms by name, as texts; each replaces the one that the file holds.

        Raises:
            ConfigError: a term cannot be read.
            GatewayError: the file belongs to another account, or keeps it in another base currency.
        """
        is_new, terms = self.is_new, self.terms_with(said or {})
        if not is_new:
            self._require_same(account, terms)
        self.terms = terms
        with self.transaction():
            self._set_fact("terms", json.dumps({**self._said, **(said or {})}))
            if is_new:
                self._begin(account, clock, cash)

    def terms_with(self, said: Mapping[str, str]) -> Terms:
        """The terms that the file holds, those of `said` in their place; nothing is stored.

        Raises:
            ConfigError: a term cannot be read.
        """
        return read_terms({**self._said, **said})

    @property
    def is_new(self) -> bool:
        """True before `found`."""
        return self._fact("account") is None

    @property
    def account(self) -> str:
        """The account id."""
        return str(self._fact("account"))

    @property
    def clock(self) -> datetime:
        """The simulated instant (UTC)."""
        return datetime.fromisoformat(str(self._fact("clock")))

    def set_clock(self, now: datetime) -> None:
        """Store the simulated instant."""
        self._set_fact("clock", now.astimezone(UTC).isoformat())

    @property
    def cash(self) -> Decimal:
        """Cash in USD, that in another base currency not included."""
        return usd(int(str(self._fact("cash_cents"))))

    @property
    def base_cash(self) -> Decimal:
        """Cash in the base currency if that is not USD, else 0.00."""
        return usd(int(str(self._fact("base_cash_cents"))))

    def add_cash(self, change: Decimal) -> None:
        """Change cash by `change` USD."""
        self._set_fact("cash_cents", cents(self.cash + change))

    def log(self, direction: str, client_id: int, messages: Sequence[Sequence[str]]) -> None:
        """Append `messages` to the log, stamped with the simulated instant."""
        at = self.clock.isoformat()
        self._connection.executemany(
            "INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?)",
            [(at, direction, client_id, message_number(message), "\0".join(message)) for message in messages],
        )

    def _begin(self, account: str, clock: datetime, cash: Decimal) -> None:
        is_usd = self.terms.base_currency == USD
        self._set_fact("account", account)
        self.set_clock(clock)
        self._set_fact("cash_cents", cents(cash) if is_usd else 0)
        self._set_fact("base_cash_cents", 0 if is_usd else cents(cash))
        self._set_fact("opening_cents", cents(to_cents(cash * self.terms.rate)))

    @property
    def _said(self) -> dict[str, str]:
        said: dict[str, str] = json.loads(self._fact("terms") or "{}")
        return said

    def _require_same(self, account: str, terms: Terms) -> None:
        if self.account != account:
            raise GatewayError(
                f"this state directory belongs to account {self.account}, not {account}; use another --state"
            )
        currency = self.terms_with({}).base_currency
        if currency != terms.base_currency:
            raise GatewayError(
                f"account {account} is kept in {currency} here, not in {terms.base_currency}; use another --state"
            )

    def _require_version(self, path: Path) -> None:
        if not self._one("SELECT 1 FROM sqlite_master WHERE name = 'facts'"):
            return
        layout = self._fact("schema")
        if layout != VERSION:
            self.close()
            raise GatewayError(
                f"the gateway's state {path} was written by another version of HRP (layout {layout or 1}, this one has "
                f"{VERSION}); move the folder away and start anew: hrp gateway start"
            )

    def recall(self, name: str) -> str | None:
        """The note that was stored under `name`, or None."""
        return self._fact(f"note {name}")

    def remember(self, name: str, text: str) -> None:
        """Store a note under `name`, in place of the one before."""
        self._set_fact(f"note {name}", text)

    def _fact(self, name: str) -> str | None:
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return row[0] if row else None

    def _set_fact(self, name: str, value: object) -> None:
        self._run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, str(value))

    def _one(self, query: str, *values: object) -> Any:
        return self._connection.execute(query, values).fetchone()

    def _run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)
