"""The gateway without sockets: sessions, transactions and the message log around `session.answer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby

from hrp.gateway.books import Books, Routed
from hrp.gateway.clock import EventKind, tws_text
from hrp.gateway.cues import Cues
from hrp.gateway.delivery import Delivery
from hrp.gateway.errors import GatewayError, ProtocolError
from hrp.gateway.events import events_until, happen
from hrp.gateway.layouts import INBOUND, NOTE, OLDEST_VERSION, OUTBOUND, USUAL_VERSION
from hrp.gateway.market import Market
from hrp.gateway.messages import parse
from hrp.gateway.records import Advance, Instrument
from hrp.gateway.replies import SYSTEM, error, farm_notices, managed_accounts, next_valid_id
from hrp.gateway.requests import StartApi
from hrp.gateway.scenario import Scenario
from hrp.gateway.session import UNNAMED, Session, answer, refresh
from hrp.gateway.stage import Stage, StagedBooks
from hrp.gateway.state import Ledger
from hrp.gateway.trades import Outcome
from hrp.gateway.wire import Fields, fields_of

_VERSIONS = re.compile(r"v(\d+)\.\.(\d+)")


@dataclass(slots=True)
class Desk:
    """Everything between the sockets and the books; `version` is the newest one it speaks."""

    books: Books
    stage: Stage
    version: int = USUAL_VERSION
    sessions: dict[int, Session] = field(default_factory=dict)

    def greet(self, session: Session, text: str) -> Fields | None:
        """The answer to a client that speaks the versions in `text`, or None if there is no common one."""
        found = _VERSIONS.match(text)
        session.version = min(self.version, int(found[2])) if found else 0
        is_common = found is not None and session.version >= max(OLDEST_VERSION, int(found[1]))
        reply = fields_of(session.version, tws_text(self.books.now)) if is_common else None
        with self.books.ledger.transaction():
            self.books.ledger.log(INBOUND, UNNAMED, [(text,)])
            self.books.ledger.log(OUTBOUND, UNNAMED, [reply] if reply else [])
        return reply

    def receive(self, session: Session, *messages: Fields, heard_at: float = 0.0) -> list[Delivery]:
        """Take the messages that came together; state, log and replies are stored before the replies are returned.

        `heard_at` is a real instant in seconds, by any clock that runs evenly.
        """
        with self.books.ledger.transaction():
            deliveries, total = list[Delivery](), Outcome()

            def hear(fields: Fields, objection: str) -> list[Delivery]:
                nonlocal total
                told, outcome = self._answered(session, fields, objection)
                total += Outcome((), outcome.fills, outcome.ended, outcome.traded)
                return told

            for fields in messages:
                if session.is_ended or self.stage.is_crashing:
                    break
                self.books.ledger.log(INBOUND, session.client_id, [fields])
                heard = self.stage.hear(session, fields, heard_at, partial(hear, fields))
                deliveries += self._logged(heard)
            if total.traded:
                deliveries += self._logged(self.stage.leaving(self._refreshed(total.traded)))
            self.stage.cues.save()
            return deliveries

    def note(self, session: Session, text: str) -> None:
        """Write into the message log what happened to `session`."""
        with self.books.ledger.transaction():
            self.books.ledger.log(NOTE, session.client_id, [(text,)])

    def leave(self, session: Session) -> None:
        """Forget a session that has ended."""
        session.is_ended = True
        self.stage.leave(session)
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]

    def advance(self, to: datetime) -> tuple[Advance, list[Delivery]]:
        """Move the clock to `to`, through every event and every alarm of the scenario; each is one transaction.

        Raises:
            GatewayError: `to` lies behind the clock.
        """
        now = self.books.now
        if to < now:
            raise GatewayError(f"the gateway's clock is at {now.isoformat()} and cannot go back to {to.isoformat()}")
        self.books.market.reload_if_changed()
        events, alarms = events_until(self.books, to), self.stage.cues.alarms(now, to)
        total, deliveries = Outcome(), list[Delivery]()
        for event in events:
            while alarms and alarms[0] < event.at:
                deliveries += self._at(alarms.pop(0))
            with self.books.ledger.transaction():
                outcome = happen(self.books, event)
                deliveries += self._logged(self.stage.leaving(self._addressed(outcome.routed)))
                self.stage.cues.save()
            total += Outcome((), outcome.fills, outcome.ended)
        for alarm in alarms:
            deliveries += self._at(alarm)
        deliveries += self._at(to, self._refreshed if events else list)
        opens, closes = (sum(event.kind is kind for event in events) for kind in (EventKind.OPEN, EventKind.CLOSE))
        return Advance(to, opens, closes, total.fills, total.ended), deliveries

    def _at(self, now: datetime, told: Callable[[], list[Delivery]] = list) -> list[Delivery]:
        """Set the clock, and do what the scenario does then."""
        with self.books.ledger.transaction():
            self.books.ledger.set_clock(now)
            deliveries = self._logged([*self.stage.tick(), *self.stage.leaving(told())])
            self.stage.cues.save()
            return deliveries

    def _answered(self, session: Session, fields: Fields, objection: str) -> tuple[list[Delivery], Outcome]:
        try:
            request = parse(fields, session.version)
            if isinstance(request, StartApi):
                return self._start(session, request), Outcome()
            if session.client_id == UNNAMED:
                raise ProtocolError(f"message {fields[0]} came before startApi")
            outcome = answer(self.books, session, request, objection)
        except ProtocolError as problem:
            refusal = error(SYSTEM, 320, f"Server error when reading an API client request: {problem}")
            return [Delivery(session, refusal)], Outcome()
        return self._addressed(outcome.routed), outcome

    def _start(self, session: Session, request: StartApi) -> list[Delivery]:
        if request.client_id < 0:
            raise ProtocolError(f"client id {request.client_id} is negative")
        if request.client_id in self.sessions or session.client_id != UNNAMED:
            session.is_ended = True
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            return [Delivery(session, error(SYSTEM, 326, text), closes=True)]
        session.client_id = request.client_id
        self.sessions[request.client_id] = session
        ledger = self.books.ledger
        first_id = next_valid_id(ledger.next_order_id(request.client_id))
        return [Delivery(session, m) for m in (managed_accounts(ledger.account), first_id, *farm_notices())]

    def _refreshed(self, changed: Collection[Instrument] | None = None) -> list[Delivery]:
        sessions = list(self.sessions.values())
        return self._addressed(routed for session in sessions for routed in refresh(self.books, session, changed))

    def _addressed(self, routed: Iterable[Routed]) -> list[Delivery]:
        """The messages whose client is connected; the others are answered when it asks."""
        return [Delivery(self.sessions[r.client_id], r.fields) for r in routed if r.client_id in self.sessions]

    def _logged(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        for client_id, group in groupby(deliveries, lambda delivery: delivery.session.client_id):
            self.books.ledger.log(OUTBOUND, client_id, [delivery.on_wire() for delivery in group if delivery.fields])
        return list(deliveries)


def open_desk(ledger: Ledger, market: Market, scenario: Scenario | None = None, version: int = USUAL_VERSION) -> Desk:
    """A desk at which `scenario` is played, speaking at most `version`."""
    sessions: dict[int, Session] = {}
    stage = Stage(Cues(scenario, ledger), ledger, sessions)
    return Desk(StagedBooks(ledger, market, stage), stage, version, sessions)
