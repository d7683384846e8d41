"""The life of an order: placed, changed, cancelled, filled, ended, and what its client is told at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from hrp.domain.commission import ibkr_fixed, to_cents
from hrp.domain.sessions import open_at
from hrp.gateway import orderreplies as says
from hrp.gateway.admission import NO_SUCH_CONTRACT, REJECTED, Refusal, contract_of, refusal_of, rejection_of
from hrp.gateway.books import Books, Routed
from hrp.gateway.clock import next_open, running_session, tws_text
from hrp.gateway.exchange import book, price_at_open
from hrp.gateway.placeorder import PlaceOrder
from hrp.gateway.records import Execution, Instrument, Kind, Order, Side, Status, Tif
from hrp.gateway.replies import PRIMARY_EXCHANGE, error
from hrp.gateway.wire import Fields, Value

CANCELLED = 202
BY_CLIENT = "Cancelled by Trader"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened: messages to send, and how many orders filled and ended unfilled."""

    routed: Sequence[Routed] = ()
    fills: int = 0
    ended: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome((*self.routed, *other.routed), self.fills + other.fills, self.ended + other.ended)


def place(books: Books, client_id: int, request: PlaceOrder) -> Outcome:
    """Take, refuse or reject a new order, or change a working one that has the same id."""
    instrument = books.find(contract_of(request))
    known = None if request.flag("what_if") else books.ledger.order(client_id, request.order_id)
    refusal = refusal_of(books, request, instrument) or _id_refusal(books, client_id, request, known)
    if refusal or instrument is None:
        return _refused(client_id, request.order_id, refusal)
    if known:
        return _change(books, known, _drafted(books, known.perm_id, client_id, request, instrument))
    if request.flag("what_if"):
        return _what_if(books, _drafted(books, 0, client_id, request, instrument))
    return _admit(books, _drafted(books, books.ledger.next_perm_id(), client_id, request, instrument))


def cancel(books: Books, order: Order, reason: str) -> Outcome:
    """End a working order unfilled."""
    ended = replace(order, status=Status.CANCELLED, ended_at=books.now, reason=reason)
    books.ledger.save_order(ended)
    notice = error(order.order_id, CANCELLED, f"Order Canceled - reason:{reason}")
    return Outcome(_to(order.client_id, says.order_status(ended), notice), ended=1)


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


def activate(books: Books, order: Order) -> tuple[Order, Outcome]:
    """Bring a waiting order to the exchange."""
    if order.status is Status.SUBMITTED:
        return order, Outcome()
    active = replace(order, status=Status.SUBMITTED)
    books.ledger.save_order(active)
    return active, Outcome(_acknowledgement(books, active))


def fill(books: Books, order: Order, price: Decimal, session: date) -> Outcome:
    """Trade all of `order` at `price` USD: execution, cash, holding and order are changed together."""
    ledger = books.ledger
    booking = book(ledger.holding(order.instrument), order.side, order.quantity, price)
    done = replace(
        order,
        status=Status.FILLED,
        filled=order.quantity,
        average_price=price,
        commission=booking.commission,
        ended_at=books.now,
    )
    execution = _execution(books, done, booking.realized, session)
    ledger.save_order(done)
    ledger.save_execution(execution)
    ledger.save_holding(booking.holding)
    ledger.add_cash(booking.cash_change)
    return Outcome(_fill_messages(books, done, execution), fills=1)


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
    tif = Tif(sent["tif"] or Tif.DAY)
    is_live = running is not None and tif is not Tif.OPENING
    return Order(
        perm_id=perm_id,
        client_id=client_id,
        order_id=request.order_id,
        instrument=instrument,
        exchange=sent["exchange"] or PRIMARY_EXCHANGE,
        side=Side(sent["action"]),
        quantity=int(request.decimal("total_quantity") or 0),
        kind=Kind(sent["order_type"]),
        limit=request.decimal("lmt_price") if sent["order_type"] == Kind.LIMIT else None,
        tif=tif,
        order_ref=sent["order_ref"],
        session=running if running and is_live else next_open(books.now),
        status=Status.SUBMITTED if is_live else Status.PRE_SUBMITTED,
        placed_at=books.now,
        sent={name: text for name, text in sent.items() if text},
    )


def _admit(books: Books, draft: Order) -> Outcome:
    reason = rejection_of(books, draft)
    if reason:
        order = replace(draft, status=Status.INACTIVE, ended_at=books.now, reason=f"Rejected by System:{reason}")
        books.ledger.save_order(order)
        notice = error(order.order_id, REJECTED, f"Order rejected - reason:{reason}")
        return Outcome((*_to(order.client_id, notice), *_acknowledgement(books, order)), ended=1)
    books.ledger.save_order(draft)
    taken = Outcome((*_acknowledgement(books, draft), *_held_notice(draft)))
    return taken + _meet_market(books, draft)


def _change(books: Books, known: Order, draft: Order) -> Outcome:
    """Give a working order another quantity or limit; one that the account rejects leaves it as it was."""
    books.ledger.save_order(replace(known, quantity=0))
    reason = rejection_of(books, draft)
    order = known if reason else replace(known, quantity=draft.quantity, limit=draft.limit)
    books.ledger.save_order(order)
    if reason:
        return _refused(known.client_id, known.order_id, Refusal(REJECTED, f"Order rejected - reason:{reason}"))
    return Outcome(_acknowledgement(books, order)) + _meet_market(books, order)


def _meet_market(books: Books, order: Order) -> Outcome:
    """Trade an order that arrives during the session, if the last known price allows."""
    if order.status is not Status.SUBMITTED:
        return Outcome()
    price = price_at_open(order, books.view.running_open(order.instrument.symbol))
    return fill(books, order, price, order.session) if price else Outcome()


def _what_if(books: Books, draft: Order) -> Outcome:
    """Say what an order would do to the account; it is not kept."""
    now = books.valuation()
    price = draft.limit or books.view.last_price(draft.instrument.symbol)
    if price is None:
        return _refused(draft.client_id, draft.order_id, Refusal(NO_SUCH_CONTRACT, "No price is known"))
    value, commission = to_cents(draft.quantity * price), ibkr_fixed(draft.quantity, price)
    change = value if draft.side is Side.BUY else -value
    margin, equity = now.positions_value, now.net_liquidation
    state: dict[str, Value] = {
        "init_margin_before": margin, "init_margin_change": change, "init_margin_after": margin + change,
        "maint_margin_before": margin, "maint_margin_change": change, "maint_margin_after": margin + change,
        "equity_with_loan_before": equity, "equity_with_loan_change": -commission,
        "equity_with_loan_after": equity - commission,
        "min_commission": commission, "max_commission": commission, "commission_currency": "USD",
    }  # fmt: skip
    first, second = says.open_order(books.account, draft), says.open_order(books.account, draft, **state)
    return Outcome(_to(draft.client_id, first, second))


def _execution(books: Books, order: Order, realized: Decimal | None, session: date) -> Execution:
    return Execution(
        exec_id=books.ledger.next_exec_id(),
        perm_id=order.perm_id,
        client_id=order.client_id,
        order_id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        price=order.average_price,
        commission=order.commission or Decimal(0),
        realized=realized,
        order_ref=order.order_ref,
        at=books.now,
        session=session,
    )


def _fill_messages(books: Books, order: Order, execution: Execution) -> list[Routed]:
    status = says.order_status(order)
    paid = says.open_order(books.account, order, commission=execution.commission, commission_currency="USD")
    return _to(
        order.client_id,
        says.exec_details(books.account, execution),
        says.open_order(books.account, order),
        status,
        paid,
        status,
        says.commission_report(execution),
    )


def _acknowledgement(books: Books, order: Order) -> list[Routed]:
    return _to(order.client_id, says.open_order(books.account, order), says.order_status(order))


def _held_notice(order: Order) -> list[Routed]:
    if order.status is not Status.PRE_SUBMITTED or order.tif is Tif.OPENING:
        return []
    until = tws_text(open_at(order.session))
    line = f"{order.side} {order.quantity} {order.instrument.symbol} {PRIMARY_EXCHANGE}"
    text = f"Order Message:\n{line}\nWarning: your order will not be placed at the exchange until {until}"
    return _to(order.client_id, error(order.order_id, 399, text))


def _refused(client_id: int, order_id: int, refusal: Refusal | None) -> Outcome:
    return Outcome(_to(client_id, error(order_id, refusal.code, refusal.text)) if refusal else ())


def _to(client_id: int, *messages: Fields) -> list[Routed]:
    return [Routed(client_id, message) for message in messages]
