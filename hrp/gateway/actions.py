"""Corporate actions: the file that names them, and what one does to a holding.

The file is Parquet or CSV with the columns symbol, ex_session, kind (`split` or `dividend`) and value: of a split the
new shares for one old, of a dividend USD a share. Symbols are spelled as in the market file.

An action takes place at the open of its ex_session. A dividend is paid at once, without tax, on the shares held at the
close before. A split leaves whole shares; what is left over is paid in cash at the last close before it, and takes its
share of the cost away. Of two actions on one name in one session the dividend comes first, on the old shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from hrp.domain.commission import to_cents
from hrp.domain.corporate_actions import ActionKind
from hrp.domain.sessions import is_session
from hrp.errors import DataError
from hrp.gateway.records import Holding

_COLUMNS = ("symbol", "ex_session", "kind", "value")
_LARGEST_DENOMINATOR = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One corporate action, its symbol spelled as on the wire; sorted as they take place."""

    ex_session: date
    symbol: str
    kind: ActionKind
    value: Decimal

    @property
    def ratio(self) -> Fraction:
        """New shares for one old: a third that is stored as 0.33333333 is a third."""
        return Fraction(self.value).limit_denominator(_LARGEST_DENOMINATOR)


def dividend_of(holding: Holding, action: Action) -> Decimal:
    """What a dividend pays on `holding` in USD, in whole cents."""
    return to_cents(holding.quantity * action.value)


def split(holding: Holding, action: Action, price: Decimal) -> tuple[Holding, Decimal]:
    """The holding after a split, and the cash in USD for the fraction of a share that it leaves.

    Args:
        price: of a new share in USD: the last close, divided by the split.
    """
    exact = holding.quantity * action.ratio
    rest = exact - int(exact)
    given_up = times(holding.cost, rest / exact) if exact else Decimal(0)
    return Holding(holding.instrument, int(exact), holding.cost - to_cents(given_up)), to_cents(times(price, rest))


def times(amount: Decimal, ratio: Fraction) -> Decimal:
    """`amount` times `ratio`."""
    return amount * ratio.numerator / ratio.denominator


def read_actions(path: Path) -> list[Action]:
    """The actions in the file at `path`, in the order in which they take place.

    Raises:
        DataError: no such file, a column is missing, a row is no action, or two rows have one key.
    """
    actions = sorted(_action(path, row) for row in _read(path).to_pylist())
    keys = [(action.ex_session, action.symbol, action.kind) for action in actions]
    twice = next((key for key, following in pairwise(keys) if key == following), None)
    if twice:
        raise DataError(f"actions file {path} holds the {twice[2]} of {twice[1]} on {twice[0]} twice; write it once")
    return actions


def on_wire(symbol: str) -> str:
    """`symbol` as the wire spells it."""
    return symbol.replace(".", " ").replace("-", " ")


def splits_of(actions: Sequence[Action]) -> dict[str, list[Action]]:
    """The splits among `actions` by symbol, oldest first."""
    found: dict[str, list[Action]] = {}
    for action in actions:
        if action.kind is ActionKind.SPLIT:
            found.setdefault(action.symbol, []).append(action)
    return found


def _read(path: Path) -> Any:
    try:
        table = pa_csv.read_csv(path, convert_options=_AS_TEXT) if path.suffix == ".csv" else pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"actions file {path} cannot be read: {error}") from error
    missing = set(_COLUMNS) - set(table.column_names)
    if missing:
        raise DataError(f"actions file {path} lacks the columns {sorted(missing)}")
    return table.select(list(_COLUMNS))


def _action(path: Path, row: dict[str, Any]) -> Action:
    try:
        session = row["ex_session"]
        day = date.fromisoformat(session) if isinstance(session, str) else date.fromordinal(session.toordinal())
        action = Action(day, on_wire(str(row["symbol"])), ActionKind(row["kind"]), Decimal(str(row["value"])))
    except (ValueError, AttributeError, InvalidOperation) as error:
        raise DataError(f"actions file {path}: {row} is no split or dividend") from error
    if not (action.value.is_finite() and action.value > 0 and is_session(action.ex_session)):
        raise DataError(f"actions file {path}: {row} needs a positive value and an ex_session that is a session")
    return action


_AS_TEXT = pa_csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()))
