"""The gateway without sockets: sessions, transactions and the message log around `session.answer`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hrp.gateway.books import Books, Routed
from hrp.gateway.clock import events_between, tws_text
from hrp.gateway.errors import GatewayError, ProtocolError
from hrp.gateway.events import happen
from hrp.gateway.messagelog import INBOUND, OUTBOUND
from hrp.gateway.messages import parse
from hrp.gateway.orders import Outcome
from hrp.gateway.records import Advance
from hrp.gateway.replies import SYSTEM, error, farm_notices, managed_accounts, next_valid_id
from hrp.gateway.requests import StartApi
from hrp.gateway.session import UNNAMED, Session, answer, refresh
from hrp.gateway.wire import Fields, fields_of

OLDEST_VERSION = 157
NEWEST_VERSION = 176
_VERSIONS = re.compile(r"v(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for one session; the server closes the session after the last one if `closes`."""

    session: Session
    fields: Fields
    closes: bool = False


@dataclass(slots=True)
class Desk:
    """Everything between the sockets and the books."""

    books: Books
    sessions: dict[int, Session] = field(default_factory=dict)

    def greet(self, text: str) -> Fields | None:
        """The answer to a client that speaks the versions in `text`, or None if there is no common one."""
        found = _VERSIONS.match(text)
        version = min(NEWEST_VERSION, int(found[2])) if found else 0
        is_common = found is not None and version >= max(OLDEST_VERSION, int(found[1]))
        reply = fields_of(version, tws_text(self.books.now)) if is_common else None
        with self.books.ledger.transaction():
            self.books.ledger.log(INBOUND, UNNAMED, [(text,)])
            self.books.ledger.log(OUTBOUND, UNNAMED, [reply] if reply else [])
        return reply

    def receive(self, session: Session, fields: Fields) -> list[Delivery]:
        """Take one message; state, log and replies are stored before the replies are returned."""
        with self.books.ledger.transaction():
            self.books.ledger.log(INBOUND, session.client_id, [fields])
            try:
                request = parse(fields)
                if isinstance(request, StartApi):
                    return self._logged(self._start(session, request))
                if session.client_id == UNNAMED:
                    raise ProtocolError(f"message {fields[0]} came before startApi")
                outcome = answer(self.books, session, request)
            except ProtocolError as problem:
                refusal = error(SYSTEM, 320, f"Server error when reading an API client request: {problem}")
                return self._logged([Delivery(session, refusal)])
            return self._logged(self._addressed([*outcome.routed, *self._refreshed(outcome)]))

    def leave(self, session: Session) -> None:
        """Forget a session that has ended."""
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]

    def advance(self, to: datetime) -> tuple[Advance, list[Delivery]]:
        """Move the clock to `to`, through every open and close on the way; each is one transaction.

        Raises:
            GatewayError: `to` lies behind the clock.
        """
        now = self.books.now
        if to < now:
            raise GatewayError(f"the gateway's clock is at {now.isoformat()} and cannot go back to {to.isoformat()}")
        self.books.market.reload_if_changed()
        events, total, deliveries = events_between(now, to), Outcome(), list[Delivery]()
        for event in events:
            with self.books.ledger.transaction():
                outcome = happen(self.books, event)
                deliveries += self._logged(self._addressed(outcome.routed))
            total += Outcome((), outcome.fills, outcome.ended)
        with self.books.ledger.transaction():
            self.books.ledger.set_clock(to)
            deliveries += self._logged(self._addressed(self._all_refreshed() if events else []))
        opens = sum(event.kind == "open" for event in events)
        return Advance(to, opens, len(events) - opens, total.fills, total.ended), deliveries

    def _start(self, session: Session, request: StartApi) -> list[Delivery]:
        if request.client_id < 0:
            raise ProtocolError(f"client id {request.client_id} is negative")
        if request.client_id in self.sessions or session.client_id != UNNAMED:
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            return [Delivery(session, error(SYSTEM, 326, text), closes=True)]
        session.client_id = request.client_id
        self.sessions[request.client_id] = session
        ledger = self.books.ledger
        first_id = next_valid_id(ledger.next_order_id(request.client_id))
        return [Delivery(session, m) for m in (managed_accounts(ledger.account), first_id, *farm_notices())]

    def _refreshed(self, outcome: Outcome) -> list[Routed]:
        return self._all_refreshed() if outcome.fills else []

    def _all_refreshed(self) -> list[Routed]:
        return [routed for session in self.sessions.values() for routed in refresh(self.books, session)]

    def _addressed(self, routed: Iterable[Routed]) -> list[Delivery]:
        """The messages whose client is connected; the others are answered when it asks."""
        return [Delivery(self.sessions[r.client_id], r.fields) for r in routed if r.client_id in self.sessions]

    def _logged(self, deliveries: list[Delivery]) -> list[Delivery]:
        for delivery in deliveries:
            self.books.ledger.log(OUTBOUND, delivery.session.client_id, [delivery.fields])
        return deliveries
