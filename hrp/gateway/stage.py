"""A scenario as it is played: what arrives and what leaves, turned into what a failing broker would do and say.

The books stay the truth behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from hrp.gateway import lies
from hrp.gateway.books import Books
from hrp.gateway.cues import Cues, Moment
from hrp.gateway.delivery import CUT, Delivery
from hrp.gateway.effects import (
    FILL,
    IN,
    OUT,
    TIME,
    ClaimCancelled,
    Drop,
    Effect,
    Empty,
    Error,
    Frame,
    Late,
    Lose,
    Mute,
    Outage,
    Overtake,
    Partial,
    Refuse,
    Reject,
    Restart,
)
from hrp.gateway.records import Order
from hrp.gateway.session import Session
from hrp.gateway.state import Ledger
from hrp.gateway.wire import Fields

_START_API = "startApi"
Honest = Callable[[str], list[Delivery]]


class Stage:
    """The faults of one scenario, and what they do."""

    def __init__(self, cues: Cues, ledger: Ledger, sessions: dict[int, Session]) -> None:
        self.cues = cues
        self.is_crashing = False
        self._ledger, self._sessions = ledger, sessions
        self._held: list[tuple[Session, int, Delivery]] = []

    def leave(self, session: Session) -> None:
        """Forget a session that has ended."""
        self._held = [item for item in self._held if item[0] is not session]
        self.cues.leave(session)

    def hear(self, session: Session, fields: Fields, heard_at: float, honest: Honest) -> list[Delivery]:
        """What comes of a message: `honest` does what is asked (given an objection, it rejects the order).

        `heard_at` is a real instant in seconds.
        """
        if not self.cues.faults:
            return honest("")
        moment = self.cues.arriving(session, fields, heard_at)
        told = self._released(session) + (self.tick() if session.client_id in self._sessions else [])
        effects = [fault.effect for fault in self.cues.fired(IN, moment)]
        told += [delivery for effect in effects if isinstance(effect, Outage) for delivery in self._begin(effect)]
        if session.is_ended or self.is_crashing:
            return told
        if self.cues.outage:
            return told + self._in_outage(session, moment, honest)
        answer = self._answer(session, moment, effects, honest)
        for effect in effects:
            answer = self._afterwards(session, moment, effect, answer)
        return told + answer

    def leaving(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """What is said of `deliveries`."""
        if not self.cues.faults:
            return list(deliveries)
        if self.cues.outage:
            return []
        said: list[Delivery] = []
        for delivery in deliveries:
            if self.is_crashing or delivery.session.is_ended:
                continue
            moment = self.cues.leaving(delivery.session, delivery.fields)
            copies = [delivery]
            for fault in self.cues.fired(OUT, moment):
                copies = self._on_leaving(fault.effect, moment, copies, said)
            said += copies
        return said

    def tick(self) -> list[Delivery]:
        """What the faults without a message do now."""
        told: list[Delivery] = []
        for fault in self.cues.fired(TIME, Moment()):
            match fault.effect:
                case Outage() as outage:
                    told += self._begin(outage)
                case Error() as effect:
                    told += self._to_all(lies.notice(effect))
                case Restart():
                    self._crash()
                case Drop():
                    told += [self._hang_up(session) for session in list(self._sessions.values())]
        return told

    def tradable(self, order: Order, shares: int) -> int:
        """How many of `shares` the market takes of `order`."""
        moment = Moment(client_id=order.client_id, symbol=order.instrument.symbol)
        for fault in self.cues.fired(FILL, moment) if shares > 1 else ():
            if isinstance(fault.effect, Partial):
                shares = max(1, int(shares * fault.effect.share))
        return shares

    def _answer(self, session: Session, moment: Moment, effects: Sequence[Effect], honest: Honest) -> list[Delivery]:
        for effect in effects:
            match effect:
                case Lose():
                    return []
                case Drop(when="before"):
                    return [self._hang_up(session)]
                case Restart(when="before"):
                    self._crash()
                    return []
                case Refuse():
                    session.is_ended |= effect.close
                    return [Delivery(session, lies.refusal(effect, dict(moment.fields)), closes=effect.close)]
                case Reject():
                    return self.leaving(honest(effect.text))
                case ClaimCancelled():
                    claimed = lies.cancelled(self._ledger, session.client_id, dict(moment.fields))
                    return [Delivery(session, message) for message in claimed] or self.leaving(honest(""))
        return self.leaving(honest(""))

    def _afterwards(self, session: Session, moment: Moment, effect: Effect, answer: list[Delivery]) -> list[Delivery]:
        others = [delivery for delivery in answer if delivery.session is not session]
        mine = [delivery for delivery in answer if delivery.session is session]
        match effect:
            case Mute():
                return others
            case Drop(when="after"):
                return [*others, self._hang_up(session)]
            case Restart(when="after"):
                self._crash()
                return []
            case Late():
                return [*others, *self._delayed(effect, mine)]
            case Empty():
                return [*others, *(delivery for delivery in mine if delivery.name.endswith("End"))]
            case Error():
                return [*answer, Delivery(session, lies.notice(effect, dict(moment.fields)))]
        return answer

    def _on_leaving(
        self, effect: Effect, moment: Moment, copies: list[Delivery], said: list[Delivery]
    ) -> list[Delivery]:
        session = copies[0].session if copies else None
        match effect:
            case _ if session is None:
                return []
            case Lose():
                return []
            case Late():
                return self._delayed(effect, copies)
            case Drop():
                return [*(copies if effect.when == "after" else []), self._hang_up(session)]
            case Restart():
                self._crash()
                return copies if effect.when == "after" else []
            case Error():
                return [*copies, Delivery(session, lies.notice(effect, dict(moment.fields)))]
            case Frame():
                session.is_ended |= effect.how == CUT
                return [replace(copy, shape=effect.how, closes=effect.how == CUT) for copy in copies]
            case Overtake():
                places = [i for i, d in enumerate(said) if d.session is session and d.name == effect.message]
                if not places:
                    return copies
                said[places[-1] : places[-1]] = copies
                return []
        beside = [copy.fields for copy in copies]
        return [replace(copy, fields=told) for copy in copies for told in lies.told(effect, copy.fields, beside)]

    def _in_outage(self, session: Session, moment: Moment, honest: Honest) -> list[Delivery]:
        """A log-on is local; everything else is lost, and counts towards the end."""
        left, then = self.cues.outage or (0, "")
        if moment.name == _START_API:
            return [*honest(""), Delivery(session, lies.notice(Error(1100, system=True)))]
        if left:
            self.cues.outage = (left - 1, then)
            return []
        told = self._end_outage()
        return told if session.is_ended else [*told, *self.leaving(honest(""))]

    def _begin(self, outage: Outage) -> list[Delivery]:
        self.cues.outage = (outage.messages, outage.then)
        told = self._to_all(lies.notice(Error(1100, system=True)))
        return told if outage.messages else [*told, *self._end_outage()]

    def _end_outage(self) -> list[Delivery]:
        _, then = self.cues.outage or (0, "")
        self.cues.outage = None
        if then == "close":
            return [self._hang_up(session) for session in list(self._sessions.values())]
        return self._to_all(lies.notice(Error(int(then), system=True)))

    def _to_all(self, fields: Fields) -> list[Delivery]:
        return [Delivery(session, fields) for session in self._sessions.values()]

    def _hang_up(self, session: Session) -> Delivery:
        session.is_ended = True
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]
        return Delivery(session, closes=True)

    def _crash(self) -> None:
        self.is_crashing = True
        self._sessions.clear()

    def _delayed(self, late: Late, deliveries: Sequence[Delivery]) -> list[Delivery]:
        if late.messages:
            self._held += [(delivery.session, late.messages, delivery) for delivery in deliveries]
            return []
        return [replace(delivery, seconds=late.seconds) for delivery in deliveries]

    def _released(self, session: Session) -> list[Delivery]:
        """The messages that waited for this one."""
        counted = [(held, left - (held is session), delivery) for held, left, delivery in self._held]
        self._held = [item for item in counted if item[1] > 0]
        return [delivery for _, left, delivery in counted if left <= 0]


@dataclass(frozen=True, slots=True)
class StagedBooks(Books):
    """Books whose market takes what the scenario lets it take."""

    stage: Stage

    def tradable(self, order: Order, session: date) -> int:
        """How much of `order` trades in `session`."""
        return self.stage.tradable(order, Books.tradable(self, order, session))
