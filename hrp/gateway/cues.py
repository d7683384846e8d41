"""When the faults of a scenario happen: their triggers, and how often each has held and fired.

The counts are stored in the state file, so that nothing happens twice after a restart.
"""

from __future__ import annotations

import json
import random
from collections import deque
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from hrp.gateway.clock import NEW_YORK
from hrp.gateway.effects import TIME
from hrp.gateway.layouts import INBOUND, LAYOUTS, NOTE, OUTBOUND, message_number, name_of, named
from hrp.gateway.scenario import Fault, Scenario, Trigger
from hrp.gateway.session import Session
from hrp.gateway.state import Ledger
from hrp.gateway.wire import Fields

_FACT = "scenario"
_PLACE_ORDER = "placeOrder"
_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What the triggers look at: a message and whose it is, the symbol it is about, how fast messages come."""

    name: str = ""
    client_id: int | None = None
    symbol: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    rate: int = 0


class Cues:
    """The faults of one scenario, and how far they came."""

    def __init__(self, scenario: Scenario | None, ledger: Ledger) -> None:
        """Go on where the state file says this scenario is, or begin."""
        self.faults: tuple[Fault, ...] = scenario.faults if scenario else ()
        self._seed = scenario.seed if scenario else 0
        self._digest = scenario.digest() if scenario else ""
        self._ledger = ledger
        stored = json.loads(ledger.recall(_FACT) or "{}")
        known = stored if stored.get("digest") == self._digest else {}
        self._seen: list[int] = known.get("seen", [0] * len(self.faults))
        self._fired: list[int] = known.get("fired", [0] * len(self.faults))
        self._orders: int = known.get("orders", 0)
        self.outage: tuple[int, str] | None = tuple(known["outage"]) if known.get("outage") else None
        self._heard: dict[Session, deque[float]] = {}
        self._symbols: dict[str, str] = {}

    def save(self) -> None:
        """Store how far the faults came, in the transaction that is open."""
        if self.faults:
            facts = {"digest": self._digest, "seen": self._seen, "fired": self._fired}
            self._ledger.remember(_FACT, json.dumps({**facts, "orders": self._orders, "outage": self.outage}))

    def leave(self, session: Session) -> None:
        """Forget a session that has ended."""
        self._heard.pop(session, None)

    def arriving(self, session: Session, fields: Fields, heard_at: float) -> Moment:
        """A message of a client; `heard_at` is a real instant in seconds."""
        moment = self._moment(INBOUND, session, fields, named(INBOUND, fields), self._rate(session, heard_at))
        self._orders += moment.name == _PLACE_ORDER
        return moment

    def leaving(self, session: Session, fields: Fields) -> Moment:
        """A message to a client, with the fields of all versions."""
        number = message_number(fields)
        names = LAYOUTS[OUTBOUND][number].names if number in LAYOUTS[OUTBOUND] else ()
        return self._moment(OUTBOUND, session, fields, dict(zip(names, fields[1:], strict=False)))

    def fired(self, place: str, moment: Moment) -> list[Fault]:
        """The faults at `place` that happen now; each is counted and noted in the message log."""
        return [
            fault
            for number, fault in enumerate(self.faults)
            if fault.place == place and self._holds(fault.trigger, moment) and self._fires(number, fault)
        ]

    def alarms(self, after: datetime, until: datetime) -> list[datetime]:
        """The instants after `after` and not after `until` at which a fault without a message is due, in order."""
        triggers = [fault.trigger for fault in self.faults if fault.place == TIME]
        instants = [at for trigger in triggers for at in _instants(trigger, after, until)]
        return sorted({at for at in instants if after < at <= until})

    def _rate(self, session: Session, heard_at: float) -> int:
        recent = self._heard.setdefault(session, deque())
        recent.append(heard_at)
        while recent[0] <= heard_at - _SECOND:
            recent.popleft()
        return len(recent)

    def _moment(
        self, direction: str, session: Session, fields: Fields, values: dict[str, str], rate: int = 0
    ) -> Moment:
        name = name_of(direction, message_number(fields))
        return Moment(name, session.client_id, self._symbol(session, values), tuple(values.items()), rate)

    def _symbol(self, session: Session, values: dict[str, str]) -> str:
        """The symbol that a message is about: its own, that of its order, or that of its execution."""
        if "symbol" in values:
            self._symbols |= {values["exec_id"]: values["symbol"]} if "exec_id" in values else {}
            return values["symbol"]
        number = values.get("order_id", "")
        order = self._ledger.order(session.client_id, int(number)) if number.lstrip("-").isdigit() else None
        return order.instrument.symbol if order else self._symbols.get(values.get("exec_id", ""), "")

    def _holds(self, trigger: Trigger, moment: Moment) -> bool:
        return (
            (not trigger.messages or moment.name in trigger.messages)
            and trigger.symbol in ("", moment.symbol)
            and trigger.client in (None, moment.client_id)
            and set(trigger.where) <= set(moment.fields)
            and self._orders >= trigger.orders
            and (not trigger.rate or moment.rate > trigger.rate)
            and (trigger.at is None or _is_reached(trigger.at, self._ledger.clock))
        )

    def _fires(self, number: int, fault: Fault) -> bool:
        """Count that the trigger holds, and say whether the fault happens this time."""
        trigger = fault.trigger
        self._seen[number] += 1
        is_over = trigger.times is not None and self._fired[number] >= trigger.times
        if is_over or self._seen[number] < trigger.nth:
            return False
        if random.Random(f"{self._seed}/{number}/{self._seen[number]}").random() >= trigger.chance:
            return False
        self._fired[number] += 1
        self._ledger.log(NOTE, -1, [(f"fault {number + 1}: {json.dumps(dict(fault.said))}",)])
        return True


def _is_reached(at: datetime | time, now: datetime) -> bool:
    return now >= at if isinstance(at, datetime) else now.astimezone(NEW_YORK).time() >= at


def _instants(trigger: Trigger, after: datetime, until: datetime) -> list[datetime]:
    """When the time of `trigger` comes between two instants."""
    if isinstance(trigger.at, datetime):
        return [trigger.at]
    if trigger.at is None:
        return []
    first, last = after.astimezone(NEW_YORK).date(), until.astimezone(NEW_YORK).date()
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    return [datetime.combine(day, trigger.at, NEW_YORK) for day in days]
