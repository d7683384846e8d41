"""How commands speak: tables for people, JSON for programs, one line for what went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hrp.errors import HRPError

THOUSANDS = 10_000  # from here on a number is read by its thousands, not by its digits


def complain(error: HRPError, *, as_json: bool) -> None:
    """One line about what was wrong on standard error; with `as_json` a document on standard output as well."""
    if as_json:
        say_json({"error": str(error), "kind": type(error).__name__, "exit_code": error.exit_code})
    print(f"error: {error}", file=sys.stderr)


def say_json(value: object) -> None:
    """`value` as one JSON document on standard output; money and dates as text."""
    print(json.dumps(value, default=str, indent=2))


def say(facts: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """The same message for a program (`facts`) or for a person (`text`)."""
    if as_json:
        say_json(facts)
    else:
        print(text)


def say_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, title: str = "") -> None:
    """`rows` as JSON or as a table with a column for each key; `empty` is said when there are none."""
    if as_json:
        say_json(list(rows))
    elif not rows:
        print(empty)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows], title)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """A table on standard output, numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | float | Decimal) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value, name) for value, name in zip(row, columns, strict=True)))
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, width=width).print(table)


def _cell(value: Any, column: str) -> str:
    """`value` for people: money with cents, shares whole where they are."""
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case date():
            return value.isoformat()
        case Decimal() if "quantity" in column and value == value.to_integral_value():
            return f"{value:,.0f}"
        case Decimal():
            return f"{value:,.2f}"
        case float():
            return f"{value:,.0f}" if abs(value) >= THOUSANDS else f"{value:.4g}"
        case _:
            return str(value)
