"""Everything that can happen to a handful of orders, in any sequence: what must hold does hold after each step.

The broker here is a list of orders that obeys a few rules of its own; the ledger is the code under test, driven as a
night drives it: look, decide, write ahead, send, write down the answer, or die in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hrp.domain.book import Book
from hrp.domain.lost import Bounds, why_not_lost
from hrp.domain.orders import SENDABLE, TRANSITIONS, UNRESOLVED, Order, OrderSide, OrderStatus
from hrp.domain.positions import Account, BrokerState, CompletedOrder, Fill, Position, WorkingOrder
from hrp.domain.reconcile import Transition, reconcile

S = OrderStatus
D = Decimal
ACCOUNT, CLIENT, PRICE, CASH = "DU1234567", 7, D(10), D(100_000)
EVENING = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
SYMBOLS = ("AAPL", "KO", "TRUE")
ANSWERS = st.sampled_from(["lost", "silence", "refuse", "fill", "ack"])


@dataclass
class Held:
    """One order at the broker. `executions` are (execution, correction, shares); what is `forgotten` is not listed."""

    ref: str
    perm_id: int
    order_id: int
    order: Order
    word: str = "working"
    executions: list[tuple[int, int, int]] = field(default_factory=list)
    forgotten: bool = False

    @property
    def executed(self) -> int:
        newest = {execution: shares for execution, _, shares in sorted(self.executions)}
        return sum(newest.values())

    def fills(self) -> list[Fill]:
        newest = {execution: (number, count) for execution, number, count in sorted(self.executions)}
        return [
            Fill(
                f"{self.perm_id}.{execution:04d}.{number:02d}", self.ref, self.perm_id, ACCOUNT, 1, self.order.symbol,
                self.order.side, D(count), PRICE, EVENING,
            )
            for execution, (number, count) in newest.items()
        ]  # fmt: skip

    def records(self) -> list[WorkingOrder | CompletedOrder | Fill]:
        order, shares, fills = self.order, D(self.order.quantity - self.executed), self.fills()
        if self.word == "working":
            standing = WorkingOrder(
                self.ref, self.perm_id, self.order_id, CLIENT, order.symbol, 1, order.side, shares, S.WORKING,
                D(order.quantity),
            )  # fmt: skip
            return [standing, *fills]
        status = {"filled": S.FILLED, "cancelled": S.CANCELLED, "refused": S.REJECTED}[self.word]
        return [CompletedOrder(self.ref, self.perm_id, order.symbol, order.side, D(0), status), *fills]


class OrderMachine(RuleBasedStateMachine):
    """A ledger, a broker, and the wire between them."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: dict[str, Order] = {}
        self.broker: list[Held] = []
        self.steps: list[tuple[OrderStatus, OrderStatus]] = []
        self.sends: Counter[str] = Counter()
        self.used_ids: list[int] = []
        self.at = EVENING
        self.kept: dict[str, Fill] = {}  # by identity, as the store keeps them

    @initialize(
        orders=st.lists(
            st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(OrderSide), st.integers(1, 9)),
            min_size=1, max_size=3, unique_by=lambda row: row[0],
        )
    )  # fmt: skip
    def plan(self, orders: list[tuple[str, OrderSide, int]]) -> None:
        for symbol, side, quantity in orders:
            ref = f"hrp-{symbol}"
            self.ledger[ref] = Order(
                symbol, side, quantity, order_ref=ref, session=date(2026, 1, 5), account=ACCOUNT, plan_hash="p"
            )

    # What the night does

    def record(self, step: Transition, **news: object) -> None:
        before = self.ledger[step.order_ref]
        ids = {"broker_order_id": step.broker_order_id, "perm_id": step.perm_id}
        known = {name: value for name, value in {**ids, **news}.items() if value is not None}
        self.ledger[step.order_ref] = replace(before.moved_to(step.status), **known)  # type: ignore[arg-type]
        self.steps.append((before.status, step.status))

    def state(self) -> BrokerState:
        records = [record for held in self.broker if not held.forgotten for record in held.records()]
        book = Book(CASH, {}).after(fill for held in self.broker for fill in held.fills())
        return BrokerState(
            account=Account(ACCOUNT, book.cash, book.cash),
            positions=tuple(Position(symbol, shares, PRICE) for symbol, shares in book.held.items()),
            working=tuple(record for record in records if isinstance(record, WorkingOrder)),
            completed=tuple(record for record in records if isinstance(record, CompletedOrder)),
            fills=tuple(record for record in records if isinstance(record, Fill)),
            at=self.at,
        )

    def look(self) -> BrokerState:
        state = self.state()
        self.kept |= {fill.identity: fill for fill in state.fills}
        for step in reconcile(state, self.ledger.values()):
            self.record(step)
        return state

    @rule()
    def sync(self) -> None:
        self.look()

    @rule(answers=st.lists(ANSWERS, max_size=3))
    def rerun(self, answers: list[str]) -> None:
        """A night: settle, then send what is left until an answer is missing."""
        self.settle()
        for order in list(self.ledger.values()):
            unknown = any(one.status in UNRESOLVED for one in self.ledger.values())
            if unknown or order.status not in SENDABLE or self.bounds().exceeded_by(order, self.ledger.values()):
                continue
            if not self.send(order, answers.pop() if answers else "ack"):
                return

    @rule(point=st.sampled_from(["killed", "cut"]))
    def is_killed(self, point: str) -> None:
        """The night dies before or after its first order has left: only what was committed survives."""
        self.rerun([point])

    def settle(self) -> None:
        looks = [self.look(), self.look()]
        book = Book(CASH, {}).after(self.kept.values()).held
        for order in list(self.ledger.values()):
            if order.status in UNRESOLVED:
                doubt = why_not_lost(order, looks, CLIENT, book, list(self.ledger.values()))
                if not doubt:
                    self.record(Transition(order.order_ref, S.LOST, "in no list"))

    def bounds(self) -> Bounds:
        planned = {order.symbol: D(order.signed_quantity) for order in self.ledger.values()}
        return Bounds(sends=20, shares=planned, prices=dict.fromkeys(SYMBOLS, PRICE))

    def send(self, order: Order, answer: str) -> bool:
        """True if the batch goes on."""
        order_id = 1 + max(self.used_ids, default=0)
        ref = order.order_ref
        self.record(Transition(ref, S.SENDING, "about to be sent", order_id), client_id=CLIENT, sending_at=self.at)
        if answer == "cut":  # died between the commit and the socket
            return False
        self.sends[ref] += 1
        self.used_ids.append(order_id)
        if answer == "lost":  # left this machine and never arrived
            self.record(Transition(ref, S.UNKNOWN, "no word"))
            return False
        held = Held(ref, 500 + len(self.broker), order_id, order)
        self.broker.append(held)
        if answer == "killed":
            return False
        if answer == "silence":
            self.record(Transition(ref, S.UNKNOWN, "no word"))
            return False
        if answer == "refuse":
            held.word = "refused"
            self.record(Transition(ref, S.REJECTED, "201", perm_id=held.perm_id))
            return True
        self.record(Transition(ref, S.ACKED, "PreSubmitted", perm_id=held.perm_id))
        if answer == "fill":
            self.execute(held, order.quantity)
        return True

    # What the broker does

    def execute(self, held: Held, shares: int) -> None:
        held.executions.append((len(held.executions), 1, shares))
        if held.executed == held.order.quantity:
            held.word = "filled"

    def open_orders(self) -> list[Held]:
        return [held for held in self.broker if held.word == "working"]

    def listed(self) -> list[Held]:
        return [held for held in self.broker if not held.forgotten]

    @precondition(lambda self: self.open_orders())
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.open_orders()))
        self.execute(held, data.draw(st.integers(1, held.order.quantity - held.executed)))

    @precondition(lambda self: any(held.executions for held in self.listed()))
    @rule(data=st.data())
    def correct(self, data: st.DataObject) -> None:
        """An execution is told anew with fewer shares, or with none."""
        held = data.draw(st.sampled_from([held for held in self.listed() if held.executions]))
        newest = {execution: (number, shares) for execution, number, shares in sorted(held.executions)}
        execution = data.draw(st.sampled_from(sorted(newest)))
        number, shares = newest[execution]
        held.executions.append((execution, number + 1, data.draw(st.integers(0, shares))))

    @precondition(lambda self: self.open_orders())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.open_orders())).word = "cancelled"

    @precondition(lambda self: any(held.word in ("cancelled", "refused") for held in self.listed()))
    @rule(data=st.data())
    def fill_overtakes_the_end(self, data: st.DataObject) -> None:
        ended = [held for held in self.listed() if held.word in ("cancelled", "refused")]
        held = data.draw(st.sampled_from(ended))
        if held.executed < held.order.quantity:
            held.executions.append((len(held.executions), 1, held.order.quantity - held.executed))

    @rule(fates=st.lists(st.sampled_from(["stays", "cancelled", "filled"]), max_size=3))
    def the_day_ends(self, fates: list[str]) -> None:
        """What was traded has ended by then, and of what has ended the broker forgets everything but the position."""
        self.at += timedelta(days=1)
        for held in self.open_orders():
            fate = fates.pop() if fates else "stays"
            if fate == "filled":
                self.execute(held, held.order.quantity - held.executed)
            elif fate == "cancelled" or held.executions:
                held.word = "cancelled"
        for held in self.broker:
            held.forgotten = held.word != "working"

    # What must hold

    @invariant()
    def nobody_left_the_table(self) -> None:
        assert all(after in TRANSITIONS[before] for before, after in self.steps)

    @invariant()
    def one_order_at_the_broker_per_reference(self) -> None:
        assert max(Counter(held.ref for held in self.broker).values(), default=0) <= 1

    @invariant()
    def one_order_id_per_attempt(self) -> None:
        assert len(set(self.used_ids)) == len(self.used_ids)
        assert all(order.attempt >= self.sends[ref] for ref, order in self.ledger.items())
        assert all(order.attempt <= 3 for order in self.ledger.values())

    @invariant()
    def no_order_is_filled_beyond_its_quantity(self) -> None:
        assert all(held.executed <= held.order.quantity for held in self.broker)

    @invariant()
    def a_look_would_make_the_ledger_agree(self) -> None:
        state, looked = self.state(), dict(self.ledger)
        for step in reconcile(state, self.ledger.values()):
            looked[step.order_ref] = replace(looked[step.order_ref].moved_to(step.status), perm_id=step.perm_id)
        assert reconcile(state, looked.values()) == []
        for held in self.listed():
            if held.executed == held.order.quantity:
                assert looked[held.ref].status is S.FILLED
            elif held.executed:
                assert looked[held.ref].status in (S.PARTIALLY_FILLED, S.CANCELLED)

    @invariant()
    def cash_and_shares_are_conserved(self) -> None:
        """What the ledger keeps is what the broker did, but for what was forgotten before anybody looked."""
        there = {fill.identity: fill for held in self.broker for fill in held.fills()}
        book, state = Book(CASH, {}).after(there.values()), self.state()
        assert (book.held, book.cash) == (state.held(), state.account.cash)
        assert book.cash + sum(book.held.values(), D(0)) * PRICE == CASH
        assert self.kept.keys() <= there.keys()

    @invariant()
    def what_is_said_to_be_held_by_the_broker_is(self) -> None:
        there = {held.ref for held in self.broker}
        found = S.ACKED, S.WORKING, S.PARTIALLY_FILLED, S.FILLED, S.REJECTED, S.CANCELLED
        assert all(ref in there for ref, order in self.ledger.items() if order.status in found)


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
