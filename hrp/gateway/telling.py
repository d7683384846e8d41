"""The message log for people: what each message is about, and its telling fields by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hrp.errors import UsageError
from hrp.gateway.layouts import DIRECTIONS, HANDSHAKE, NOTE
from hrp.gateway.messagelog import LoggedMessage, read_log
from hrp.gateway.wire import is_unset

WIDTH = 120
_IDS = ("order_id", "req_id", "rule_id")
_TELLING = {
    "placeOrder": "action total_quantity order_type lmt_price tif order_ref",
    "openOrder": "action total_quantity status order_ref perm_id",
    "completedOrder": "action filled_quantity status order_ref perm_id",
    "orderStatus": "status filled remaining average_price perm_id",
    "execDetails": "side shares price order_ref exec_id",
    "commissionReport": "commission exec_id",
    "error": "code text",
    "position": "position average_cost",
    "portfolioValue": "position market_price market_value",
    "contractDetails": "con_id primary_exchange",
    "reqContractDetails": "con_id exchange",
    "reqMktData": "con_id exchange",
}
_BARE = (
    "action",
    "side",
    "shares",
    "total_quantity",
    "order_type",
    "tif",
    "status",
    "code",
    "text",
    "key",
    "tag",
    "value",
)
_SHORT = {
    "order_ref": "ref",
    "perm_id": "perm",
    "exec_id": "exec",
    "lmt_price": "limit",
    "average_price": "at",
    "price": "at",
    "remaining": "left",
    "filled_quantity": "filled",
}
_SILENT = frozenset(("version", "symbol", "sec_type", "account", *_IDS))


def _row(*cells: str) -> str:
    """One line of at most `WIDTH` columns."""
    at, direction, client, name, number, symbol, what = cells
    line = f"{at:19} {direction:4} {client:>4} {name:<21.21} {number:>5} {symbol:<6} {what}".rstrip().replace("\n", " ")
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


HEADER = _row("at (UTC)", "way", "who", "message", "id", "symbol", "what")


@dataclass(frozen=True, slots=True)
class Line:
    """A logged message: the id of its order or request, symbol and reference of its order, and what it says."""

    message: LoggedMessage
    number: str
    symbol: str
    order_ref: str
    what: str

    def text(self) -> str:
        """One line of at most `WIDTH` columns."""
        said = self.message
        client = "" if said.client_id < 0 else str(said.client_id)
        return _row(
            f"{said.at:%Y-%m-%d %H:%M:%S}", said.direction, client, said.name, self.number, self.symbol, self.what
        )


def log_lines(
    state_dir: Path,
    *,
    message: str | None = None,
    direction: str | None = None,
    symbol: str | None = None,
    order_ref: str | None = None,
    last: int | None = None,
) -> list[Line]:
    """The message log in order, narrowed by whatever is given; `message` is a name or a number.

    Raises:
        UsageError: there is no message of that name.
        GatewayError: no gateway ever ran in `state_dir`.
    """
    if message and not message.isdigit() and message not in DIRECTIONS:
        raise UsageError(f"there is no message {message!r}; names: {', '.join(sorted(DIRECTIONS))}")
    found = [
        line
        for line in _lines(read_log(state_dir))
        if message in (None, line.message.name, str(line.message.message_id))
        and direction in (None, line.message.direction)
        and symbol in (None, line.symbol)
        and order_ref in (None, line.order_ref)
    ]
    return found[-last:] if last else found


def _lines(messages: Iterable[LoggedMessage]) -> Iterator[Line]:
    """Messages as lines; those that name an order or an execution alone take its symbol and reference from before."""
    known: dict[tuple[int, str], tuple[str, str]] = {}
    for message in messages:
        named = message.named
        number = next((named[name] for name in _IDS if name in named), "")
        keys = [(message.client_id, key) for key in (number, named.get("exec_id", "")) if key]
        symbol, order_ref = named.get("symbol", ""), named.get("order_ref", "")
        if order_ref:
            known |= dict.fromkeys(keys, (symbol, order_ref))
        elif not symbol:
            symbol, order_ref = next((known[key] for key in keys if key in known), ("", ""))
        yield Line(message, number, symbol, order_ref, _what(message, named))


def _what(message: LoggedMessage, named: dict[str, str]) -> str:
    if not named:
        return " ".join(message.fields) if message.name in (NOTE, HANDSHAKE) else ""
    telling = _TELLING.get(message.name)
    shown = telling.split() if telling else [name for name in named if name not in _SILENT]
    values = ((name, named.get(name, "")) for name in shown)
    said = [(name, text) for name, text in values if not is_unset(text) and (name, text) != ("lmt_price", "0.0")]
    return " ".join(text if name in _BARE else f"{_SHORT.get(name, name)}={text}" for name, text in said)
