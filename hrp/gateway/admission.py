"""Which orders the gateway takes: refused ones leave no trace, rejected ones are kept as Inactive.

Buying power: a purchase is rejected if its estimated cost (limit, else newest price, without commission) exceeds net
liquidation, plus working sales, less working purchases. Their rests count as they were estimated when they were placed
or changed. So a whole portfolio can be replaced in one auction, in whatever order its orders arrive; cash may be
negative for as long as the account is worth more than it owes.
A sale is rejected if it exceeds the shares held and not yet on a working sale: nothing is sold short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hrp.domain.sessions import close_at, last_closed
from hrp.gateway.books import Books
from hrp.gateway.clock import parse_instant, takes_on_close, takes_on_open
from hrp.gateway.placeorder import PlaceOrder, con_id_of
from hrp.gateway.records import Instrument, Kind, Order, Side, Tif
from hrp.gateway.replies import TICK_USD
from hrp.gateway.requests import ContractQuery
from hrp.gateway.wire import decimal_of

NO_SUCH_CONTRACT = 200
REJECTED = 201
_LARGEST_ORDER = 1_000_000_000
_DAY_ALONE = re.compile(r"\s*\d{8}\s*")
_NOT_MODELLED = (
    "parent_id oca_group algo_strategy hedge_type good_after_time display_size min_qty cash_qty "
    "all_or_none block_order sweep_to_fill delta_neutral_order_type dnc_present condition_count scale_price_increment "
    "fa_group discretionary_amt adjusted_order_type percent_offset"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not taken, as an error code and text of TWS."""

    code: int
    text: str


def contract_of(request: PlaceOrder) -> ContractQuery:
    """The instrument that an order names."""
    sent = request.sent
    con_id = con_id_of(sent["con_id"])
    return ContractQuery(con_id, sent["symbol"], sent["sec_type"], sent["exchange"], sent["currency"])


def refusal_of(books: Books, request: PlaceOrder, instrument: Instrument | None) -> Refusal | None:
    """The first reason to refuse `request` as it is written, or None."""
    account = request.sent["account"]
    if account not in ("", books.account):
        return _invalid(f"Invalid account code '{account}'.")
    if instrument is None:
        return Refusal(NO_SUCH_CONTRACT, "No security definition has been found for the request")
    return (
        _quantity_refusal(request) or _terms_refusal(request) or _price_refusal(request) or _end_refusal(books, request)
    )


def good_till_of(request: PlaceOrder) -> datetime | None:
    """When a GTD order ends: the instant it names, or the close on or before the day it names; None if neither."""
    text = request.sent["good_till_date"]
    named = parse_instant(text)
    if named is None or not _DAY_ALONE.fullmatch(text):
        return named
    return close_at(last_closed(named + timedelta(days=1)))


def rejection_of(books: Books, order: Order) -> str:
    """Why the account or the exchange rejects `order`, or an empty text."""
    if order.remaining <= 0:
        return f"{order.filled} shares have filled; the quantity must be larger."
    if order.tif is Tif.OPENING and not takes_on_open(books.now):
        return "Exchange is closed for on-open orders: from 09:28 to the open, and for ten seconds after the close."
    if order.kind.is_on_close and not takes_on_close(books.now, books.ledger.terms.closing_cutoff):
        minutes = books.ledger.terms.closing_cutoff // timedelta(minutes=1)
        return f"Exchange is closed for on-close orders: for {minutes} minutes before the close."
    symbol = order.instrument.symbol
    if order.side is Side.SELL:
        free = books.sellable(order.instrument)
        return "" if order.remaining <= free else f"No short sales: {order.remaining} {symbol} to sell, {free} free."
    if not order.estimate:
        return f"No price of {symbol} is known."
    cost, buying_power = order.remaining * order.estimate, books.valuation().buying_power
    if cost <= buying_power:
        return ""
    return f"Available funds are insufficient: cost {cost:.2f} USD, buying power {buying_power} USD."


def _quantity_refusal(request: PlaceOrder) -> Refusal | None:
    quantity = request.decimal("total_quantity") or Decimal(0)
    if quantity != int(quantity):
        return Refusal(10318, "This order doesn't support fractional quantity trading.")
    if quantity <= 0:
        return Refusal(434, "The order size cannot be zero.")
    return _invalid(f"Invalid order size {quantity}.") if quantity > _LARGEST_ORDER else None


def _terms_refusal(request: PlaceOrder) -> Refusal | None:
    sent = request.sent
    if sent["action"] not in set(Side):
        return _invalid(f"Invalid action '{sent['action']}'.")
    if sent["order_type"] not in set(Kind):
        return Refusal(387, "Unsupported order type for this exchange and security type.")
    if sent["tif"] not in {"", *Tif}:
        return Refusal(10052, f"Invalid time in force: {sent['tif']}")
    if Kind(sent["order_type"]).is_on_close and sent["tif"] not in ("", Tif.DAY):
        return Refusal(113, "Tif should be set to DAY for MOC and LOC orders.")
    if not request.flag("transmit"):
        return _invalid("Orders that are not to be transmitted are not supported.")
    extra = [name for name in _NOT_MODELLED.split() if _says_something(sent[name])]
    return _invalid(f"Not supported by the paper gateway: {', '.join(extra)}.") if extra else None


def _price_refusal(request: PlaceOrder) -> Refusal | None:
    if not Kind(request.sent["order_type"]).has_limit:
        return None
    limit = request.decimal("lmt_price")
    if limit is None or limit <= 0:
        return _invalid("A limit order needs a positive limit price.")
    if limit % TICK_USD:
        return Refusal(110, "The price does not conform to the minimum price variation for this contract.")
    return None


def _end_refusal(books: Books, request: PlaceOrder) -> Refusal | None:
    said, is_dated = request.sent["good_till_date"], request.sent["tif"] == Tif.GOOD_TILL_DATE
    if not is_dated:
        return _invalid("A good till date needs the time in force GTD.") if said else None
    end = good_till_of(request)
    if end is None:
        return _invalid(f"A GTD order needs a good till date such as 20240105 21:00:00 UTC, not '{said}'.")
    return _invalid(f"The good till date {said} has passed.") if end <= books.now else None


def _says_something(text: str) -> bool:
    return bool(text) and (not text.replace(".", "").isdigit() or bool(decimal_of(text)))


def _invalid(cause: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'bT' : cause - {cause}")
