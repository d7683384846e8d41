"""What clients do with orders: place, change and cancel them, and what they are told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hrp.domain.sessions import open_at
from hrp.gateway.admission import (
    NO_SUCH_CONTRACT,
    REJECTED,
    Refusal,
    contract_of,
    good_till_of,
    refusal_of,
    rejection_of,
)
from hrp.gateway.books import Books, Routed
from hrp.gateway.clock import next_open, running_session, tws_text
from hrp.gateway.exchange import ends_at_open, price_at_open
from hrp.gateway.placeorder import PlaceOrder
from hrp.gateway.records import Instrument, Kind, Order, Side, Status, Tif
from hrp.gateway.replies import PRIMARY_EXCHANGE, error
from hrp.gateway.trades import Outcome, acknowledgement, cancel, routed, trade
from hrp.gateway.whatif import what_if

BY_CLIENT = "Cancelled by Trader"
NOT_AT_ONCE = "Not filled at once"


def place(books: Books, client_id: int, request: PlaceOrder, objection: str = "") -> Outcome:
    """Take, refuse or reject (with `objection`, if any) a new order, or change a working one that has the same id."""
    instrument = books.find(contract_of(request))
    known = None if request.flag("what_if") else books.ledger.order(client_id, request.order_id)
    refusal = refusal_of(books, request, instrument) or _id_refusal(books, client_id, request, known)
    if refusal or instrument is None:
        return _refused(client_id, request.order_id, refusal)
    if known:
        return _change(books, known, _drafted(books, known.perm_id, client_id, request, instrument))
    if request.flag("what_if"):
        return _what_if(books, _drafted(books, 0, client_id, request, instrument))
    return _admit(books, _drafted(books, books.ledger.next_perm_id(), client_id, request, instrument), objection)


def cancel_by_id(books: Books, client_id: int, order_id: int) -> Outcome:
    """End the order that `client_id` numbered `order_id`, if it is working."""
    order = books.ledger.order(client_id, order_id)
    if order is None:
        text = f"OrderId {order_id} that needs to be cancelled is not found."
        return _refused(client_id, order_id, Refusal(10147, text))
    if not order.status.is_working:
        text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
        return _refused(client_id, order_id, Refusal(10148, text))
    return cancel(books, order, BY_CLIENT)


def _id_refusal(books: Books, client_id: int, request: PlaceOrder, known: Order | None) -> Refusal | None:
    if known is None:
        is_new = request.flag("what_if") or request.order_id >= books.ledger.next_order_id(client_id)
        return None if is_new else Refusal(103, "Duplicate order id")
    if known.status is Status.FILLED:
        return Refusal(104, "Cannot modify a filled order.")
    if not known.status.is_working:
        return Refusal(103, "Duplicate order id")
    same = (known.side, known.kind, known.tif, known.order_ref) == (
        request.sent["action"],
        request.sent["order_type"],
        request.sent["tif"] or Tif.DAY,
        request.sent["order_ref"],
    )
    return None if same else Refusal(105, "Order being modified does not match original order.")


def _drafted(books: Books, perm_id: int, client_id: int, request: PlaceOrder, instrument: Instrument) -> Order:
    sent, running = request.sent, running_session(books.now)
    tif, kind = Tif(sent["tif"] or Tif.DAY), Kind(sent["order_type"])
    limit = request.decimal("lmt_price") if kind.has_limit else None
    is_live = running is not None and tif is not Tif.OPENING
    return Order(
        perm_id=perm_id,
        client_id=client_id,
        order_id=request.order_id,
        instrument=instrument,
        exchange=sent["exchange"] or PRIMARY_EXCHANGE,
        side=Side(sent["action"]),
        quantity=int(request.decimal("total_quantity") or 0),
        kind=kind,
        limit=limit,
        tif=tif,
        order_ref=sent["order_ref"],
        session=running if running and is_live else next_open(books.now),
        status=Status.SUBMITTED if is_live else Status.PRE_SUBMITTED,
        placed_at=books.now,
        sent={name: text for name, text in sent.items() if text},
        good_till=good_till_of(request) if tif is Tif.GOOD_TILL_DATE else None,
        estimate=limit or books.view.last_price(instrument.symbol) or Decimal(0),
    )


def _admit(books: Books, draft: Order, objection: str) -> Outcome:
    reason = objection or rejection_of(books, draft)
    if reason:
        order = replace(draft, status=Status.INACTIVE, ended_at=books.now, reason=f"Rejected by System:{reason}")
        books.ledger.save_order(order)
        notice = error(order.order_id, REJECTED, f"Order rejected - reason:{reason}")
        return Outcome((*routed(order.client_id, notice), *acknowledgement(books, order)), ended=1)
    books.ledger.save_order(draft)
    taken = Outcome((*acknowledgement(books, draft), *_held_notice(draft)))
    return taken + _meet_market(books, draft)


def _change(books: Books, known: Order, draft: Order) -> Outcome:
    """Give a working order another quantity, limit or end; one that the account rejects leaves it as it was."""
    changed = replace(
        known,
        quantity=draft.quantity,
        limit=draft.limit,
        estimate=draft.estimate,
        good_till=draft.good_till,
        sent=draft.sent,
    )
    books.ledger.save_order(replace(known, quantity=known.filled))
    reason = rejection_of(books, changed)
    books.ledger.save_order(known if reason else changed)
    if reason:
        return _refused(known.client_id, known.order_id, Refusal(REJECTED, f"Order rejected - reason:{reason}"))
    return Outcome(acknowledgement(books, changed)) + _meet_market(books, changed)


def _meet_market(books: Books, order: Order) -> Outcome:
    """Trade an order that arrives during the session, if the last known price allows."""
    if order.status is not Status.SUBMITTED:
        return Outcome()
    price = price_at_open(order, books.view.running_open(order.instrument.symbol))
    after, outcome = trade(books, order, price, order.session) if price else (order, Outcome())
    if after.status.is_working and ends_at_open(after):
        outcome += cancel(books, after, NOT_AT_ONCE)
    return outcome


def _what_if(books: Books, draft: Order) -> Outcome:
    if not draft.estimate:
        return _refused(draft.client_id, draft.order_id, Refusal(NO_SUCH_CONTRACT, "No price is known"))
    return Outcome(routed(draft.client_id, *what_if(books, draft)))


def _held_notice(order: Order) -> list[Routed]:
    if order.status is not Status.PRE_SUBMITTED or order.tif is Tif.OPENING:
        return []
    until = tws_text(open_at(order.session))
    line = f"{order.side} {order.quantity} {order.instrument.symbol} {PRIMARY_EXCHANGE}"
    text = f"Order Message:\n{line}\nWarning: your order will not be placed at the exchange until {until}"
    return routed(order.client_id, error(order.order_id, 399, text))


def _refused(client_id: int, order_id: int, refusal: Refusal | None) -> Outcome:
    return Outcome(routed(client_id, error(order_id, refusal.code, refusal.text)) if refusal else ())
