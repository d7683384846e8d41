"""Requests to replies: what each question of a client is answered with, given the books."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hrp.gateway import history, orderreplies, prices, replies
from hrp.gateway.account import Valuation, account_rows, summary_rows
from hrp.gateway.admission import NO_SUCH_CONTRACT
from hrp.gateway.books import Books, Routed
from hrp.gateway.clock import parse_instant
from hrp.gateway.layouts import USUAL_VERSION
from hrp.gateway.orders import BY_CLIENT, cancel_by_id, place
from hrp.gateway.placeorder import PlaceOrder
from hrp.gateway.records import Execution, Holding, Instrument, Order
from hrp.gateway.requests import (
    AccountSummary,
    AccountUpdates,
    AccountUpdatesMulti,
    Cancel,
    CancelOrder,
    ContractDetails,
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
)
from hrp.gateway.trades import Outcome, cancel
from hrp.gateway.wire import Fields

UNNAMED = -1
INVALID = 321
_LIVE = 1
_MOST_SAMPLES = 16


@dataclass(eq=False, slots=True)
class Session:
    """One connected client: its id (`UNNAMED` until it says so), its version, the data it takes, and its streams.

    What comes after `is_ended` is not heard.
    """

    client_id: int = UNNAMED
    version: int = USUAL_VERSION
    is_ended: bool = False
    data_type: int = _LIVE
    streams: dict[tuple[type[object], int], Request] = field(default_factory=dict)


def answer(books: Books, session: Session, request: Request, objection: str = "") -> Outcome:
    """What happens on `request` of a client that has named itself; a new order is rejected with `objection`, if any."""
    if isinstance(request, PlaceOrder):
        return place(books, session.client_id, request, objection)
    if isinstance(request, CancelOrder):
        return cancel_by_id(books, session.client_id, request.order_id)
    if request == Plain("global_cancel"):
        return sum((cancel(books, order, BY_CLIENT) for order in books.ledger.working_orders()), Outcome())
    messages = _ANSWERS[type(request)](books, session, request)
    return Outcome([Routed(session.client_id, message) for message in messages])


def refresh(books: Books, session: Session, changed: Collection[Instrument] | None = None) -> list[Routed]:
    """The newest rows of every stream of `session`, without end markers; of holdings only `changed` ones, if given."""
    held = [holding for holding in books.shown_holdings() if changed is None or holding.instrument in changed]
    messages = [message for request in session.streams.values() for message in _rows(books, request, held)]
    return [Routed(session.client_id, message) for message in messages]


def open_orders(books: Books, orders: Sequence[Order]) -> list[Fields]:
    """`orders`, each with its status, and the end marker."""
    pairs = [
        message
        for order in orders
        for message in (orderreplies.open_order(books.account, order), orderreplies.order_status(order))
    ]
    return [*pairs, orderreplies.open_order_end()]


def _plain(books: Books, session: Session, request: Plain) -> list[Fields]:
    working = books.ledger.working_orders
    match request.name:
        case "open_orders":
            return open_orders(books, [order for order in working() if order.client_id == session.client_id])
        case "all_open_orders":
            return open_orders(books, working())
        case "completed_orders":
            ended = [orderreplies.completed_order(books.account, order) for order in books.ended_today()]
            return [*ended, orderreplies.completed_orders_end()]
        case "next_id":
            return [replies.next_valid_id(books.ledger.next_order_id(session.client_id))]
        case "managed_accounts":
            return [replies.managed_accounts(books.account)]
        case "current_time":
            return [replies.current_time(books.now)]
    return []


def _executions(books: Books, _session: Session, request: Executions) -> list[Fields]:
    if request.account not in ("", books.account):
        return [_bad_account(request.req_id, request.account)]
    fills = [fill for fill in books.executions_today() if _is_wanted(fill, request)]
    pairs = [
        message
        for fill in fills
        for message in (
            orderreplies.exec_details(books.account, fill, request.req_id),
            orderreplies.commission_report(fill),
        )
    ]
    return [*pairs, orderreplies.exec_details_end(request.req_id)]


def _is_wanted(fill: Execution, request: Executions) -> bool:
    since = parse_instant(request.since) if request.since else None
    return (
        request.client_id in (0, fill.client_id)
        and request.symbol in ("", fill.instrument.symbol)
        and request.side in ("", fill.side)
        and (since is None or fill.at >= since)
    )


def _contract_details(books: Books, _session: Session, request: ContractDetails) -> list[Fields]:
    instrument = books.find(request.contract)
    if instrument is None:
        return [_unknown(request.req_id)]
    exchange = request.contract.exchange or "SMART"
    details = replies.contract_details(request.req_id, instrument, exchange, books.now)
    return [details, replies.contract_details_end(request.req_id)]


def _matching_symbols(books: Books, _session: Session, request: MatchingSymbols) -> list[Fields]:
    pattern = request.pattern.upper()
    found = [s for s in books.market.symbols() if s.startswith(pattern) and books.view.is_listed(s)][:_MOST_SAMPLES]
    return [replies.symbol_samples(request.req_id, [books.ledger.instrument(symbol) for symbol in found])]


def _market_rule(_books: Books, _session: Session, request: MarketRule) -> list[Fields]:
    if request.rule_id != replies.MARKET_RULE:
        return [replies.error(replies.SYSTEM, INVALID, f"Invalid market rule {request.rule_id}")]
    return [replies.market_rule(request.rule_id)]


def _head_timestamp(books: Books, _session: Session, request: HeadTimestamp) -> list[Fields]:
    instrument = books.find(request.contract)
    return history.head_timestamp(books, request, instrument) if instrument else [_unknown(request.req_id)]


def _historical_data(books: Books, _session: Session, request: HistoricalData) -> list[Fields]:
    instrument = books.find(request.contract)
    return history.history(books, request, instrument) if instrument else [_unknown(request.req_id)]


def _market_data_type(_books: Books, session: Session, request: MarketDataType) -> list[Fields]:
    session.data_type = request.kind
    return []


def _market_data(books: Books, session: Session, request: MarketData) -> list[Fields]:
    instrument = books.find(request.contract)
    if instrument is None:
        return [_unknown(request.req_id)]
    if session.data_type not in prices.DELAYED_TYPES:
        return [replies.error(request.req_id, 354, prices.NOT_SUBSCRIBED)]
    if not request.snapshot:
        session.streams[MarketData, request.req_id] = request
    return prices.first_ticks(books, request, instrument)


def _cancel(_books: Books, session: Session, request: Cancel) -> list[Fields]:
    session.streams.pop((request.stream, request.req_id), None)
    return []


def _account_updates(books: Books, session: Session, request: AccountUpdates) -> list[Fields]:
    if request.account not in ("", books.account):
        return [_bad_account(replies.SYSTEM, request.account)]
    if not request.subscribe:
        session.streams.pop((AccountUpdates, 0), None)
        return []
    session.streams[AccountUpdates, 0] = request
    return [*_rows(books, request, books.shown_holdings()), replies.account_download_end(books.account)]


def _stream(end: Callable[[int], Fields] | None) -> Callable[[Books, Session, Any], list[Fields]]:
    """An answer that sends the rows of a stream now and again whenever they change; `end` makes its end marker."""

    def start(books: Books, session: Session, request: Any) -> list[Fields]:
        req_id = getattr(request, "req_id", 0)
        account = getattr(request, "account", "")
        if account not in ("", books.account):
            return [_bad_account(req_id, account)]
        session.streams[type(request), req_id] = request
        return [*_rows(books, request, books.shown_holdings()), *([end(req_id)] if end else [])]

    return start


def _rows(books: Books, request: Request, held: Sequence[Holding]) -> list[Fields]:
    """The rows that a stream shows now, where it shows holdings those of `held`."""
    account = books.account
    if isinstance(request, Positions):
        return [replies.position(account, holding) for holding in held]
    now = books.valuation()
    match request:
        case AccountUpdates():
            values = [replies.account_value(account, row) for row in account_rows(now)]
            portfolio = [replies.portfolio_value(now, h, books.realized_today(h.instrument)) for h in held]
            return [*values, *portfolio, replies.account_time(books.now)]
        case AccountUpdatesMulti(req_id):
            return [replies.account_multi(req_id, account, row) for row in account_rows(now)]
        case AccountSummary(req_id, tags):
            return [replies.account_summary(req_id, account, row) for row in summary_rows(now, tags)]
        case PnL(req_id):
            return [replies.pnl(req_id, now)]
        case PnLSingle():
            return [_pnl_single(books, now, request)]
        case MarketData(req_id, contract):
            instrument = books.find(contract)
            return prices.ticks(books, req_id, instrument) if instrument else []
    return []


def _pnl_single(books: Books, now: Valuation, request: PnLSingle) -> Fields:
    instrument = books.ledger.instrument_by_number(request.con_id)
    if instrument is None:
        return replies.error(request.req_id, INVALID, f"No position in conId {request.con_id}")
    holding = books.ledger.holding(instrument)
    daily, realized = books.daily_profit(now, holding), books.realized_today(instrument)
    return replies.pnl_single(request.req_id, now, holding, daily, realized)


def _unknown(req_id: int) -> Fields:
    return replies.error(req_id, NO_SUCH_CONTRACT, "No security definition has been found for the request")


def _bad_account(req_id: int, account: str) -> Fields:
    return replies.error(req_id, INVALID, f"Error validating request.-'bW' : cause - Invalid account code '{account}'.")


_ANSWERS: dict[type[object], Callable[[Books, Session, Any], list[Fields]]] = {
    Plain: _plain,
    Executions: _executions,
    ContractDetails: _contract_details,
    MatchingSymbols: _matching_symbols,
    MarketRule: _market_rule,
    HeadTimestamp: _head_timestamp,
    HistoricalData: _historical_data,
    MarketDataType: _market_data_type,
    MarketData: _market_data,
    Cancel: _cancel,
    AccountUpdates: _account_updates,
    AccountUpdatesMulti: _stream(replies.account_multi_end),
    AccountSummary: _stream(replies.account_summary_end),
    Positions: _stream(lambda _: replies.position_end()),
    PnL: _stream(None),
    PnLSingle: _stream(None),
}
