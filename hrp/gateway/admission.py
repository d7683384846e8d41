"""Which orders the gateway takes: refused ones leave no trace, rejected ones are kept as Inactive.

Buying power: a purchase is rejected if its estimated cost (limit, else newest price, without commission) exceeds net
liquidation, plus working sales, less working purchases, each estimated alike. So a whole portfolio can be
replaced in one auction, in whatever order its orders arrive; cash may be negative for as long as the account is worth
more than it owes.
A sale is rejected if it exceeds the shares held and not yet on a working sale: nothing is sold short.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hrp.gateway.books import Books
from hrp.gateway.clock import too_late_for_auction
from hrp.gateway.placeorder import PlaceOrder
from hrp.gateway.records import Instrument, Kind, Order, Side, Tif
from hrp.gateway.replies import TICK_USD
from hrp.gateway.requests import ContractQuery
from hrp.gateway.wire import decimal_of

NO_SUCH_CONTRACT = 200
REJECTED = 201
_LARGEST_ORDER = 1_000_000_000
_NOT_MODELLED = (
    "parent_id oca_group algo_strategy hedge_type good_after_time good_till_date display_size min_qty cash_qty "
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
    con_id = int(sent["con_id"]) if sent["con_id"].isdigit() else 0
    return ContractQuery(con_id, sent["symbol"], sent["sec_type"], sent["exchange"], sent["currency"])


def refusal_of(books: Books, request: PlaceOrder, instrument: Instrument | None) -> Refusal | None:
    """The first reason to refuse `request` as it is written, or None."""
    account = request.sent["account"]
    if account not in ("", books.account):
        return _invalid(f"Invalid account code '{account}'.")
    if instrument is None:
        return Refusal(NO_SUCH_CONTRACT, "No security definition has been found for the request")
    return _quantity_refusal(request) or _terms_refusal(request) or _price_refusal(request)


def rejection_of(books: Books, order: Order) -> str:
    """Why the account or the exchange rejects `order`, or an empty text."""
    if order.tif is Tif.OPENING and too_late_for_auction(books.now):
        return "Exchange is closed for on-open orders until the session has opened."
    now = books.valuation()
    symbol = order.instrument.symbol
    if order.side is Side.SELL:
        free = now.sellable(symbol)
        return "" if order.quantity <= free else f"No short sales: {order.quantity} {symbol} to sell, {free} free."
    price = order.limit or books.view.last_price(symbol)
    if price is None:
        return f"No price of {symbol} is known."
    cost = order.quantity * price
    if cost <= now.buying_power:
        return ""
    return f"Available funds are insufficient: cost {cost:.2f} USD, buying power {now.buying_power} USD."


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
    if not request.flag("transmit"):
        return _invalid("Orders that are not to be transmitted are not supported.")
    extra = [name for name in _NOT_MODELLED.split() if _says_something(sent[name])]
    return _invalid(f"Not supported by the paper gateway: {', '.join(extra)}.") if extra else None


def _price_refusal(request: PlaceOrder) -> Refusal | None:
    if request.sent["order_type"] != Kind.LIMIT:
        return None
    limit = request.decimal("lmt_price")
    if limit is None or limit <= 0:
        return _invalid("A limit order needs a positive limit price.")
    if limit % TICK_USD:
        return Refusal(110, "The price does not conform to the minimum price variation for this contract.")
    return None


def _says_something(text: str) -> bool:
    return bool(text) and (not text.replace(".", "").isdigit() or bool(decimal_of(text)))


def _invalid(cause: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'bT' : cause - {cause}")
