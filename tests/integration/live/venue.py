"""Where the contract is tried: TWS or IB Gateway with a real paper account, or the paper gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from hrp.config import parse_settings
from hrp.domain.positions import BrokerState
from hrp.errors import ConfigError
from hrp.execution.account import is_paper
from hrp.execution.broker import IBKRBroker
from hrp.gateway import client as gateway
from hrp.gateway.layouts import NEWEST_VERSION
from hrp.ports import Clock
from hrp.wiring import App, SetClock, SystemClock

T = TypeVar("T")

SYMBOL = "AAPL"
VARIABLES = ("IBKR_HOST", "IBKR_PORT", "IBKR_CLIENT_ID", "IBKR_ACCOUNT")

# Opens and closes of the paper gateway's market; the nights between them jump, the one over the weekend most of all.
SESSIONS = [date(2026, 1, day) for day in (5, 6, 7, 8, 9, 12)]
BARS = {
    "AAPL": [(100, 104), (110, 108), (95, 97), (97.5, 120), (121, 119), (90, 92)],
    "BRK.B": [(400, 402), (410, 405), (399, 401), (402, 404), (403, 405), (380, 385)],
}
VOLUME = 1000

COMMISSION_REPORT = 59  # the message's number


def evening(session: date) -> datetime:
    """An hour after the close."""
    return datetime(session.year, session.month, session.day, 22, tzinfo=UTC)


FIRST_EVENING, AFTER_OPEN = evening(SESSIONS[0]), datetime(2026, 1, 6, 14, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Venue:
    """A server that speaks the protocol and the account there; `gateway` is the paper gateway's state, if it is one."""

    host: str
    port: int
    client_id: int
    account: str
    gateway: Path | None = None

    def broker(self, client: int = 0, **changes: object) -> IBKRBroker:
        """The broker as the settings build it, for the client id `client` places after the named one."""
        settings = {
            "IBKR_HOST": self.host,
            "IBKR_PORT": self.port,
            "IBKR_CLIENT_ID": self.client_id + client,
            "IBKR_ACCOUNT": self.account,
            "IBKR_PAPER_TRADING": True,
            "HRP_ALLOW_LIVE_ACCOUNT": "",
        }
        broker = App(parse_settings(None, {**settings, **changes}), self.clock()).broker()
        assert isinstance(broker, IBKRBroker)
        return broker

    def state(self, client: int = 0) -> BrokerState:
        """The account as a connection of its own reads it."""
        with self.broker(client) as broker:
            return broker.state()

    def clock(self) -> Clock:
        """The clock that the server should agree with."""
        return SetClock(gateway.status(self.gateway).clock) if self.gateway else SystemClock()

    def advance(self, to: datetime) -> None:
        """Move the paper gateway's clock."""
        assert self.gateway is not None
        gateway.advance(self.gateway, to)


def named(variables: Mapping[str, str]) -> Venue:
    """The server and paper account that `variables` name.

    Raises:
        ConfigError: one is missing, or the account is no paper account.
    """
    missing = [name for name in VARIABLES if not variables.get(name)]
    if missing:
        raise ConfigError(f"the contract needs a paper account; set {', '.join(missing)}")
    host, port, client_id, account = (variables[name] for name in VARIABLES)
    if not is_paper(account):
        raise ConfigError(f"IBKR_ACCOUNT={account} is no paper account (DU or DF and digits); nothing is tried with it")
    return Venue(host, int(port), int(client_id), account)


@contextmanager
def paper_gateway(
    folder: Path,
    terms: Mapping[str, str] | None = None,
    sessions: Sequence[date] = SESSIONS,
    clock: datetime = FIRST_EVENING,
) -> Iterator[Venue]:
    """The paper gateway at `clock`, with a million dollars and the given `terms` of trading."""
    rows = [
        {"symbol": symbol, "session": session, "open": o, "high": max(o, c), "low": min(o, c), "close": c}
        for symbol, bars in BARS.items()
        for session, (o, c) in zip(sessions, bars, strict=True)
    ]
    market = folder / "market.parquet"
    pd.DataFrame(rows).assign(volume=VOLUME).astype({"open": float}).to_parquet(market)
    state = folder / "gateway"
    running = gateway.start(state, market, "DU1234567", clock=clock, terms=terms, server_version=NEWEST_VERSION)
    try:
        yield Venue("127.0.0.1", running.port, 7, running.account, state)
    finally:
        gateway.stop(state)


def on_commission(broker: IBKRBroker, heard: Callable[[list[str]], None]) -> None:
    """Let `heard` see the fields of every commission report, just before the adapter takes it."""
    handlers: dict[int, Callable[[list[str]], None]] = broker._proven().ib.client.decoder.handlers
    take = handlers[COMMISSION_REPORT]

    def handle(fields: list[str]) -> None:
        heard(fields)
        take(fields)

    handlers[COMMISSION_REPORT] = handle


def ask(broker: IBKRBroker, what: str, request: Callable[[Any], Awaitable[T]]) -> T:
    """The answer to a question that only these tests put, on the adapter's own connection."""
    link = broker._proven()
    return link.run(link.ask(what, partial(request, link.ib)))
