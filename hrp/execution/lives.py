"""The orders of the ledger in memory: every step is written down before it is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hrp.domain.orders import UNRESOLVED, Order
from hrp.domain.positions import BrokerState
from hrp.domain.reconcile import Transition, reconcile
from hrp.ports import Ledger


class Lives:
    """Every order by reference as it stands (`orders`), the references of those without an answer (`waiting`), and the
    greatest order id that was ever used (`last_id`)."""

    def __init__(self, ledger: Ledger, orders: Iterable[Order]) -> None:
        self.ledger = ledger
        self.orders: dict[str, Order] = {}
        self.waiting: set[str] = set()
        self.last_id = 0
        for order in orders:
            self._keep(order)

    def add(self, order: Order) -> None:
        """Take in an order that is not known yet; one that is stays as it stands."""
        if order.order_ref not in self.orders:
            self._keep(order)

    def follow(self, state: BrokerState) -> list[Transition]:
        """Bring the ledger in line with the broker's `state`; what changed.

        Raises:
            BrokerError: the state contradicts the ledger.
        """
        steps = reconcile(state, self.orders.values())
        if steps:
            with self.ledger.batch():
                for step in steps:
                    self.record(step)
        return steps

    def record(self, step: Transition, *, later: bool = False) -> None:
        """Write one step into the ledger, and only then into memory; with `later` its commit may wait for the next."""
        known: dict[str, Any] = {
            "broker_order_id": step.broker_order_id,
            "perm_id": step.perm_id,
            "client_id": step.client_id,
            "sending_at": step.sending_at,
        }
        news = {name: value for name, value in known.items() if value is not None}
        moved = replace(self.orders[step.order_ref].moved_to(step.status), **news)
        self.ledger.record_status(step.order_ref, step.status, step.evidence, later=later, **news)
        self._keep(moved)

    def _keep(self, order: Order) -> None:
        self.orders[order.order_ref] = order
        self.last_id = max(self.last_id, order.broker_order_id or 0)
        if order.status in UNRESOLVED:
            self.waiting.add(order.order_ref)
        else:
            self.waiting.discard(order.order_ref)
