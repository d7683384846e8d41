"""What a failing broker says: notices, refusals, and messages that differ from the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from hrp.gateway import orderreplies
from hrp.gateway.effects import Change, Correct, Effect, Error, Refuse, Repeat, Zone
from hrp.gateway.layouts import LAYOUTS, OUTBOUND, message_number
from hrp.gateway.records import Status
from hrp.gateway.replies import SYSTEM, error
from hrp.gateway.state import Ledger
from hrp.gateway.trades import CANCELLED
from hrp.gateway.wire import Fields

_TEXTS = {
    100: "Max rate of messages per second has been exceeded.",
    103: "Duplicate order id",
    162: "Historical Market Data Service error message:Historical data request pacing violation",
    200: "No security definition has been found for the request",
    321: "Error validating request.",
    326: "Unable to connect as the client id is already in use. Retry with a unique client id.",
    354: "Requested market data is not subscribed.",
    399: "Order Message:\nWarning: your order will not be placed at the exchange until the next open",
    1100: "Connectivity between IB and Trader Workstation has been lost.",
    1101: "Connectivity between IB and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IB and Trader Workstation has been restored - data maintained.",
    10147: "OrderId that needs to be cancelled is not found.",
    10148: "OrderId that needs to be cancelled cannot be cancelled, state: Filled.",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10197: "No market data during competing live session",
    10349: "Order TIF was set to DAY based on order preset.",
}
_CORRECTION = ".02"
_TWIN_PERM_IDS = 100_000_000
_TWIN_EXEC_IDS = 0x10000000


def notice(effect: Error, values: Mapping[str, str] | None = None) -> Fields:
    """The error of `effect`, about the order or request in `values` or about the system."""
    number = SYSTEM if effect.system else _subject(values or {})
    return error(number, effect.code, effect.text or _TEXTS.get(effect.code, "Error"))


def refusal(effect: Refuse, values: Mapping[str, str]) -> Fields:
    """The error that answers instead."""
    return notice(Error(effect.code, effect.text), values)


def cancelled(ledger: Ledger, client_id: int, values: Mapping[str, str]) -> list[Fields]:
    """What confirms that a working order is cancelled; nothing for another one."""
    order = ledger.order(client_id, _subject(values))
    if order is None or not order.status.is_working:
        return []
    text = "Order Canceled - reason:"
    claim = orderreplies.order_status(replace(order, status=Status.CANCELLED))
    return [claim, error(order.order_id, CANCELLED, text)]


def told(effect: Effect, fields: Fields, beside: Collection[Fields] = ()) -> list[Fields]:
    """What `effect` makes of a message that is one of those `beside` it."""
    match effect:
        case Repeat():
            is_same = effect.under == "the same id"
            return [fields, *(fields if is_same else _twin(fields, 1 + copy) for copy in range(effect.times))]
        case Change():
            return [_changed(fields, {effect.field: lambda _: effect.to})]
        case Correct():
            return _corrected(effect, fields, beside)
        case Zone():
            return [_changed(fields, dict.fromkeys(("time", "completed_time"), lambda text: _zoned(effect, text)))]
    return [fields]


def _subject(values: Mapping[str, str]) -> int:
    text = values.get("order_id", values.get("req_id", ""))
    return int(text) if text.lstrip("-").isdigit() else SYSTEM


def _twin(fields: Fields, number: int) -> Fields:
    """The same under another identity; an order of another identity carries no order id."""
    return _changed(
        fields,
        {
            "perm_id": lambda text: str(int(text) + number * _TWIN_PERM_IDS),
            "order_id": lambda _: "0",
        }
        if not _execution(fields)
        else {"exec_id": lambda text: _twin_execution(text, number)},
    )


def _twin_execution(exec_id: str, number: int) -> str:
    head, sequence, *tail = exec_id.split(".")
    return ".".join((head, f"{int(sequence, 16) + number * _TWIN_EXEC_IDS:08x}", *tail))


def _corrected(effect: Correct, fields: Fields, beside: Collection[Fields]) -> list[Fields]:
    """Two corrections of one fill end in one truth: the first report is off by both."""

    def price(text: str) -> str:
        return format(Decimal(text) + effect.price, "f")

    def shares(text: str) -> str:
        return str(int(text) + effect.shares)

    exec_id = _execution(fields)
    if not exec_id or exec_id.endswith(_CORRECTION):
        return [fields]
    corrected = exec_id.rpartition(".")[0] + _CORRECTION
    first = _changed(fields, {"price": price, "average_price": price, "shares": shares, "cum_qty": shares})
    if corrected in map(_execution, beside):
        return [first]
    return [first, _changed(fields, {"exec_id": lambda _: corrected})]


def _execution(fields: Fields) -> str:
    names = LAYOUTS[OUTBOUND][message_number(fields)].names
    return dict(zip(names, fields[1:], strict=False)).get("exec_id", "")


def _zoned(effect: Zone, text: str) -> str:
    day, clock, *_ = [*text.split(), "", ""]
    return f"{day} {clock} {effect.name}" if effect.name else f"{day}  {clock}"


def _changed(fields: Fields, changes: Mapping[str, Callable[[str], str]]) -> Fields:
    names = LAYOUTS[OUTBOUND][message_number(fields)].names
    said = zip(names, fields[1:], strict=False)
    tail = fields[len(names) + 1 :]
    return (fields[0], *(changes[name](text) if name in changes else text for name, text in said), *tail)
