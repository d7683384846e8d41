"""When an order may be sent, by the broker's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache

from hrp.domain.orders import Order, TimeInForce
from hrp.domain.sessions import close_at, open_at, previous_session
from hrp.errors import BrokerError, OrderError
from hrp.ports import Broker, Clock

OPENING_CUTOFF = timedelta(minutes=2)  # orders for the opening auction are taken until 09:28 New York
MAX_CLOCK_SKEW = timedelta(seconds=120)
_READ_AGAIN_SECONDS = 60.0

Window = Callable[[Order], tuple[datetime, datetime]]


def sending_window(order: Order) -> tuple[datetime, datetime]:
    """The instants between which `order` may be sent, both excluded.

    From the close before the session it is meant for, to two minutes before that session's open for the auction, or
    to its close for an order of the day.

    Raises:
        OrderError: the order names no session.
        SessionError: it names a day without trading.
    """
    if order.for_session is None:
        raise OrderError(f"order {order.order_ref} names no session; set for_session")
    return _window_of(order.for_session, order.tif)


@lru_cache(maxsize=8)
def _window_of(session: date, tif: TimeInForce) -> tuple[datetime, datetime]:
    start = close_at(previous_session(session))
    return start, open_at(session) - OPENING_CUTOFF if tif is TimeInForce.OPG else close_at(session)


def require_same_time(broker_at: datetime, host_at: datetime, most: timedelta = MAX_CLOCK_SKEW) -> None:
    """The two clocks differ by at most `most`.

    Raises:
        BrokerError: they do not.
    """
    if abs(broker_at - host_at) > most:
        raise BrokerError(
            f"host clock says {host_at:%Y-%m-%d %H:%M:%S} UTC, broker says {broker_at:%Y-%m-%d %H:%M:%S} UTC, at most "
            f"{most.total_seconds():.0f} s apart is allowed; set the host's clock"
        )


class BrokerTime:
    """The broker's clock, asked for now and then and carried on by the host's steady one: a message saved an order."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock
        self._read()

    def _read(self) -> None:
        self._at, self._since = self._broker.server_time(), self._clock.elapsed()

    def now(self) -> datetime:
        """The present instant, aware, UTC. Raises BrokerError when it is time to ask and there is no answer."""
        if self._clock.elapsed() - self._since > _READ_AGAIN_SECONDS:
            self._read()
        return self._at + timedelta(seconds=self._clock.elapsed() - self._since)
