"""Message numbers to typed requests, each message read to its last field at the version of its session."""

from __future__ import annotations

from collections.abc import Callable

from hrp.gateway.errors import ProtocolError
from hrp.gateway.placeorder import CONTRACT_NAMES, con_id_of, read_place_order
from hrp.gateway.requests import (
    AccountSummary,
    AccountUpdates,
    AccountUpdatesMulti,
    Cancel,
    CancelOrder,
    ContractDetails,
    ContractQuery,
    Executions,
    HeadTimestamp,
    HistoricalData,
    MarketData,
    MarketDataType,
    MarketRule,
    MatchingSymbols,
    Plain,
    PnL,
    PnLSingle,
    Positions,
    Request,
    StartApi,
)
from hrp.gateway.wire import FieldReader, Fields

PLACE_ORDER = 3
_COMBINATION = "BAG"
_LEG_FIELDS = 4
_DELTA_NEUTRAL_FIELDS = 3
_MANUAL_TIME_VERSION = 169
_ISSUER_VERSION = 176


Parser = Callable[[FieldReader], Request]


def parse(fields: Fields, version: int) -> Request:
    """The request that `fields` carry, the message number included, in the layout of server version `version`.

    Raises:
        ProtocolError: an unknown number, a field that is not what it should be, or a wrong number of fields.
    """
    reader = FieldReader(fields, version)
    number = reader.integer()
    if number not in _PARSERS:
        raise ProtocolError(f"message {number} is not one this gateway answers")
    request = _PARSERS[number](reader)
    reader.finish()
    return request


def _skip(reader: FieldReader, count: int = 1) -> None:
    for _ in range(count):
        reader.text()


def _contract(reader: FieldReader) -> ContractQuery:
    named = {name: reader.text() for name in CONTRACT_NAMES}
    con_id = con_id_of(named["con_id"])
    return ContractQuery(con_id, named["symbol"], named["sec_type"], named["exchange"], named["currency"])


def _start_api(reader: FieldReader) -> Request:
    _skip(reader)
    request = StartApi(reader.integer())
    _skip(reader)
    return request


def _account_updates(reader: FieldReader) -> Request:
    _skip(reader)
    return AccountUpdates(reader.flag(), reader.text())


def _account_updates_multi(reader: FieldReader) -> Request:
    _skip(reader)
    request = AccountUpdatesMulti(reader.integer(), reader.text())
    _skip(reader, 2)
    return request


def _account_summary(reader: FieldReader) -> Request:
    _skip(reader)
    req_id = reader.integer()
    _skip(reader)
    return AccountSummary(req_id, tuple(tag.strip() for tag in reader.text().split(",") if tag.strip()))


def _executions(reader: FieldReader) -> Request:
    _skip(reader)
    req_id, client_id, account, since = reader.integer(), reader.integer(), reader.text(), reader.text()
    symbol = reader.text()
    _skip(reader, 2)
    return Executions(req_id, client_id, account, since, symbol, reader.text())


def _cancel_order(reader: FieldReader) -> Request:
    _skip(reader)
    request = CancelOrder(reader.integer())
    _skip(reader, int(reader.version >= _MANUAL_TIME_VERSION))
    return request


def _contract_details(reader: FieldReader) -> Request:
    _skip(reader)
    request = ContractDetails(reader.integer(), _contract(reader))
    _skip(reader, 3 + int(reader.version >= _ISSUER_VERSION))
    return request


def _matching_symbols(reader: FieldReader) -> Request:
    return MatchingSymbols(reader.integer(), reader.text())


def _market_rule(reader: FieldReader) -> Request:
    return MarketRule(reader.integer())


def _head_timestamp(reader: FieldReader) -> Request:
    req_id, contract = reader.integer(), _contract(reader)
    _skip(reader, 3)
    return HeadTimestamp(req_id, contract, reader.integer() == 2)


def _market_data_type(reader: FieldReader) -> Request:
    _skip(reader)
    return MarketDataType(reader.integer())


def _market_data(reader: FieldReader) -> Request:
    _skip(reader)
    req_id, contract = reader.integer(), _contract(reader)
    if contract.sec_type == _COMBINATION:
        _skip(reader, reader.integer() * _LEG_FIELDS)
    if reader.flag():
        _skip(reader, _DELTA_NEUTRAL_FIELDS)
    _skip(reader)
    request = MarketData(req_id, contract, reader.flag())
    _skip(reader, 2)
    return request


def _historical_data(reader: FieldReader) -> Request:
    req_id, contract = reader.integer(), _contract(reader)
    _skip(reader)
    end, bar_size, duration = reader.text(), reader.text(), reader.text()
    _skip(reader)
    what = reader.text()
    _skip(reader)
    if contract.sec_type == _COMBINATION:
        _skip(reader, reader.integer() * _LEG_FIELDS)
    request = HistoricalData(req_id, contract, end, bar_size, duration, what, reader.flag())
    _skip(reader)
    return request


def _pnl(reader: FieldReader) -> Request:
    request = PnL(reader.integer(), reader.text())
    _skip(reader)
    return request


def _pnl_single(reader: FieldReader) -> Request:
    req_id, account = reader.integer(), reader.text()
    _skip(reader)
    return PnLSingle(req_id, account, reader.integer())


def _positions(reader: FieldReader) -> Request:
    _skip(reader)
    return Positions()


def _plain(name: str, skipped: int = 1) -> Parser:
    def parser(reader: FieldReader) -> Request:
        _skip(reader, skipped)
        return Plain(name)

    return parser


def _cancel(stream: type[object], *, versioned: bool = True) -> Parser:
    def parser(reader: FieldReader) -> Request:
        _skip(reader, int(versioned))
        return Cancel(stream, reader.integer())

    return parser


def _cancel_positions(reader: FieldReader) -> Request:
    _skip(reader)
    return Cancel(Positions, 0)


_PARSERS: dict[int, Parser] = {
    1: _market_data,
    2: _cancel(MarketData),
    PLACE_ORDER: read_place_order,
    4: _cancel_order,
    5: _plain("open_orders"),
    6: _account_updates,
    7: _executions,
    8: _plain("next_id", 2),
    9: _contract_details,
    14: _plain("log_level", 2),
    15: _plain("auto_open_orders", 2),
    16: _plain("all_open_orders"),
    17: _plain("managed_accounts"),
    20: _historical_data,
    25: _cancel(HistoricalData),
    49: _plain("current_time"),
    58: _plain("global_cancel"),
    59: _market_data_type,
    61: _positions,
    62: _account_summary,
    63: _cancel(AccountSummary),
    64: _cancel_positions,
    71: _start_api,
    76: _account_updates_multi,
    77: _cancel(AccountUpdatesMulti),
    81: _matching_symbols,
    87: _head_timestamp,
    90: _cancel(HeadTimestamp, versioned=False),
    91: _market_rule,
    92: _pnl,
    93: _cancel(PnL, versioned=False),
    94: _pnl_single,
    95: _cancel(PnLSingle, versioned=False),
    99: _plain("completed_orders"),
}
