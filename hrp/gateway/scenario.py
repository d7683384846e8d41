"""Scenarios: what goes wrong at the broker, when, and where it was seen. Read from YAML, checked whole.

    about: The connection breaks after the second order was accepted, before its client hears of it.
    seen: QuantConnect/Lean.Brokerages.InteractiveBrokers#242
    seed: 1
    faults:
      - when: {message: placeOrder, nth: 2}
        do: {drop: after}

`when` names what must hold together; the fault happens the `nth` time that it does (default 1) and each time after
that, `times` times in all (default 1, or `always`), each with probability `chance` (default 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hrp.errors import ConfigError
from hrp.gateway.effects import FILL, IN, OUT, TIME, Change, Correct, Effect, Late, Overtake, Partial, read_effect
from hrp.gateway.layouts import DIRECTIONS, INBOUND, LAYOUTS, OUTBOUND

ALWAYS = "always"
_SUFFIX = ".yaml"
_TOP = ("about", "seen", "seed", "faults")
_FAULT = ("when", "do")
_WHEN = ("message", "symbol", "client", "where", "nth", "times", "at", "orders", "chance", "rate")
_PLACE_OF = {INBOUND: IN, OUTBOUND: OUT}


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a fault happens. What is empty or None does not matter.

    `messages` are names of one direction, `where` fields of the message by name, `at` an instant or a New York wall
    time that the simulated clock has reached, `orders` how many orders have come in, `rate` how many messages of the
    client came within the last real second.
    """

    messages: tuple[str, ...] = ()
    symbol: str = ""
    client: int | None = None
    where: tuple[tuple[str, str], ...] = ()
    nth: int = 1
    times: int | None = 1
    at: datetime | time | None = None
    orders: int = 0
    chance: float = 1.0
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; `place` is where in the gateway, `said` how the file put it."""

    trigger: Trigger
    effect: Effect
    place: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named set of faults: what happens, where it was seen, and what decides where something is left to chance."""

    name: str
    about: str
    seen: str
    seed: int
    faults: tuple[Fault, ...]

    def text(self) -> str:
        """The scenario as YAML that `load` reads back."""
        said = {"about": self.about, "seen": self.seen, "seed": str(self.seed)}
        faults = [dict(fault.said) for fault in self.faults]
        return str(yaml.safe_dump({**said, "faults": faults}, sort_keys=False, allow_unicode=True))

    def digest(self) -> str:
        """What tells this scenario from another one."""
        return hashlib.sha256(f"{self.name}\n{self.text()}".encode()).hexdigest()


def names() -> list[str]:
    """The scenarios that come with the gateway, sorted."""
    return sorted(entry.name.removesuffix(_SUFFIX) for entry in _library().iterdir() if entry.name.endswith(_SUFFIX))


def load(name_or_path: str | Path) -> Scenario:
    """The scenario of that name in the library, or in the file at that path.

    Raises:
        ConfigError: there is none, or it is not a scenario; the message names file, fault and what is allowed.
    """
    if str(name_or_path) in names():
        name, text = str(name_or_path), (_library() / f"{name_or_path}{_SUFFIX}").read_text()
        return _read(name, f"scenario {name}", text)
    path = Path(name_or_path)
    try:
        return _read(path.stem, str(path), path.read_text())
    except OSError as error:
        raise ConfigError(
            f"there is no scenario {str(name_or_path)!r}, neither in the library nor as a file ({error.strerror}); "
            "list them: hrp gateway scenarios"
        ) from error


def combine(scenarios: Iterable[Scenario], seed: int) -> Scenario:
    """One scenario with the faults of all; `seed` replaces theirs."""
    parts = list(scenarios)
    return Scenario(
        name="+".join(part.name for part in parts),
        about=" ".join(part.about for part in parts),
        seen="; ".join(part.seen for part in parts),
        seed=seed,
        faults=tuple(fault for part in parts for fault in part.faults),
    )


def _library() -> Any:
    return resources.files("hrp.gateway") / "scenarios"


def _read(name: str, origin: str, text: str) -> Scenario:
    try:
        said = yaml.load(text, Loader=yaml.BaseLoader)  # every value a text: TRUE and ON are symbols
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not YAML: {error}") from error
    try:
        _require_keys("the file", said, _TOP, needed=("about", "seen", "faults"))
        if not isinstance(said["faults"], list) or not said["faults"]:
            raise ValueError("faults is not a list of at least one fault")
        seed = _number("seed", said.get("seed", "0"), 0)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from error
    faults = [_fault(origin, number, fault) for number, fault in enumerate(said["faults"], start=1)]
    return Scenario(name, " ".join(said["about"].split()), " ".join(said["seen"].split()), seed, tuple(faults))


def _fault(origin: str, number: int, said: Any) -> Fault:
    try:
        _require_keys("a fault", said, _FAULT, needed=_FAULT)
        _require_keys("when", said["when"], _WHEN)
        trigger, effect = _trigger(said["when"]), read_effect(said["do"])
        place = _place(trigger, effect)
        _require_fields(trigger, effect)
        _require_sense(trigger, effect, place)
    except ValueError as error:
        raise ConfigError(f"{origin}: fault {number}: {error}") from error
    return Fault(trigger, effect, place, said)


def _trigger(when: Mapping[str, Any]) -> Trigger:
    said, times = when.get("message", []), when.get("times", "1")
    where = when.get("where", {})
    if not isinstance(where, Mapping):
        raise ValueError(f"when: where is {where!r}, not fields and their values")
    return Trigger(
        messages=tuple([said] if isinstance(said, str) else said),
        symbol=when.get("symbol", ""),
        client=_number("when: client", when["client"], 0) if "client" in when else None,
        where=tuple(where.items()),
        nth=_number("when: nth", when.get("nth", "1"), 1),
        times=None if times == ALWAYS else _number(f"when: times (or {ALWAYS})", times, 1),
        at=_at(when["at"]) if "at" in when else None,
        orders=_number("when: orders", when.get("orders", "0"), 0),
        chance=_chance(when.get("chance", "1")),
        rate=_number("when: rate", when.get("rate", "0"), 0),
    )


def _place(trigger: Trigger, effect: Effect) -> str:
    """Where the fault happens."""
    unknown = [name for name in trigger.messages if name not in DIRECTIONS]
    if unknown:
        raise ValueError(f"when: message {unknown[0]!r} is none; one of: {', '.join(sorted(DIRECTIONS))}")
    places = {_PLACE_OF[DIRECTIONS[name]] for name in trigger.messages}
    if len(places) > 1:
        raise ValueError("when: message names some that come in and some that go out; write a fault for each")
    place = places.pop() if places else FILL if isinstance(effect, Partial) else TIME
    if place not in effect.PLACES:
        raise ValueError(f"do: this effect is for {_in_words(effect.PLACES)}, not for {_in_words((place,))}")
    if place == TIME and trigger.at is None and not trigger.orders:
        raise ValueError("when: without a message it needs at or orders")
    return place


def _in_words(places: Iterable[str]) -> str:
    words = {
        IN: "a message that comes in",
        OUT: "a message that goes out",
        TIME: "an instant without a message",
        FILL: "trades, without a message",
    }
    return " or ".join(words[place] for place in places)


def _require_fields(trigger: Trigger, effect: Effect) -> None:
    """Every field that a fault looks at or changes is one of its messages."""
    wanted = [name for name, _ in trigger.where] + ([effect.field] if isinstance(effect, Change) else [])
    for message in trigger.messages:
        layouts = LAYOUTS[DIRECTIONS[message]].values()
        known = next(layout.names for layout in layouts if layout.name == message)
        for name in wanted:
            if name not in known:
                raise ValueError(f"{message} has no field {name!r}; one of: {', '.join(known)}")
    if wanted and not trigger.messages:
        raise ValueError("when: where needs a message")
    if isinstance(effect, Overtake) and DIRECTIONS.get(effect.message) != OUTBOUND:
        raise ValueError(f"do: overtake: {effect.message!r} is no message that goes out")


def _require_sense(trigger: Trigger, effect: Effect, place: str) -> None:
    """The fault can happen, and does something when it does."""
    about = getattr(effect, "MESSAGES", trigger.messages)
    if not set(trigger.messages) <= set(about):
        raise ValueError(f"do: this effect is for {' and '.join(about)} alone, not for {', '.join(trigger.messages)}")
    if effect in (Late(), Correct()):
        raise ValueError("do: this effect needs a field: late messages or seconds, correct price or shares")
    if isinstance(effect, Partial) and not 0 < effect.share < 1:
        raise ValueError(f"do: partial: share is {effect.share}, not a fraction in (0, 1)")
    if trigger.rate and place != IN:
        raise ValueError("when: rate needs a message that comes in")


def _require_keys(what: str, said: Any, allowed: Iterable[str], needed: Iterable[str] = ()) -> None:
    if not isinstance(said, Mapping):
        raise ValueError(f"{what} is {said!r}, not keys and values: {', '.join(allowed)}")
    unknown, missing = [key for key in said if key not in allowed], [key for key in needed if key not in said]
    if unknown:
        raise ValueError(f"{what} has the unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    if missing:
        raise ValueError(f"{what} lacks {', '.join(missing)}")


def _number(what: str, text: Any, least: int) -> int:
    if not isinstance(text, str) or not text.isdigit() or int(text) < least:
        raise ValueError(f"{what} is {text!r}, not a whole number from {least} on")
    return int(text)


def _chance(text: Any) -> float:
    try:
        chance = float(text)
    except (ValueError, TypeError):
        chance = 0.0
    if not 0 < chance <= 1:
        raise ValueError(f"when: chance is {text!r}, not a fraction in (0, 1]")
    return chance


def _at(text: str) -> datetime | time:
    try:
        instant = datetime.fromisoformat(text) if "T" in text else time.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"when: at is {text!r}, not 23:45 (New York) or 2024-01-02T23:45:00+00:00") from error
    if isinstance(instant, datetime) and instant.tzinfo is None:
        raise ValueError(f"when: at is {text!r} without a zone; write {text}+00:00")
    return instant
