"""A workspace beside a paper gateway of its own, over six sessions in which every open is known by heart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from workspaces import ACCOUNT, SESSIONS, D, Workspace, bars, empty_workspace

from hrp.api.platform import PlatformAPI
from hrp.api.rehearsal import write_market
from hrp.data import market
from hrp.domain.orders import Order, OrderSide, order_ref
from hrp.domain.plan import Plan, PlanLine
from hrp.domain.sessions import close_at, last_closed, next_session, open_at
from hrp.execution.broker import IBKRBroker
from hrp.execution.orders import OrderManager, Outcome
from hrp.gateway import client
from hrp.wiring import build

FIRST, SECOND, THIRD = SESSIONS[2:5]  # 2022-12-22, -23 and -27; the stocks open at 100 USD and a gain a session
CASH = D("100000.00")
LOW = D("1.00")  # a purchase at this limit never trades


def evening(session: date) -> datetime:
    return close_at(session) + timedelta(hours=2)


def midday(session: date) -> datetime:
    return open_at(session) + timedelta(hours=2)


@dataclass
class Desk:
    """`workspace` trades at the gateway that keeps its state in `state`."""

    workspace: Workspace
    state: Path

    @property
    def api(self) -> PlatformAPI:
        return PlatformAPI(self.workspace.app)

    def at(self, instant: datetime) -> None:
        """Let the time pass, here and at the gateway."""
        self.set(HRP_CLOCK=instant.isoformat())
        client.advance(self.state, instant)

    def set(self, **changes: object) -> None:
        """Change settings."""
        old = dict(line.split("=", 1) for line in self.workspace.env_file.read_text().splitlines())
        new = {**old, **{name: str(value) for name, value in changes.items()}}
        self.workspace.env_file.write_text("".join(f"{name}={value}\n" for name, value in new.items()))
        self.workspace = replace(self.workspace, app=build(self.workspace.env_file))

    def planned(self, *drafts: Order, strategy: str = "HYP-A") -> list[Order]:
        """Have a night of `strategy` write down orders for the next session."""
        session = last_closed(self.workspace.app.clock.now())
        orders = [
            replace(
                draft,
                order_ref=order_ref(session, ACCOUNT, strategy, draft.symbol, draft.side),
                session=session,
                for_session=next_session(session),
                account=ACCOUNT,
                strategy=strategy,
            )
            for draft in drafts
        ]
        lines = tuple(PlanLine(o.symbol, 0.1, D("0.1"), D(100), 1, (), 1, D(0), D(0), o) for o in orders)
        plan = Plan(session, next_session(session), ACCOUNT, CASH, CASH, {strategy: 1}, {}, lines)
        self.api.store_plan(plan, "test", kind=strategy)
        return orders

    def orders(self, *drafts: Order, strategy: str = "HYP-A") -> list[str]:
        """Have a night of `strategy` send orders for the next session; their references."""
        orders, api = self.planned(*drafts, strategy=strategy), self.api
        with api.app.broker() as broker:
            manager = OrderManager(broker, api.order_ledger(), api.app.clock, api.get_orders(account=ACCOUNT))
            sent = manager.submit_all(orders)
        assert {done.outcome for done in sent} == {Outcome.SUBMITTED}, sent
        return [order.order_ref for order in orders]

    def bought(self, strategy: str = "HYP-A", **shares: int) -> None:
        """Have a night buy at the next open, and let it fill; the sync of that morning is done."""
        self.orders(*(Order(symbol, OrderSide.BUY, count) for symbol, count in shares.items()), strategy=strategy)
        self.at(midday(next_session(last_closed(self.workspace.app.clock.now()))))

    def by_hand(self, order: Order, client_id: int = 77) -> None:
        """An order that another program of the same account sends."""
        config = replace(self.workspace.app.broker_config(), client_id=client_id)
        with IBKRBroker(config) as broker:
            broker.state()
            instrument = broker.qualify([order.symbol])[order.symbol]
            broker.place(order, instrument, broker.next_order_id())

    def placed(self) -> list[tuple[str, str]]:
        """(symbol, reference) of every order that the gateway received."""
        log = client.message_log(self.state, direction="in", message_id=3)
        return [(message.named["symbol"], str(message.order_ref)) for message in log]

    def held(self) -> dict[str, int]:
        """Shares at the broker."""
        with self.workspace.app.broker() as broker:
            return {symbol: int(shares) for symbol, shares in broker.state().held().items()}

    def working(self) -> list[str]:
        """References of the orders that work at the broker."""
        with self.workspace.app.broker() as broker:
            return sorted(order.order_ref for order in broker.state().working)


@contextmanager
def open_desk(home: Path, actions: pd.DataFrame | None = None, *, known: bool = True) -> Iterator[Desk]:
    """A desk on the evening of FIRST, its account synced once.

    Args:
        actions: corporate actions that take place at the gateway (symbol, ex_session, kind, value), and that the store
            has on record if they are `known`.
    """
    state = home / "gateway"
    workspace = empty_workspace(home, HRP_CLOCK=evening(FIRST).isoformat(), IBKR_GRACE_SECONDS="0")
    path = write_market(bars(), state / "market.parquet")
    terms = {}
    if actions is not None:
        terms["actions"] = str(home / "actions.csv")
        actions.to_csv(terms["actions"], index=False)
    with workspace.app.store().write() as con:
        market.save_prices(con, bars(), workspace.app.clock.now(), "test")
        if actions is not None and known:
            market.save_corporate_actions(con, actions.assign(source="test"), workspace.app.clock.now())
    running = client.start(state, path, ACCOUNT, clock=evening(FIRST), cash=CASH, terms=terms)
    desk = Desk(workspace, state)
    desk.set(IBKR_PORT=running.port)
    try:
        yield desk
    finally:
        client.stop(state)
