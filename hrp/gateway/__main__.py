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
from typing import IO

from hrp.errors import EXIT_DONE, ConfigError, HRPError
from hrp.gateway.desk import open_desk
from hrp.gateway.errors import GatewayError
from hrp.gateway.layouts import NEWEST_VERSION, OLDEST_VERSION, USUAL_VERSION
from hrp.gateway.market import Market, last_close_instant
from hrp.gateway.process import Running, inherit, pass_on, remove_note, take_lock, write_note
from hrp.gateway.scenario import load
from hrp.gateway.server import Server
from hrp.gateway.state import Ledger
from hrp.gateway.terms import NAMES

_PAPER_ACCOUNT = re.compile(r"D[UF]\d+")


def main(arguments: list[str]) -> int:
    """Run the gateway; the result is the exit code."""
    try:
        asked = _parser().parse_args(arguments)
        _require_paper(asked.account)
        asked.state.mkdir(parents=True, exist_ok=True)
        lock = take_lock(asked.state) if asked.lock is None else inherit(asked.lock)
        if lock is None:
            raise GatewayError(f"a gateway already runs in {asked.state}; see it: hrp gateway status")
        with lock:
            if asked.lock is None:
                remove_note(asked.state)
            asyncio.run(_serve(asked, arguments, lock))
    except HRPError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


async def _serve(asked: argparse.Namespace, arguments: list[str], lock: IO[bytes]) -> None:
    scenario = load(asked.scenario) if asked.scenario else None
    desk = open_desk(*_open_books(asked), scenario, asked.server_version)

    def crash() -> None:
        """Take this process's place; no file and no socket but the lock survives, and nothing is tidied up."""
        ports = ["--port", str(port), "--control-port", str(control_port), "--lock", str(pass_on(lock))]
        os.execv(sys.executable, [sys.executable, "-m", "hrp.gateway", *arguments, *ports])

    server = Server(desk, crash)
    port, control_port = await server.listen(asked.port, asked.control_port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    write_note(asked.state, Running(os.getpid(), port, control_port, asked.account))
    await server.run()
    remove_note(asked.state)
    desk.books.ledger.close()


def _open_books(asked: argparse.Namespace) -> tuple[Ledger, Market]:
    ledger = Ledger(asked.state)
    said = {name: text for name in NAMES if (text := getattr(asked, name.replace("-", "_")))}
    market = Market(asked.market, ledger.terms_with(said).actions)
    ledger.found(asked.account, asked.clock or last_close_instant(market), asked.cash, said)
    return ledger, market


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hrp.gateway", description="A paper broker on the TWS protocol.")
    parser.add_argument("--state", type=Path, required=True, help="directory of the durable state")
    parser.add_argument("--market", type=Path, required=True, help="Parquet file of daily bars")
    parser.add_argument("--account", required=True, help="paper account id, such as DU1234567")
    parser.add_argument("--port", type=int, default=0, help="port for clients; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="port for commands; 0 takes a free one")
    parser.add_argument(
        "--server-version",
        type=int,
        choices=range(OLDEST_VERSION, NEWEST_VERSION + 1),
        metavar=f"{OLDEST_VERSION}..{NEWEST_VERSION}",
        default=USUAL_VERSION,
        help="newest version to speak",
    )
    parser.add_argument("--scenario", help="what goes wrong: a name of the library or a YAML file")
    parser.add_argument("--lock", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--clock", type=_instant, help="first instant, ISO 8601 with zone; default: last close in the file"
    )
    parser.add_argument("--cash", type=_money, default=Decimal("1000000.00"), help="first cash in the base currency")
    for name in NAMES:
        parser.add_argument(f"--{name}", help="see hrp gateway start --help; what is not given stays as it was")
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
