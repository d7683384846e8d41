"""What a fault can do, as records. A scenario names them; `stage.py` plays them.

Places: `in`, a message of a client as it arrives; `out`, a message to a client as it leaves; `time`, an instant without
a message; `fill`, an order as it trades. An effect with MESSAGES is about these alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

IN, OUT, TIME, FILL = "in", "out", "time", "fill"
Turn = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection breaks before or after the message takes effect; by time, every connection."""

    PLACES: ClassVar = (IN, OUT, TIME)
    when: Turn = "after"


@dataclass(frozen=True, slots=True)
class Restart:
    """The gateway ends like a crash, before or after the message takes effect, and starts again on the same ports."""

    PLACES: ClassVar = (IN, OUT, TIME)
    when: Turn = "after"


@dataclass(frozen=True, slots=True)
class Lose:
    """The message vanishes: nothing comes of it."""

    PLACES: ClassVar = (IN, OUT)


@dataclass(frozen=True, slots=True)
class Mute:
    """The message takes effect; its answers vanish."""

    PLACES: ClassVar = (IN,)


@dataclass(frozen=True, slots=True)
class Late:
    """The message, or the answers to it, wait for so many further messages of the client, or so many real seconds."""

    PLACES: ClassVar = (IN, OUT)
    messages: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message takes no effect; the answer is an error about it, and the connection ends if `close`."""

    PLACES: ClassVar = (IN,)
    code: int
    text: str = ""
    close: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """The broker rejects the order: error 201, then Inactive, and so it stands in the books."""

    PLACES: ClassVar = (IN,)
    MESSAGES: ClassVar = ("placeOrder",)
    text: str = "Rejected by the exchange."


@dataclass(frozen=True, slots=True)
class ClaimCancelled:
    """A cancel is confirmed, and yet the order goes on working."""

    PLACES: ClassVar = (IN,)
    MESSAGES: ClassVar = ("cancelOrder",)


@dataclass(frozen=True, slots=True)
class Empty:
    """A list is answered by its end marker alone."""

    PLACES: ClassVar = (IN,)


@dataclass(frozen=True, slots=True)
class Outage:
    """1100: what clients say and are told is lost until `messages` have come in; then 1101, 1102 or hanging up."""

    PLACES: ClassVar = (IN, TIME)
    then: Literal["1101", "1102", "close"]
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Error:
    """An error or a notice beside what happens: about the order or request of the message, or about the system."""

    PLACES: ClassVar = (IN, OUT, TIME)
    code: int
    text: str = ""
    system: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """The message is sent so many times more, each the same or each under an id (execId, permId) of its own."""

    PLACES: ClassVar = (OUT,)
    times: int = 1
    under: Literal["the same id", "another id"] = "the same id"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of the message says something else."""

    PLACES: ClassVar = (OUT,)
    field: str
    to: str


@dataclass(frozen=True, slots=True)
class Overtake:
    """The message goes out before the last message `message` to the same client in the same batch."""

    PLACES: ClassVar = (OUT,)
    message: str


@dataclass(frozen=True, slots=True)
class Correct:
    """The first report of a fill is off by `price` USD and `shares`; the truth follows as a correction (`.02`)."""

    PLACES: ClassVar = (OUT,)
    MESSAGES: ClassVar = ("execDetails",)
    price: Decimal = Decimal(0)
    shares: int = 0


@dataclass(frozen=True, slots=True)
class Zone:
    """Instants in the message name another zone, or none."""

    PLACES: ClassVar = (OUT,)
    MESSAGES: ClassVar = ("execDetails", "completedOrder")
    name: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of the message: half of them and hanging up, two packets, one with the next message, or garbage."""

    PLACES: ClassVar = (OUT,)
    how: Literal["cut", "split", "joined", "garbage"]


@dataclass(frozen=True, slots=True)
class Partial:
    """The market takes only this share of what an order has left, at least one share of stock."""

    PLACES: ClassVar = (FILL,)
    share: Decimal


Effect = (
    Drop | Restart | Lose | Mute | Late | Refuse | Reject | ClaimCancelled | Empty | Outage | Error | Repeat | Change
    | Overtake | Correct | Zone | Frame | Partial
)  # fmt: skip
KINDS: dict[str, type[Effect]] = {
    "drop": Drop,
    "restart": Restart,
    "lose": Lose,
    "mute": Mute,
    "late": Late,
    "refuse": Refuse,
    "reject": Reject,
    "claim-cancelled": ClaimCancelled,
    "empty": Empty,
    "outage": Outage,
    "error": Error,
    "repeat": Repeat,
    "change": Change,
    "overtake": Overtake,
    "correct": Correct,
    "zone": Zone,
    "frame": Frame,
    "partial": Partial,
}


def read_effect(said: object) -> Effect:
    """The effect that `said` names: `lose`, `{drop: before}`, or `{refuse: {code: 103, text: ...}}`.

    A single value is that of the first field.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    name, values = next(iter(said.items())) if isinstance(said, Mapping) and len(said) == 1 else (said, {})
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"do: {said!r} is no effect; one of: {', '.join(KINDS)}")
    kind = KINDS[name]
    allowed = [field.name for field in fields(kind)]
    if not isinstance(values, Mapping):
        values = {allowed[0]: values} if allowed else {"value": values}
    unknown = set(values) - set(allowed)
    if unknown:
        raise ValueError(f"do: {name} takes {', '.join(allowed) or 'nothing'}, not {', '.join(sorted(unknown))}")
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in values]
    if missing:
        raise ValueError(f"do: {name} needs {', '.join(missing)}")
    hints = get_type_hints(kind)
    return kind(**{field: _value(f"do: {name}: {field}", hints[field], text) for field, text in values.items()})


def _value(where: str, kind: Any, text: object) -> Any:
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if text not in choices:
            raise ValueError(f"{where} is {text!r}; one of: {', '.join(choices)}")
        return text
    if kind is bool:
        return _value(where, Literal["true", "false"], text) == "true"
    if not isinstance(text, str):
        raise ValueError(f"{where} is {text!r}, not one value")
    try:
        return kind(text)
    except (ValueError, InvalidOperation) as error:
        words = {int: "a whole number", float: "a number", Decimal: "a number"}
        raise ValueError(f"{where} is {text!r}, not {words[kind]}") from error
