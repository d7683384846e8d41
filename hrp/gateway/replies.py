"""What the server says, apart from orders: one function a message, each returning its fields, number included.

A message has the fields of all versions; `layouts.at_version` takes away what a client's version does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from hrp.domain.sessions import close_at, is_session, open_at
from hrp.gateway.account import CURRENCY, Row, Valuation
from hrp.gateway.clock import NEW_YORK, ZONE_NAME, exchange_day, tws_text
from hrp.gateway.layouts import CONTRACT_DETAILS
from hrp.gateway.market import Bar
from hrp.gateway.records import Holding, Instrument
from hrp.gateway.wire import UNSET_DOUBLE, Fields, Value, fields_of

PRIMARY_EXCHANGE = "NYSE"
STOCK = "STK"
TICK_USD = Decimal("0.01")
MARKET_RULE = 26
SYSTEM = -1
_HOURS_SHOWN = 5
_ORDER_TYPES = "ACTIVETIM,DAY,GTC,GTD,IOC,LMT,LOC,MKT,MOC,OPG"


def error(req_id: int, code: int, text: str) -> Fields:
    """A refusal or a notice about request or order `req_id` (`SYSTEM`: about none)."""
    return fields_of(4, 2, req_id, code, text, "")


def farm_notices() -> list[Fields]:
    """What TWS tells about its data connections after the log-on."""
    return [
        error(SYSTEM, 2104, "Market data farm connection is OK:usfarm"),
        error(SYSTEM, 2106, "HMDS data farm connection is OK:ushmds"),
        error(SYSTEM, 2158, "Sec-def data farm connection is OK:secdefil"),
    ]


def next_valid_id(order_id: int) -> Fields:
    """The smallest order id the client may use."""
    return fields_of(9, 1, order_id)


def managed_accounts(account: str) -> Fields:
    """The accounts of this log-in: one."""
    return fields_of(15, 1, account)


def current_time(now: datetime) -> Fields:
    """The simulated instant in seconds since 1970."""
    return fields_of(49, 1, int(now.timestamp()))


def position(account: str, holding: Holding) -> Fields:
    """What is held of one instrument."""
    tail = (holding.quantity, holding.average_cost)
    return fields_of(61, 3, account, *contract_fields(holding.instrument, PRIMARY_EXCHANGE), *tail)


def position_end() -> Fields:
    """All positions were sent."""
    return fields_of(62, 1)


def account_value(account: str, row: Row) -> Fields:
    """One value of the account."""
    return fields_of(6, 2, *row, account)


def portfolio_value(now: Valuation, holding: Holding, realized: Decimal) -> Fields:
    """What is held of one instrument, at the newest price; `realized` is the day's profit of its sales in USD."""
    value = now.value(holding)
    money = (now.mark(holding), value, holding.average_cost, value - holding.cost, realized)
    contract = contract_fields(holding.instrument, PRIMARY_EXCHANGE)
    return fields_of(7, 8, *contract, holding.quantity, *money, now.account)


def account_time(now: datetime) -> Fields:
    """When the account values were made."""
    return fields_of(8, 1, f"{now.astimezone(NEW_YORK):%H:%M}")


def account_download_end(account: str) -> Fields:
    """All account values and portfolio rows were sent."""
    return fields_of(54, 1, account)


def account_multi(req_id: int, account: str, row: Row) -> Fields:
    """One value of the account under a request id."""
    return fields_of(73, 1, req_id, account, "", *row)


def account_multi_end(req_id: int) -> Fields:
    """All account values were sent."""
    return fields_of(74, 1, req_id)


def account_summary(req_id: int, account: str, row: Row) -> Fields:
    """One chosen value of the account."""
    return fields_of(63, 1, req_id, account, *row)


def account_summary_end(req_id: int) -> Fields:
    """All chosen values were sent."""
    return fields_of(64, 1, req_id)


def contract_details(req_id: int, instrument: Instrument, exchange: str, now: datetime) -> Fields:
    """Everything static about `instrument`."""
    symbol = instrument.symbol
    hours = _trading_hours(exchange_day(now))
    head = (symbol, STOCK, "", "0", "", exchange, CURRENCY, symbol, symbol, symbol, instrument.con_id, TICK_USD, 1, "")
    venue = (_ORDER_TYPES, f"SMART,{PRIMARY_EXCHANGE}", 1, 0, symbol, PRIMARY_EXCHANGE, "", "", "", "")
    tail = ("", 0, 0, 1, "", "", MARKET_RULE, "", "COMMON", "1", "0.0001", "0.0001", "100")
    return fields_of(CONTRACT_DETAILS, 8, req_id, *head, *venue, ZONE_NAME, hours, hours, *tail)


def contract_details_end(req_id: int) -> Fields:
    """All contracts were sent."""
    return fields_of(52, 1, req_id)


def symbol_samples(req_id: int, instruments: Sequence[Instrument]) -> Fields:
    """Instruments that match a pattern."""
    rows = [
        value
        for found in instruments
        for value in (found.con_id, found.symbol, STOCK, PRIMARY_EXCHANGE, CURRENCY, 0, found.symbol, "")
    ]
    return fields_of(79, req_id, len(instruments), *rows)


def market_rule(rule_id: int) -> Fields:
    """One price increment from 0 USD up."""
    return fields_of(93, rule_id, 1, "0.0", TICK_USD)


def head_timestamp(req_id: int, at: datetime, *, epoch: bool) -> Fields:
    """When the history of an instrument begins: seconds since 1970, or a text in UTC."""
    return fields_of(88, req_id, int(at.timestamp()) if epoch else f"{at:%Y%m%d-%H:%M:%S}")


def tick_price(req_id: int, kind: int, price: Decimal) -> Fields:
    """One price; the size that rides along is not known."""
    return fields_of(1, 6, req_id, kind, price, 0, 0)


def tick_size(req_id: int, kind: int, size: int) -> Fields:
    """One number of shares."""
    return fields_of(2, 6, req_id, kind, size)


def market_data_type(req_id: int, kind: int) -> Fields:
    """Which kind of data follows."""
    return fields_of(58, 1, req_id, kind)


def tick_parameters(req_id: int) -> Fields:
    """The price increment, the exchange map and the permissions of a data request."""
    return fields_of(81, req_id, TICK_USD, "9c0001", 3)


def snapshot_end(req_id: int) -> Fields:
    """All prices of a snapshot were sent."""
    return fields_of(57, 1, req_id)


def historical_data(req_id: int, start: datetime, end: datetime, bars: Sequence[Bar]) -> Fields:
    """Daily `bars`; their dates are `YYYYMMDD`. Average price and number of trades are not known."""
    rows: list[Value] = []
    for bar in bars:
        prices = (bar.open or "-1", bar.high or "-1", bar.low or "-1", bar.close or "-1")
        rows += [f"{bar.session:%Y%m%d}", *prices, bar.volume, bar.close or "-1", -1]
    return fields_of(17, req_id, tws_text(start), tws_text(end), len(bars), *rows)


def pnl(req_id: int, now: Valuation) -> Fields:
    """The account's profit and loss in its base currency: of the day, unrealized, realized on the day."""
    return fields_of(94, req_id, *map(now.in_base, (now.daily, now.unrealized, now.realized_today)))


def pnl_single(req_id: int, now: Valuation, holding: Holding, daily: Decimal, realized: Decimal) -> Fields:
    """One position's profit and loss in USD."""
    value = now.value(holding)
    return fields_of(95, req_id, holding.quantity, daily, value - holding.cost, realized, value)


def realized_text(realized: Decimal | None) -> Value:
    """Profit in USD as the wire writes it: a purchase has none."""
    return UNSET_DOUBLE if realized is None else realized


def contract_fields(instrument: Instrument, exchange: str) -> tuple[Value, ...]:
    """conId, symbol, secType, lastTradeDate, strike, right, multiplier, exchange, currency, localSymbol, class."""
    symbol = instrument.symbol
    return (instrument.con_id, symbol, STOCK, "", "0.0", "", "", exchange, CURRENCY, symbol, symbol)


def _trading_hours(first: date) -> str:
    return ";".join(_hours_of(first + timedelta(days=days)) for days in range(_HOURS_SHOWN))


def _hours_of(day: date) -> str:
    if not is_session(day):
        return f"{day:%Y%m%d}:CLOSED"
    opens, closes = open_at(day).astimezone(NEW_YORK), close_at(day).astimezone(NEW_YORK)
    return f"{opens:%Y%m%d:%H%M}-{closes:%Y%m%d:%H%M}"
