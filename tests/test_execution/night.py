"""The one night that these tests play: Monday 5 January 2026 has closed, orders are meant for Tuesday's open."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hrp.domain.orders import Order, OrderSide, order_ref

ACCOUNT = "DU1234567"
SESSIONS = [date(2026, 1, day) for day in (5, 6, 7, 8, 9)]
AFTER_CLOSE = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)  # 17:00 in New York
AFTER_OPEN = datetime(2026, 1, 6, 14, 31, tzinfo=UTC)


def buy(symbol: str, quantity: int, **changes: object) -> Order:
    return order(symbol, OrderSide.BUY, quantity, **changes)


def order(symbol: str, side: OrderSide, quantity: int, **changes: object) -> Order:
    fields: dict[str, object] = {
        "order_ref": order_ref(SESSIONS[0], ACCOUNT, "S", symbol, side),
        "session": SESSIONS[0],
        "for_session": SESSIONS[1],
        "account": ACCOUNT,
    }
    return Order(symbol, side, quantity, **{**fields, **changes})  # type: ignore[arg-type]
