"""The life of orders, written into the store step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hrp.data.db import Store, transaction
from hrp.data.orders import Step, load_lives, save_steps
from hrp.data.rows import Connection
from hrp.domain.orders import Order, OrderStatus
from hrp.errors import DataError


@dataclass(slots=True)
class _Batch:
    """One opening of the store: what was read in it stays true, because nobody else can write."""

    con: Connection
    known: dict[str, tuple[Order, int]] = field(default_factory=dict)
    waiting: list[Step] = field(default_factory=list)

    def commit(self) -> None:
        """Keep what waits; nothing is kept twice, even if this fails."""
        steps, self.waiting = self.waiting, []
        if steps:
            with transaction(self.con):
                save_steps(self.con, steps)


@dataclass(slots=True)
class StoreLedger:
    """`hrp.ports.Ledger` in the store. Every call is committed when it returns, unless it says `later`."""

    store: Store
    clock_now: Callable[[], datetime]
    _batch: _Batch | None = field(default=None, init=False, repr=False)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Keep the store open between calls; in this process nothing else can open it meanwhile.

        One inside another is the same one.
        """
        if self._batch is not None:
            yield
            return
        with self.store.batch() as con:
            batch = self._batch = _Batch(con)
            try:
                yield
            finally:
                self._batch = None
                batch.commit()

    def record_status(
        self, order_ref: str, status: OrderStatus, evidence: str, *, later: bool = False, **news: Any
    ) -> None:
        """Write down that the order now has `status`, and why; a repetition that brings nothing new changes nothing.

        Raises:
            OrderError: the order cannot go from its status to this one.
            DataError: the store has no such order.
        """

        def moved(before: Order) -> Order:
            after = before if status is before.status else before.moved_to(status)
            return replace(after, **{name: value for name, value in news.items() if value is not None})

        self._record(order_ref, moved, evidence, later=later, always=False)

    def record_note(self, order_ref: str, note: str) -> None:
        """Add to the order's history what does not change its status.

        Raises:
            DataError: the store has no such order.
        """
        self._record(order_ref, lambda order: order, note, later=False, always=True)

    def _record(
        self, order_ref: str, moved: Callable[[Order], Order], evidence: str, *, later: bool, always: bool
    ) -> None:
        if self._batch is None:
            with self.batch():
                self._record(order_ref, moved, evidence, later=True, always=always)
            return
        batch = self._batch
        if order_ref not in batch.known:
            batch.known.update(load_lives(batch.con, order_ref))
        if order_ref not in batch.known:
            raise DataError(f"no order {order_ref} in {self.store.path}; an order is planned before it is sent")
        before, seq = batch.known[order_ref]
        after = moved(before)
        if always or after != before:
            batch.waiting.append(Step(after, seq + 1, before.status, evidence, self.clock_now()))
            batch.known[order_ref] = (after, seq + 1)
        if not later:
            batch.commit()
