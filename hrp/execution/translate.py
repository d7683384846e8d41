"""ib_insync objects to HRP's records and back; no socket, no waiting."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hrp.domain.orders import Order, OrderSide, OrderStatus, OrderType
from hrp.domain.positions import Account, Acknowledgement, CompletedOrder, Fill, Instrument, Position, WorkingOrder
from hrp.errors import BrokerError, DataError
from hrp.execution.ibapi import UNSET_DOUBLE, ib

CURRENCY = "USD"  # HRP counts in one currency; an account in another one is refused, not converted
STOCK = "STK"

_ACTION = {OrderSide.BUY: "BUY", OrderSide.SELL: "SELL"}
_SIDE = {
    "BUY": OrderSide.BUY, "BOT": OrderSide.BUY,
    "SELL": OrderSide.SELL, "SLD": OrderSide.SELL, "SSHORT": OrderSide.SELL,
}  # fmt: skip
_TYPE = {OrderType.MARKET: "MKT", OrderType.LIMIT: "LMT"}

_ENDED = {
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "ApiCancelled": OrderStatus.CANCELLED,
    "Inactive": OrderStatus.REJECTED,
}
_CANCELLED = ("Cancelled", "ApiCancelled")
_AT_THE_EXCHANGE = ("Submitted", "Filled")

# Error codes that end a new order by themselves: the server found it wanting before it became an order.
_NEVER_AN_ORDER = frozenset({110, 200, 321, 434, 460, 10318})
_REJECTED = 201  # ends an order once the status says so too
_REFUSALS = _NEVER_AN_ORDER | {_REJECTED}
_USED_ID = 103  # says nothing of the order: it may be the very one that used the id up
_NO_SUCH_CANCEL = frozenset({135, 161, 10147, 10148})

# What TWS calls the zones in which it is run, beside the names that the tz database knows. Its "EST" is New York all
# the year round, summer included.
_ZONES = {
    "EST": "America/New_York", "EDT": "America/New_York", "CST": "America/Chicago", "CDT": "America/Chicago",
    "MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
    "Greenwich Mean Time": "UTC", "Coordinated Universal Time": "UTC", "British Summer Time": "Europe/London",
}  # fmt: skip
_TIME = re.compile(r"(\d{8})(-| +)(\d\d:\d\d:\d\d)(?: +(\S.*))?")


def number(value: float) -> Decimal | None:
    """`value` as the decimal that its shortest text states (0.1 is 0.1); None for IBKR's "unset".

    Raises:
        BrokerError: NaN or infinite.
    """
    if value == UNSET_DOUBLE:
        return None
    if not math.isfinite(value):
        raise BrokerError(f"the broker sent {value} where a number belongs")
    return Decimal(repr(float(value)))


def shares(value: float) -> Decimal:
    """A count of shares; unset is none, and 10.0 is 10."""
    count = number(value) or Decimal(0)
    return Decimal(int(count)) if count == int(count) else count


def instant(text: str, default_zone: str = "") -> datetime:
    """The aware UTC instant of an execution time in any of the forms that TWS writes.

    `YYYYMMDD-HH:MM:SS` is UTC, `YYYYMMDD HH:MM:SS zone` names its zone, and without a zone it is `default_zone`.

    Raises:
        BrokerError: another form, a zone that nobody knows, or no zone and no default.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise BrokerError(f"{text!r} is no execution time that is known")
    day, separator, clock, named = match.groups()
    zone = "UTC" if separator == "-" and not named else named or default_zone
    if not zone:
        raise BrokerError(f"execution time {text!r} has no zone; set IBKR_TIME_ZONE to the zone of TWS")
    naive = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - the zone follows below
    return naive.replace(tzinfo=_zone(zone, text)).astimezone(UTC)


def _zone(name: str, text: str) -> ZoneInfo:
    try:
        return ZoneInfo(_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BrokerError(
            f"execution time {text!r} names a zone that nobody knows; let TWS run in UTC or America/New_York"
        ) from error


def broker_symbol(symbol: str) -> str:
    """The broker's writing of a symbol: class shares carry a space (`BRK.B` is `BRK B`).

    Raises:
        DataError: not a text, or empty.
    """
    if not isinstance(symbol, str) or not symbol:
        raise DataError(f"a symbol must be a text, got {symbol!r}")
    return symbol.replace(".", " ")


def own_symbol(contract: ib.Contract) -> str:
    """HRP's writing of what a contract is.

    Anything but a US dollar stock carries its kind (`EUR:CASH`, `SHOP:CAD`), so it cannot pass for the stock whose
    letters it shares.
    """
    if contract.secType != STOCK:
        return f"{contract.localSymbol or contract.symbol}:{contract.secType}"
    symbol = contract.symbol.replace(" ", ".")
    return symbol if contract.currency == CURRENCY else f"{symbol}:{contract.currency}"


def stock(symbol: str) -> ib.Contract:
    """The question "which instrument is this?" to be put to the broker."""
    return ib.Contract(secType=STOCK, symbol=broker_symbol(symbol), exchange="SMART", currency=CURRENCY)


def instrument(symbol: str, found: Iterable[ib.ContractDetails]) -> Instrument | None:
    """The one instrument among the broker's answers for `symbol`; None if there is none, or more than one."""
    by_id = {d.contract.conId: d.contract for d in found if d.contract and own_symbol(d.contract) == symbol}
    if len(by_id) != 1:
        return None
    [contract] = by_id.values()
    return Instrument(contract.conId, symbol, contract.primaryExchange, contract.currency)


def contract_of(instrument: Instrument) -> ib.Contract:
    """The fully qualified contract of an instrument, routed by the broker."""
    return ib.Contract(
        secType=STOCK,
        conId=instrument.con_id,
        symbol=broker_symbol(instrument.symbol),
        exchange="SMART",
        primaryExchange=instrument.primary_exchange,
        currency=instrument.currency,
    )


def order_to_send(order: Order, account: str, order_id: int) -> ib.Order:
    """The broker's form of an order, its account and time in force always stated."""
    sent = ib.Order(
        orderId=order_id,
        action=_ACTION[order.side],
        totalQuantity=order.quantity,
        orderType=_TYPE[order.order_type],
        tif=order.tif.value,
        orderRef=order.order_ref,
        account=account,
        transmit=True,
    )
    if order.limit_price is not None:
        sent.lmtPrice = float(order.limit_price)
    return sent


def position(held: ib.Position) -> Position:
    """A holding; the broker's average cost includes commissions."""
    return Position(
        symbol=own_symbol(held.contract),
        quantity=shares(held.position),
        entry_price=number(held.avgCost) or Decimal(0),
        con_id=held.contract.conId,
    )


def fill(done: ib.Fill, commissions: Mapping[str, Decimal]) -> Fill:
    """One execution; its commission is None until the broker's report of it has arrived.

    Args:
        commissions: every one that was reported, in USD, by execution id. The library itself forgets those that arrive
            before their execution.
    """
    execution = done.execution
    return Fill(
        exec_id=execution.execId,
        order_ref=execution.orderRef,
        perm_id=execution.permId,
        account=execution.acctNumber,
        con_id=done.contract.conId,
        symbol=own_symbol(done.contract),
        side=side(execution.side),
        quantity=shares(execution.shares),
        price=_price(execution),
        executed_at=execution.time.astimezone(UTC),
        commission=commissions.get(execution.execId),
        client_id=execution.clientId,
        cum_quantity=shares(execution.cumQty) or None,
    )


def _price(execution: ib.Execution) -> Decimal:
    price = number(execution.price)
    if price is None or price <= 0:
        raise BrokerError(f"execution {execution.execId} of order {execution.orderRef} has the price {price}")
    return price


def side(word: str) -> OrderSide:
    """Buy or sell, in any of the broker's words.

    Raises:
        BrokerError: another word.
    """
    if word not in _SIDE:
        raise BrokerError(f"the broker calls a side {word!r}; known: {', '.join(_SIDE)}")
    return _SIDE[word]


def latest(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Each execution once, in its highest correction: `….01` gives way to `….02`, and leaves it its commission.

    The broker may tell of one execution under two ids. Two of one order that are alike down to the running total of
    the order are one, the first of them counts: a second execution would have raised the total.
    """
    newest: dict[str, Fill] = {}
    for one in sorted(fills, key=lambda fill: _correction(fill.exec_id)):
        before = newest.get(one.identity)
        inherited = before.commission if before is not None and one.commission is None else one.commission
        newest[one.identity] = replace(one, commission=inherited)
    once: dict[object, Fill] = {}
    for one in newest.values():
        total = one.exec_id if one.cum_quantity is None else one.cum_quantity
        once.setdefault((one.perm_id, one.symbol, one.side, one.quantity, one.price, one.executed_at, total), one)
    return tuple(sorted(once.values(), key=lambda fill: (fill.executed_at, fill.exec_id)))


def _correction(exec_id: str) -> int:
    suffix = exec_id.rpartition(".")[2]
    return int(suffix) if suffix.isdigit() else 0


def working(trade: ib.Trade, fills: Iterable[Fill]) -> WorkingOrder | None:
    """An order out of the broker's list of open orders; None if by now it has ended.

    What remains is counted from the order's size, because the status that states it may be skipped.
    """
    order, status = trade.order, said(trade)
    executed = sum((one.quantity for one in fills if one.perm_id == order.permId), Decimal(0))
    quantity = shares(order.totalQuantity)
    remaining = quantity - max(shares(trade.orderStatus.filled), executed)
    if status == "Filled" or status in _CANCELLED or remaining <= 0:
        return None
    return WorkingOrder(
        order_ref=order.orderRef,
        perm_id=order.permId,
        order_id=order.orderId,
        client_id=order.clientId,
        symbol=own_symbol(trade.contract),
        con_id=trade.contract.conId,
        side=side(order.action),
        remaining=remaining,
        status=OrderStatus.UNKNOWN if status == "Inactive" else _standing(status),
        quantity=quantity,
    )


def _standing(status: str) -> OrderStatus:
    """Of an order that the broker has: at the exchange, or held for it."""
    return OrderStatus.WORKING if status in _AT_THE_EXCHANGE else OrderStatus.ACKED


def completed(trade: ib.Trade) -> CompletedOrder:
    """An order out of the broker's list of completed orders; `UNKNOWN` if it ended in a way that has no name here."""
    order, status = trade.order, trade.orderStatus.status
    return CompletedOrder(
        order_ref=order.orderRef,
        perm_id=order.permId,
        symbol=own_symbol(trade.contract),
        side=side(order.action),
        filled=shares(order.filledQuantity),
        status=_ENDED.get(status, OrderStatus.UNKNOWN),
        detail=status,
    )


def account(name: str, rows: Iterable[ib.AccountValue]) -> Account:
    """The money of account `name`, out of the rows in US dollars.

    Raises:
        BrokerError: cash or net liquidation in US dollars is missing, or is no number.
    """
    own = [row for row in rows if row.account == name and not row.modelCode]
    return Account(name, _amount("NetLiquidation", name, own), _amount("TotalCashValue", name, own), CURRENCY)


def _amount(tag: str, name: str, rows: Iterable[ib.AccountValue]) -> Decimal:
    values = {row.currency: row.value for row in rows if row.tag == tag}
    if CURRENCY not in values:
        stated = ", ".join(sorted(values)) or "no currency at all"
        raise BrokerError(f"account {name} states {tag} in {stated}, not in {CURRENCY}; HRP needs a {CURRENCY} account")
    try:
        amount = Decimal(values[CURRENCY])
    except InvalidOperation as error:
        raise BrokerError(f"account {name} states {tag} as {values[CURRENCY]!r}, which is no number") from error
    if not amount.is_finite():
        raise BrokerError(f"account {name} states {tag} as {amount}, which is no amount")
    return amount


def said(trade: ib.Trade) -> str:
    """The newest status that the broker itself stated.

    ib_insync writes `Cancelled` into an order on many an error although the order lives; such entries of its log
    carry the error's code and are passed over.
    """
    stated = [entry.status for entry in trade.log if not entry.errorCode]
    if stated:
        return stated[-1]
    return "" if trade.log else trade.orderStatus.status


def answer(trade: ib.Trade, errors: Mapping[int, str]) -> Acknowledgement | None:
    """What the broker has said of an order just sent; None while it has not yet said enough.

    Args:
        trade: the order, as ib_insync keeps it.
        errors: the broker's messages about this order, by code.
    """
    status = said(trade)
    perm_id = trade.orderStatus.permId or trade.order.permId or None
    if perm_id is None and _USED_ID in errors:
        return Acknowledgement(OrderStatus.UNKNOWN, None, errors[_USED_ID])
    refused = "; ".join(errors[code] for code in sorted(errors.keys() & _REFUSALS))
    if status in _CANCELLED or (status == "Inactive" and refused):
        kind = OrderStatus.REJECTED if refused else OrderStatus.CANCELLED
        return Acknowledgement(kind, perm_id, refused or status)
    if refused:
        final = perm_id is None and _REJECTED not in errors
        return Acknowledgement(OrderStatus.REJECTED, None, refused) if final else None
    if perm_id is None or status == "Inactive":
        return None
    return Acknowledgement(_standing(status), perm_id, status)


def cancel_answer(trade: ib.Trade, errors: Mapping[int, str]) -> Acknowledgement | None:
    """What the broker has said of a cancellation just asked for; None while it has not yet said enough."""
    status, perm_id = said(trade), trade.order.permId
    if status in _CANCELLED:
        return Acknowledgement(OrderStatus.CANCELLED, perm_id, status)
    if status == "Filled":
        return Acknowledgement(OrderStatus.FILLED, perm_id, "filled before it could be cancelled")
    useless = errors.keys() & _NO_SUCH_CANCEL
    if useless:
        return Acknowledgement(OrderStatus.UNKNOWN, perm_id, "; ".join(errors[code] for code in sorted(useless)))
    return None
