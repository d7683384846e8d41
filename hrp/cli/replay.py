"""hrp replay"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrp.agents.options import AsJson, EnvFile
from hrp.cli.output import print_table, say_json

if TYPE_CHECKING:
    from hrp.api.parity import Parity
    from hrp.api.replay import Request, Stage
    from hrp.research.parity import Day, Difference

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(replay)


def replay(
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First night.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last night; its orders fill one later.")],
    capital: Annotated[str, typer.Option("--capital", help="USD to begin with.")] = "1000000.00",
    symbols: Annotated[str, typer.Option("--symbols", metavar="A,B", help="Only these; default: the universe.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was cut off.")] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Live past nights again through a paper gateway, and hold them against the backtest.

    The deployed models trade the stored sessions in a workspace of their own; your ledger is not touched.
    """
    from hrp.api.replay import close_stage, open_stage
    from hrp.wiring import build

    request = _request(first, last, capital, symbols)
    stage = open_stage(build(env_file), request, resume=resume)
    try:
        found = perform(stage, quiet=as_json)
    finally:
        close_stage(stage)
    raise typer.Exit(tell(found, stage.app.settings.home, as_json))


def _request(first: str, last: str, capital: str, symbols: str) -> Request:
    from decimal import Decimal, InvalidOperation

    from hrp.agents.options import parse_day
    from hrp.api.replay import Request
    from hrp.errors import UsageError

    start, end = parse_day(first), parse_day(last)
    try:
        cash = Decimal(capital)
    except InvalidOperation as error:
        raise UsageError(f"--capital {capital!r} is not an amount; write it as 1000000.00") from error
    names = tuple(sorted({name.strip() for name in symbols.split(",") if name.strip()}))
    assert start is not None and end is not None  # both are required
    return Request(start, end, cash, names)


def perform(stage: Stage, *, quiet: bool, after: Callable[[date], None] = lambda _: None) -> Parity:
    """Play what is left behind a progress bar, and compare; `after` each session something else may be done."""
    from rich.console import Console
    from rich.progress import track

    from hrp.agents.replay import play
    from hrp.api.parity import parity

    console = Console(stderr=True, quiet=quiet)
    for session in track(play(stage), "nights", len(stage.request.sessions), console=console, transient=True):
        after(session)
    return parity(stage)


def tell(found: Parity, home: Path, as_json: bool) -> int:
    """Say what was found, as tables or as one document, and as files in the workspace; 1 if anything differs."""
    rows, names, differences = sessions_of(found), names_of(found), [_row(one) for one in found.differences]
    for name, table in (("sessions", rows), ("names", names), ("differences", differences)):
        _write(home / "reports" / f"parity-{name}.csv", table)
    facts = {"sessions": found.nights, "symbols": found.symbols, "differences": len(found.differences)}
    if as_json:
        say_json({**facts, "by_session": rows, "by_name": names, "all_differences": differences})
        return 1 if differences else 0
    step = max(1, len(rows) // _SHOWN)
    shown = [row for at, row in enumerate(rows) if row["differences"] or at % step == 0 or at == len(rows) - 1]
    _table(shown[: 2 * _SHOWN], "\naccount of backtest and replay (a part; all of it in reports/parity-sessions.csv)")
    if found.differences:
        counts = Counter(str(difference.cause) for difference in found.differences)
        _table([{"cause": cause, "differences": count} for cause, count in counts.most_common()], "\ncauses")
        _table(differences[:_SHOWN], "\nfirst differences (all of them in reports/parity-differences.csv)")
    print("\nparity:", *(f"{name}={count}" for name, count in facts.items()))
    return 1 if differences else 0


def sessions_of(found: Parity) -> list[dict[str, object]]:
    """One row a session: what both sides traded and have."""
    wrong = Counter(difference.session for difference in found.differences)
    return [
        {
            "session": ours.session,
            "fills": _fills(ours),
            "replay fills": _fills(theirs),
            "actions": len(ours.paid),
            "names": len(ours.shares),
            "cash": ours.cash,
            "replay cash": theirs.cash,
            "equity": ours.equity,
            "replay equity": theirs.equity,
            "differences": wrong[ours.session],
        }
        for ours, theirs in zip(found.backtest, found.replay, strict=True)
    ]


def names_of(found: Parity) -> list[dict[str, object]]:
    """One row a session and name that either side wants, holds or trades: what it is to both."""
    causes = {(one.session, one.symbol): str(one.cause) for one in reversed(found.differences)}
    return [
        {
            "session": ours.session,
            "symbol": symbol,
            **_of_name(ours, symbol),
            **{f"replay {name}": value for name, value in _of_name(theirs, symbol).items()},
            "cause": causes.get((ours.session, symbol), ""),
        }
        for ours, theirs in zip(found.backtest, found.replay, strict=True)
        for symbol in sorted({name for day in (ours, theirs) for name in (*day.lines, *day.shares, *day.trades)})
    ]


def _of_name(day: Day, symbol: str) -> dict[str, object]:
    line, trade = day.lines.get(symbol), day.trades.get(symbol)
    return {
        "weight": line.weight if line else None,
        "ordered": line.ordered if line else None,
        "shares": int(day.shares.get(symbol, 0)),
        "fill": trade.told if trade else "",
    }


def _fills(day: Day) -> int:
    return sum(bool(trade.shares) for trade in day.trades.values())


def _row(difference: Difference) -> dict[str, object]:
    from dataclasses import asdict

    return {name: str(value) for name, value in asdict(difference).items()}


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _table(rows: Sequence[dict[str, object]], title: str) -> None:
    print_table(list(rows[0]), [list(row.values()) for row in rows], title)
