"""`python -m hrp.gateway`: run one paper gateway until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hrp.errors import EXIT_DONE, ConfigError, HRPError
from hrp.gateway.books import Books
from hrp.gateway.desk import Desk
from hrp.gateway.errors import GatewayError
from hrp.gateway.market import Market, last_close_instant
from hrp.gateway.process import Running, remove_note, take_lock, write_note
from hrp.gateway.server import Server
from hrp.gateway.state import Ledger

_PAPER_ACCOUNT = re.compile(r"D[UF]\d+")


def main(arguments: list[str]) -> int:
    """Run the gateway; the result is the exit code."""
    try:
        asked = _parser().parse_args(arguments)
        _require_paper(asked.account)
        asked.state.mkdir(parents=True, exist_ok=True)
        lock = take_lock(asked.state)
        if lock is None:
            raise GatewayError(f"a gateway already runs in {asked.state}; see it: hrp gateway status")
        with lock:
            remove_note(asked.state)
            asyncio.run(_serve(asked))
    except HRPError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


async def _serve(asked: argparse.Namespace) -> None:
    books = _open_books(asked)
    server = Server(Desk(books))
    port, control_port = await server.listen(asked.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    write_note(asked.state, Running(os.getpid(), port, control_port, asked.account))
    await server.run()
    remove_note(asked.state)
    books.ledger.close()


def _open_books(asked: argparse.Namespace) -> Books:
    market = Market(asked.market)
    ledger = Ledger(asked.state)
    ledger.found(asked.account, asked.clock or last_close_instant(market), asked.cash)
    return Books(ledger, market)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hrp.gateway", description="A paper broker on the TWS protocol.")
    parser.add_argument("--state", type=Path, required=True, help="directory of the durable state")
    parser.add_argument("--market", type=Path, required=True, help="Parquet file of daily bars")
    parser.add_argument("--account", required=True, help="paper account id, such as DU1234567")
    parser.add_argument("--port", type=int, default=0, help="port for clients; 0 takes a free one")
    parser.add_argument(
        "--clock", type=_instant, help="first instant, ISO 8601 with zone; default: last close in the file"
    )
    parser.add_argument("--cash", type=_money, default=Decimal("1000000.00"), help="first cash in USD")
    return parser


def _require_paper(account: str) -> None:
    if not _PAPER_ACCOUNT.fullmatch(account):
        raise ConfigError(f"account {account!r} is no paper account; use one like DU1234567")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} names no time zone; write {text}+00:00")
    return instant.astimezone(UTC)


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from error
    if not amount.is_finite() or amount < 0 or amount != round(amount, 2):
        raise argparse.ArgumentTypeError(f"{text} is not a positive amount in whole cents")
    return amount


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
